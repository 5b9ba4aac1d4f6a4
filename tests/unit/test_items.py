"""Items are written as boto3 would write them, and read back."""

from __future__ import annotations

from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given, settings
from hypothesis import strategies as st

from callverify.store.items import attributes, deserialized, serialized, verification_of
from tests.support.records import flash, reverse

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**37), 10**37) | st.text(),
    lambda members: st.lists(members) | st.dictionaries(st.text(), members),
)


@settings(deadline=None)
@given(st.dictionaries(st.text(), VALUES))
def test_as_boto3_does(item: dict[str, Any]) -> None:
    written = {name: TypeSerializer().serialize(value) for name, value in item.items()}
    assert serialized(item) == written
    assert deserialized(written) == item
    assert {name: TypeDeserializer().deserialize(value) for name, value in written.items()} == item


@pytest.mark.parametrize("record", [flash(), reverse(metadata={"cart": "7"}, locale="ru")])
def test_a_record_survives(record: Any) -> None:
    assert verification_of(deserialized(serialized(attributes(record)))) == record


@pytest.mark.parametrize("value", [1.5, b"x", {"a", "b"}, object()])
def test_what_has_no_use_here_is_no_value(value: object) -> None:
    with pytest.raises(TypeError, match="no type of DynamoDB's"):
        serialized({"name": value})


def test_what_nothing_here_writes_keeps_no_record_from_being_read() -> None:
    item = serialized(attributes(flash()))
    item |= {"later": {"SS": ["a"]}, "share": {"N": "1.5"}, "raw": {"B": b"x"}, "deep": {"M": {"of": {"NS": ["1"]}}}}
    assert verification_of(deserialized(item)) == flash()
