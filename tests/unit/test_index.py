"""The index of verifications by phone and by reference: what is entered, found page by page, and taken out again."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest

from callverify.domain import errors
from callverify.domain.errors import Busy
from callverify.domain.verification import Verification
from callverify.domain.words import Mode, Status
from callverify.edge.queues import Publications
from callverify.events.publish import Publisher
from callverify.events.telemetry import Telemetry
from callverify.store import Index, Store
from callverify.store.index import Entry
from callverify.store.items import attributes, serialized
from callverify.store.table import BUSY_SECONDS
from tests.support.dynamodb import MemoryDynamoDb
from tests.support.failing import BUSY, Failing
from tests.support.records import NOW, flash
from tests.support.service import INDEX_TABLE

SHOP, OTHER = "fedcba9876543210", "0123456789abcdef"
TTL = NOW + 90_000


def record(number: int = 0, **changes: Any) -> Verification:
    """One of many: the higher its number, the later it began."""
    given: dict[str, Any] = {"id": f"vrf_{number:026}", "created_at": NOW + number, "ttl": TTL}
    return replace(flash(reference="order-7", key_id=SHOP), **given | changes)


def ids(entries: list[Entry]) -> list[str]:
    return [entry.verification_id for entry in entries]


def of_reference(index: Index, text: str = "order-7", **more: Any) -> list[str]:
    return ids(index.of_reference(Mode.LIVE, text, **{"limit": 20, **more}))


def of_phone(index: Index, **more: Any) -> list[str]:
    return ids(index.of_phone(Mode.LIVE, flash().phone_hash, **{"limit": 20, **more}))


def test_verifications_are_found_newest_first_by_page(index: Index) -> None:
    verifications = [record(number) for number in range(30)]
    index.add(random.sample(verifications, 30))
    newest_first = [each.id for each in reversed(verifications)]
    for find in (index.of_phone, index.of_reference):
        subject = flash().phone_hash if find == index.of_phone else "order-7"
        first = find(Mode.LIVE, subject, limit=20)
        rest = find(Mode.LIVE, subject, after=first[-1].place, limit=20)
        assert ids(first) + ids(rest) == newest_first


def test_a_key_finds_its_own_and_a_key_that_sees_all_finds_those_of_the_mode(index: Index) -> None:
    test = record(3, id="vrf_test_" + "0" * 26, mode=Mode.TEST)
    index.add([record(1), record(2, key_id=OTHER), test])
    assert of_phone(index) == of_reference(index) == [record(2).id, record(1).id]
    assert of_phone(index, key_id=SHOP) == of_reference(index, key_id=SHOP) == [record(1).id]
    assert ids(index.of_phone(Mode.TEST, test.phone_hash, limit=20)) == [test.id]


def test_what_has_no_reference_is_found_by_phone_alone(index: Index) -> None:
    index.add([record(reference=None)])
    assert (of_phone(index), of_reference(index, "None")) == ([record().id], [])


def test_entries_are_the_same_however_often_and_in_whatever_order_they_come(
    index: Index, dynamodb: MemoryDynamoDb
) -> None:
    batch = [record(number) for number in range(5)]
    index.add(batch)
    before = dict(dynamodb.tables[INDEX_TABLE])
    index.add([*reversed(batch), *batch])
    assert dynamodb.tables[INDEX_TABLE] == before
    index.remove([record(2)])
    assert len(before) - len(dynamodb.tables[INDEX_TABLE]) == 4  # by phone and by reference, of its key and of all
    assert record(2).id not in of_phone(index) + of_reference(index, key_id=SHOP)
    index.remove([record(2)])
    assert len(of_phone(index)) == 4


def test_nothing_of_a_phone_but_the_records_own_hash_is_at_rest(index: Index, dynamodb: MemoryDynamoDb) -> None:
    index.add([record()])
    for item in dynamodb.tables[INDEX_TABLE].values():
        assert item.keys() == {"pk", "sk", "ttl"}
        assert record().phone_mask not in str(item)


class PuttingOff:
    """A client that carries out one write of a batch at a time."""

    def __init__(self, client: MemoryDynamoDb) -> None:
        self._client, self.exceptions, self.asked = client, client.exceptions, 0

    def batch_write_item(self, *, RequestItems: Mapping[str, Any]) -> Any:  # noqa: N803
        self.asked += 1
        ((name, (first, *left)),) = RequestItems.items()
        self._client.batch_write_item(RequestItems={name: [first]})
        return {"UnprocessedItems": {name: left} if left else {}}


def test_what_dynamodb_puts_off_is_sent_again(dynamodb: MemoryDynamoDb) -> None:
    client: Any = PuttingOff(dynamodb)
    Index(client, INDEX_TABLE, sleep=lambda _: None).add([record(1), record(2)])
    assert (client.asked, len(dynamodb.tables[INDEX_TABLE])) == (8, 8)
    seconds = iter(range(0, 100, int(BUSY_SECONDS)))
    hurried = Index(client, INDEX_TABLE, sleep=lambda _: None, monotonic=lambda: next(seconds))
    with pytest.raises(Busy):
        hurried.add([record(3)])


@pytest.mark.parametrize("name", BUSY)
def test_a_busy_index_holds_no_event_up_and_is_written_later(
    dynamodb: MemoryDynamoDb, store: Store, index: Index, name: str
) -> None:
    published: list[Any] = []
    publisher = Publisher(
        store=store,
        bus=_Bus(published),
        bus_name="bus",
        enqueue=None,
        clock=lambda: NOW,
        note=lambda *_, **__: None,
        failed=lambda *_: None,
    )
    images = [serialized({"pk": f"verification#{each.id}", **attributes(each)}) for each in (record(1), record(2))]
    event = {"Records": [{"eventName": "INSERT", "dynamodb": {"NewImage": image}} for image in images]}
    failing: Any = Failing(dynamodb, BUSY[name])
    aside = list[str]()

    def publications(index: Index) -> Publications:
        def read(verification_id: str) -> Verification | None:
            return record(2) if verification_id == record(2).id else None  # the other one is erased by then

        return Publications(lambda: publisher, index, lambda _: None, read, Telemetry(), aside.append)

    publications(Index(failing, INDEX_TABLE, sleep=lambda _: None)).publish(event)
    assert len(published) == 2
    assert of_phone(index) == []
    assert [json.loads(message)["verification_id"] for message in aside] == [record(1).id, record(2).id]
    assert "hash" not in str(aside)
    for message in aside:
        publications(index).publish_again(message)
    assert of_phone(index) == [record(2).id]
    assert len(published) == 2


def test_what_was_used_and_could_not_be_counted_is_counted_later(index: Index) -> None:
    ended, busy, counted, aside = replace(record(1), status=Status.CANCELED), [True], list[str](), list[str]()

    def count(verifications: Sequence[Verification]) -> None:
        if busy and verifications:
            raise errors.busy()
        counted.extend(each.id for each in verifications)

    publisher: Any = mock.create_autospec(Publisher, instance=True)
    publisher.publish.return_value = {}
    publications = Publications(lambda: publisher, index, count, lambda _: ended, Telemetry(), aside.append)
    images = [serialized({"pk": f"verification#{each.id}", **attributes(each)}) for each in (record(1), ended)]
    publications.publish({"Records": [{"dynamodb": {"OldImage": images[0], "NewImage": images[1]}}]})
    assert (len(aside), counted) == (1, [])
    with pytest.raises(Busy):
        publications.publish_again(aside[0])
    busy.clear()
    publications.publish_again(aside[0])
    assert counted == [ended.id]


class _Bus:
    def __init__(self, published: list[Any]) -> None:
        self._published = published

    def put_events(self, *, Entries: Sequence[Any]) -> Any:  # noqa: N803 (AWS's own name)
        self._published += Entries
        return {"FailedEntryCount": 0, "Entries": [{} for _ in Entries]}
