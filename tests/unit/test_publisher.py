"""Events: their numbers, the list of them, and what becomes of one that can't be published."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from callverify.domain.verification import Verification
from callverify.domain.words import DAY, Event, Mode
from callverify.edge import queues
from callverify.edge.queues import Publications
from callverify.events.publish import Publisher
from callverify.events.telemetry import Telemetry
from callverify.store import Index, Store
from tests.support.failing import refusal
from tests.support.records import NOW, flash
from tests.support.service import TABLE

COUNTER = {"pk": {"S": "events#live"}}


def made(*names: object) -> list[Event]:
    return [Event(f"evt_{name}", "verification.created", Mode.LIVE, json.dumps(name), f"vrf_{name}") for name in names]


def listed(store: Store, cursor: int = 0, now: int = NOW) -> list[Any]:
    return [json.loads(body) for _, body in store.events_after(Mode.LIVE, cursor, limit=100, now=now)[0]]


def sweep(client: Any, now: int, chance: float = 1) -> int:
    """What TTL deletes, in any order and sooner or later: items whose time is over."""
    over = [item for item in client.scan(TableName=TABLE)["Items"] if "ttl" in item and int(item["ttl"]["N"]) <= now]
    swept = [item for item in over if random.random() < chance]
    for item in swept:
        client.delete_item(TableName=TABLE, Key={"pk": item["pk"]})
    return len(swept)


def test_a_consumer_that_was_away_for_days_misses_nothing(store: Store, dynamodb: Any) -> None:
    store.number_events(Mode.LIVE, made(1, 2, 3, 4, 5), NOW)
    found, latest = store.events_after(Mode.LIVE, 0, limit=100, now=NOW)
    cursor = found[-1][0]
    assert (len(found), cursor) == (5, latest)
    later = NOW + 49 * 60 * 60
    assert sweep(dynamodb, later) == 10  # with the notes of their numbers
    assert store.events_after(Mode.LIVE, cursor, limit=100, now=later) == ([], latest)
    store.number_events(Mode.LIVE, made(6, 7, 8), later)
    assert listed(store, cursor, later) == [6, 7, 8]


def test_what_numbers_the_events_is_never_swept(store: Store, dynamodb: Any) -> None:
    item = {**COUNTER, "n": {"N": "5"}, "ttl": {"N": str(NOW + 2 * DAY)}}
    dynamodb.put_item(TableName=TABLE, Item=item)  # as version 1 left it
    store.number_events(Mode.LIVE, made(6), NOW)
    counter = dynamodb.get_item(TableName=TABLE, Key=COUNTER)["Item"]
    assert counter["n"]["N"] == "6"
    assert "ttl" not in counter


def test_no_number_is_given_twice_though_version_1_lost_its_counter(
    store: Store, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer's cursor from before lies before all that is numbered now."""
    for n in range(1, 1001):
        pk = {"S": f"event#live#{n}"}
        dynamodb.put_item(TableName=TABLE, Item={"pk": pk, "body": {"S": str(n)}, "ttl": {"N": str(NOW + (n > 990))}})
    asked = counted(dynamodb, monkeypatch)
    store.number_events(Mode.LIVE, made("a", "b", "c"), NOW)
    assert len(asked) == 1
    assert listed(store, 5) == ["a", "b", "c"]
    assert listed(store, 990)[:10] == list(range(991, 1001))


def test_a_number_that_is_taken_is_passed_over_at_once(
    store: Store, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever moved the counter back, such as a restored item."""
    store.number_events(Mode.LIVE, made(*range(60)), NOW)
    dynamodb.put_item(TableName=TABLE, Item={**COUNTER, "n": {"N": "7"}})
    for n in range(8, 60):
        dynamodb.put_item(TableName=TABLE, Item={"pk": {"S": f"event#live#{n}"}, "ttl": {"N": "0"}})
    asked = counted(dynamodb, monkeypatch)
    store.number_events(Mode.LIVE, made("a", "b", "c"), NOW + 1)
    assert len(asked) == 2
    assert listed(store, 7, NOW + 1)[-3:] == ["a", "b", "c"]


def counted(client: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The writes of the counter from now on."""
    asked: list[Any] = []
    write = client.update_item

    def note(**request: Any) -> Any:
        if request["Key"] == COUNTER:
            asked.append(request)
        return write(**request)

    monkeypatch.setattr(client, "update_item", note)
    return asked


@pytest.mark.parametrize("seed", range(3))
def test_no_kept_event_is_skipped_however_ttl_deletes_and_retention_changes(
    store: Store, dynamodb: Any, seed: int
) -> None:
    random.seed(seed)
    now, names = NOW, iter(range(1000))
    cursors: list[tuple[int, int]] = [(0, 0)]
    kept: list[tuple[int, int, int]] = []
    rounds = 0
    for _ in range(8):
        rounds += 1
        now += random.choice([0, 60, DAY // 2, 2 * DAY, 9 * DAY])
        changed = Store(dynamodb, TABLE, event_retention=random.choice([1, 24, 240]) * 3600)
        some = [next(names) for _ in range(random.randrange(5))]
        changed.number_events(Mode.LIVE, made(*some), now)
        ends = {
            item["pk"]["S"]: int(item["ttl"]["N"]) for item in dynamodb.scan(TableName=TABLE)["Items"] if "ttl" in item
        }
        _, latest = store.events_after(Mode.LIVE, 0, limit=1, now=now)
        kept += [(latest - len(some) + 1 + place, name, 0) for place, name in enumerate(some)]
        sweep(dynamodb, now, 0.5)
        for cursor, _ in cursors:
            wanted = [name for number, name, _ in kept if number > cursor and ends.get(f"event#live#{number}", 0) > now]
            assert listed(store, cursor, now) == wanted
        cursors.append((latest, now))
    assert rounds == 8


# Publishing


class FakeBus:
    """EventBridge. `refuses` says of a Detail whether its entry fails; `too_large`: how many are too many at once."""

    def __init__(self, refuses: Callable[[str], bool] = lambda _: False, too_large: int = 99) -> None:
        self.refuses, self.too_large = refuses, too_large
        self.details: list[str] = []
        self.fails: Exception | None = None

    def put_events(self, *, Entries: Sequence[Any]) -> Any:  # noqa: N803
        if self.fails:
            raise self.fails
        if len(Entries) >= self.too_large:
            raise refusal("ValidationException")
        details = [entry["Detail"] for entry in Entries]
        self.details += [detail for detail in details if not self.refuses(detail)]
        results = [{"ErrorCode": "MalformedDetail"} if self.refuses(detail) else {"EventId": "x"} for detail in details]
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}


class Field:
    def __init__(self, store: Store, **bus: Any) -> None:
        self.bus = FakeBus(**bus)
        self.queued: list[str] = []
        self.failed: list[str] = []
        self.refuse: Callable[[str], Exception | None] = lambda _: None
        self.refuses: Callable[[str], bool] = lambda _: False
        self.store = store
        self.publisher = Publisher(
            store=store,
            bus=self.bus,
            bus_name="bus",
            enqueue=self._enqueue,
            clock=lambda: NOW,
            note=lambda *_, **__: None,
            failed=lambda verification_id, _: self.failed.append(verification_id),
        )

    def _enqueue(self, bodies: Sequence[str]) -> set[int]:
        """As SQS: an entry of a batch is refused by itself (`refuses`), or the request as a whole (`refuse`)."""
        assert len(bodies) <= 10
        if errors := [error for body in bodies if (error := self.refuse(body))]:
            raise errors[0]
        refused = {place for place, body in enumerate(bodies) if self.refuses(body)}
        self.queued += [body for place, body in enumerate(bodies) if place not in refused]
        return refused

    def ids(self, bodies: Sequence[str]) -> list[str]:
        return [json.loads(body)["data"]["id"] for body in bodies]


CHANGES: list[tuple[Verification | None, Verification]] = [
    (None, flash(id=f"vrf_{number:026}", reference=f"№{number}")) for number in range(13)
]
POISON = CHANGES[4][1].id
OTHERS = [after.id for _, after in CHANGES if after.id != POISON]


def test_payloads_are_ascii(store: Store) -> None:
    field = Field(store)
    assert field.publisher.publish(CHANGES) == {}
    assert len(field.bus.details) == len(field.queued) == 13
    assert all(body.isascii() for body in [*field.bus.details, *field.queued])
    assert json.loads(field.queued[3])["data"]["reference"] == "№3"


@pytest.mark.parametrize("too_large", [99, 5])
def test_what_the_bus_refuses_delays_nothing_else(store: Store, too_large: int) -> None:
    field = Field(store, refuses=lambda detail: POISON in detail, too_large=too_large)
    assert field.publisher.publish(CHANGES) == {4: True}
    assert field.ids(field.bus.details) == OTHERS
    assert set(field.ids(field.queued)) == {*OTHERS, POISON}
    assert field.failed == [POISON]


@pytest.mark.parametrize("as_a_whole", [False, True])
def test_what_the_queue_refuses_delays_nothing_else(store: Store, as_a_whole: bool) -> None:
    field = Field(store)
    if as_a_whole:
        field.refuse = lambda body: refusal("InvalidMessageContents") if POISON in body else None
    else:
        field.refuses = lambda body: POISON in body
    assert field.publisher.publish(CHANGES) == {4: True}
    assert field.ids(field.queued) == OTHERS
    assert field.failed == [POISON]
    field.refuse, field.refuses = lambda _: None, lambda _: False
    assert field.publisher.publish(CHANGES[4:5], numbered=True) == {}
    found, _ = store.events_after(Mode.LIVE, 0, limit=100, now=NOW)
    assert [json.loads(body)["data"]["id"] for _, body in found] == [after.id for _, after in CHANGES]


def refuse_poison(client: Any, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """As DynamoDB refuses an item over 400 KB."""
    put = client.put_item

    def refuse(**request: Any) -> Any:
        if POISON in request["Item"].get("body", {}).get("S", ""):
            raise refusal(code)
        return put(**request)

    monkeypatch.setattr(client, "put_item", refuse)


def test_what_the_table_refuses_delays_nothing_else(
    store: Store, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_poison(dynamodb, monkeypatch, "ValidationException")
    field = Field(store)
    assert field.publisher.publish(CHANGES) == {4: False}
    assert field.ids(field.bus.details) == field.ids(field.queued) == OTHERS
    assert field.failed == [POISON]
    assert [event["data"]["id"] for event in listed(store)] == OTHERS
    monkeypatch.undo()
    assert field.publisher.publish(CHANGES[4:5]) == {}
    assert [event["data"]["id"] for event in listed(store)] == [*OTHERS, POISON]


def test_what_is_no_events_fault_is_raised(store: Store, dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_poison(dynamodb, monkeypatch, "AccessDeniedException")
    with pytest.raises(ClientError):
        Field(store).publisher.publish(CHANGES)


def test_what_waits_to_be_published_again_keeps_its_number(
    store: Store, index: Index, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    field, aside = Field(store, refuses=lambda _: True), list[str]()
    publications = Publications(
        lambda: field.publisher, index, lambda _: None, lambda _: None, Telemetry(), aside.append
    )
    monkeypatch.setattr(queues, "change", lambda record: CHANGES[record["place"]])
    publications.publish({"Records": [{"place": 0}, {"place": 1}]})
    assert [json.loads(message)["numbered"] for message in aside] == [True, True]
    assert len(listed(store)) == 2
    field.bus.refuses = lambda _: False
    other = Field(Store(dynamodb, TABLE))  # another container, hours later
    other.publisher.publish(CHANGES[2:3])
    again = Publications(lambda: other.publisher, index, lambda _: None, lambda _: None, Telemetry(), aside.append)
    for message in aside:
        again.publish_again(message)
    assert len(listed(store)) == 3
    assert len(other.bus.details) == 3


@pytest.mark.parametrize(
    "failure",
    [EndpointConnectionError(endpoint_url="x"), refusal("ThrottlingException"), refusal("InternalFailure", 500)],
)
def test_a_bus_or_queue_that_is_down_is_no_events_fault(store: Store, failure: Exception) -> None:
    field = Field(store)
    field.bus.fails = failure
    with pytest.raises(type(failure)):
        field.publisher.publish(CHANGES)
    field.bus.fails = None
    field.refuse = lambda _: failure
    with pytest.raises(type(failure)):
        field.publisher.publish(CHANGES)
    field.refuse = lambda _: None
    assert field.publisher.publish(CHANGES) == {}
    assert field.failed == []
    found, _ = store.events_after(Mode.LIVE, 0, limit=100, now=NOW)
    assert len(found) == 13
