"""A search costs the same among 10,000 verifications as among 100: one page is read, whatever else there is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from callverify.domain.verification import Change, Verification
from callverify.domain.words import Caller
from callverify.service.requests import MAX_FOUND
from callverify.service.search import Page
from tests.stack.engines.bench import NOW, PHONE, Bench
from tests.support.records import flash
from tests.support.service import LIVE

FEW, MANY, OF_THE_PHONE = 100, 10_000, 1_000
SUPPORT = replace(LIVE, key_id="support", all_keys=True)
SEARCHES: dict[str, dict[str, Any]] = {"phone": {"phone": PHONE}, "reference": {"reference": "campaign"}}


@dataclass
class Asked:
    requests: Counter[str] = field(default_factory=Counter)
    items: int = 0  # that were read
    units: float = 0.0


@contextmanager
def counted(client: Any) -> Iterator[Asked]:
    """What is asked of the engine meanwhile, in its own count of units."""
    asked = Asked()

    def ask(params: dict[str, Any], model: Any, **_: Any) -> None:
        if "ReturnConsumedCapacity" in model.input_shape.members:
            params["ReturnConsumedCapacity"] = "TOTAL"

    def count(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        asked.requests[model.name] += 1
        asked.items += parsed.get("ScannedCount", sum(map(len, parsed.get("Responses", {}).values())))
        consumed = parsed.get("ConsumedCapacity") or []
        asked.units += sum(each["CapacityUnits"] for each in (consumed if isinstance(consumed, list) else [consumed]))

    events: dict[str, Callable[..., None]] = {"before-parameter-build.dynamodb": ask, "after-call.dynamodb": count}
    for name, heard in events.items():
        client.meta.events.register(name, heard, unique_id=name)
    try:
        yield asked
    finally:
        for name, heard in events.items():
            client.meta.events.unregister(name, heard, unique_id=name)


def seed(bench: Bench, count: int, of_the_phone: int) -> None:
    """Verifications of one reference, some of one phone, by two keys in turn. The newest have records to be read."""
    records: list[Verification] = []
    for number in range(count):
        phone = PHONE if number % (count // of_the_phone) == 0 else f"+7901{number:07}"
        records.append(
            flash(
                id=f"vrf_{number:026}",
                key_id=("shop", "other")[number % 2] if phone != PHONE else "shop",
                phone_hash=bench.keys.hash_phone(phone),
                reference="campaign",
                created_at=NOW - count + number,
                ttl=NOW + 90_000,
            )
        )
    bench.index.add(records)
    of_phone = [each for each in records if each.phone_hash == bench.keys.hash_phone(PHONE)]
    for record in {each.id: each for each in records[-5 * MAX_FOUND :] + of_phone[-3 * MAX_FOUND :]}.values():
        bench.store.apply(Change(None, record), NOW)


def page(bench: Bench, caller: Caller, body: dict[str, Any]) -> tuple[Page, Asked]:
    bench.record_service.search(caller, json.dumps(body))  # the first of a day makes the item that counts them
    with counted(bench.client) as asked:
        found = bench.record_service.search(caller, json.dumps(body))
    return found, asked


def second(bench: Bench, caller: Caller, body: dict[str, Any]) -> tuple[Page, Asked]:
    first, _ = page(bench, caller, body)
    return page(bench, caller, body | {"after": first.next})


@pytest.fixture(scope="module")
def figures() -> dict[tuple[str, str, str], list[Asked]]:
    return {}


@pytest.mark.parametrize(("count", "of_the_phone"), [(FEW, FEW), (MANY, OF_THE_PHONE)])
def test_a_page_is_all_that_is_read(
    bench: Bench, figures: dict[tuple[str, str, str], list[Asked]], count: int, of_the_phone: int
) -> None:
    seed(bench, count, of_the_phone)
    takes: dict[str, Callable[[Bench, Caller, dict[str, Any]], tuple[Page, Asked]]] = {"first": page, "second": second}
    for which, take in takes.items():
        for by, body in SEARCHES.items():
            for caller in (LIVE, SUPPORT):
                found, asked = take(bench, caller, body)
                assert len(found.verifications) == MAX_FOUND
                figures.setdefault((which, by, caller.key_id), []).append(asked)
    newest = [each.created_at for each in page(bench, SUPPORT, SEARCHES["reference"])[0].verifications]
    assert newest == [NOW - 1 - age for age in range(MAX_FOUND)]
    if count == MANY:
        assert len(figures) == 8
        for name, (few, many) in figures.items():
            assert few == many, name
            assert few.requests["Query"] == few.requests["BatchGetItem"] == 1
            assert few.items <= MAX_FOUND + 1 + MAX_FOUND
            assert 0 < few.units < 2 * MAX_FOUND
