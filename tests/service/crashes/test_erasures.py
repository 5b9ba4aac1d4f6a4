"""Erasures beside everything else: nothing of the phone is left but what protects it, and no event is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

import pytest

from callverify.domain import errors
from callverify.domain.words import Caller, CallerKind, Mode, Scope
from callverify.edge.queues import Publications
from callverify.events.publish import Publisher
from callverify.events.telemetry import Telemetry
from callverify.service.follow_up import FollowUp
from callverify.service.policy import Policy
from callverify.service.webhooks import Request
from callverify.store import Store
from tests.support.dynamodb import MemoryDynamoDb
from tests.support.points import Crash, CrashingClient, Plan, Points, crash
from tests.support.routes import OUR_CODE, READ_BACK
from tests.support.service import BASE_URL, INDEX_TABLE, LIVE, TABLE, TEST, Parts

PHONE = "+79000000021"
POLICY = Policy(phone_10m=90, phone_day=90, phone_cooldown=0)
# What may hold the phone's hash once all else of it is erased.
PROTECT = {"limit", "guesses", "vendor_guesses", "hold", "idempotency", "signed_call", "call", "used"}


class Bus:
    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def put_events(self, *, Entries: Any) -> Any:  # noqa: N803
        self.told += [json.loads(entry["Detail"]) for entry in Entries]
        return {"FailedEntryCount": 0, "Entries": [{} for _ in Entries]}


class World(Parts):
    """The service, and the stream of its table, which `publish` brings to the publisher."""

    def __init__(self) -> None:
        self.rows, self.points, self.bus = MemoryDynamoDb(), Points(), Bus()
        for name in (TABLE, INDEX_TABLE):
            self.rows.create_table(TableName=name)
        self.stream: list[dict[str, Any]] = []
        self.aside: list[str] = []
        super().__init__(client=CrashingClient(self.rows, self.points), policy=POLICY, points=self.points)
        self.rows.on_change = self._hear
        self.queue: list[str] = []

    def _hear(self, before: Any, after: Any) -> None:
        pk = (after or before)["pk"]["S"]
        if pk.startswith("verification#"):
            images = {name: image for name, image in (("OldImage", before), ("NewImage", after)) if image}
            self.stream.append({"dynamodb": {"Keys": {"pk": {"S": pk}}, **images}})

    def _enqueue(self, bodies: Sequence[str]) -> tuple[int, ...]:
        self.queue += bodies
        return ()

    def publications(self) -> Publications:
        publisher = Publisher(
            store=Store(cast("Any", self.client), TABLE, sleep=lambda _: None, monotonic=self.clock),
            bus=self.bus,
            bus_name="bus",
            enqueue=self._enqueue,
            clock=self.clock,
            note=lambda *_, **__: None,
            failed=lambda *_: None,
        )
        return Publications(
            lambda: publisher,
            self.index,
            lambda _: None,
            lambda id: self.store.get(id, int(self.now)),  # noqa: A006
            Telemetry("t", "INFO"),
            self.aside.append,
        )

    def publish(self, count: int | None = None, at: Plan | None = None) -> None:
        """The next records of the stream, and again where the publisher died."""
        batch = self.stream[:count]
        with self.points.process(at or {}):
            try:
                self.publications().publish({"Records": batch})
            except Crash:
                self.publications().publish({"Records": batch})
        del self.stream[: len(batch)]

    def start(self, key: str | None = None, **fields: object) -> str:
        body = json.dumps({"phone": PHONE, "reference": "person-17", "metadata": {"who": "Ann of 17"}, **fields})
        started = self.service.start(LIVE, body, idempotency_key=key, base_url=BASE_URL)
        return started.verification.id

    def verified(self) -> str:
        id = self.start("k", method="flash_call", provider=OUR_CODE.provider)  # noqa: A001
        code = self.vendor(OUR_CODE.provider).last_code(PHONE)
        self.service.check(LIVE, id, json.dumps({"code": code}))
        return id

    def listed(self) -> list[dict[str, Any]]:
        found, _ = self.store.events_after(Mode.LIVE, 0, limit=10_000, now=int(self.now))
        return [json.loads(body) for _, body in found]

    def assert_nothing_is_left(self, *ids: str) -> None:
        told = json.dumps(self.listed())
        phone_hash = self.keys.hash_phone(PHONE)
        for table, rows in self.rows.tables.items():
            for pk, item in rows.items():
                text = f"{pk} {json.dumps(item)}"
                assert "person-17" not in text, (table, pk)
                assert "Ann of 17" not in text, (table, pk)
                assert "******" not in text, (table, pk)
                assert phone_hash not in text or pk.partition("#")[0] in PROTECT, (table, pk)
        for secret in ("person-17", "Ann of 17", "******"):
            assert secret not in told
        assert all(any(each["data"]["id"] == id for each in self.listed()) for id in ids)  # noqa: A001


@pytest.fixture
def world() -> World:
    return World()


def kinds(events: list[dict[str, Any]]) -> set[str]:
    return {each["type"].partition(".")[2] for each in events}


def test_an_erasure_leaves_nothing_but_what_protects(world: World) -> None:
    id = world.verified()  # noqa: A001
    world.publish()
    assert len(world.rows.tables[INDEX_TABLE]) == 4
    world.record_service.erase(LIVE, id)
    with pytest.raises(errors.NotFound):
        world.service.read(LIVE, id)
    world.publish()
    world.assert_nothing_is_left(id)
    assert world.rows.tables[INDEX_TABLE] == {}
    assert kinds(world.listed()) == {"created", "started", "verified", "erased"}
    *others, erased = world.listed()
    assert (erased["type"], erased["data"]) == ("verification.erased", {"id": id, "erased_by": LIVE.key_id})
    assert [each["data"] for each in others] == [{"id": id}] * 3
    assert all(each.keys() == erased.keys() for each in others)
    with pytest.raises(errors.NotFound):
        world.record_service.erase(LIVE, id)


def test_a_live_one_is_refused_by_its_id_and_canceled_by_its_phone(world: World) -> None:
    id = world.start(method="flash_call", provider=OUR_CODE.provider)  # noqa: A001
    with pytest.raises(errors.VerificationPending):
        world.record_service.erase(LIVE, id)
    assert world.record_service.erase_phone(LIVE, json.dumps({"phone": PHONE})) == {"erased": 1, "done": False}
    world.publish()
    assert kinds(world.listed()) == {"created", "started", "canceled", "erased"}
    world.assert_nothing_is_left(id)


def test_one_whose_end_nobody_wrote_expires_first(world: World) -> None:
    id = world.start(method="flash_call", provider=OUR_CODE.provider)  # noqa: A001
    world.now += 900
    world.record_service.erase(LIVE, id)
    world.publish()
    assert kinds(world.listed()) == {"created", "started", "expired", "erased"}
    world.assert_nothing_is_left(id)


def test_all_of_a_phone_goes_and_then_it_is_done(world: World) -> None:
    ids = []
    for _ in range(60):
        ids.append(world.start(method="reverse_call", provider=READ_BACK.provider))
        world.service.cancel(LIVE, ids[-1], None)
        world.now += 601
        world.publish()
    erased, answers = 0, 0
    while True:
        answer = world.record_service.erase_phone(LIVE, json.dumps({"phone": PHONE}))
        erased, answers = erased + int(str(answer["erased"])), answers + 1
        if answer["done"]:
            break
        world.publish()
        world.now += 1
    assert (erased, answers) == (60, 3)
    world.assert_nothing_is_left(*ids)


def test_in_test_mode_too_it_is_not_done_before_the_index_knows_the_last_start(world: World) -> None:
    body = json.dumps({"phone": "+79000000101"})
    world.service.start(TEST, body, idempotency_key=None, base_url=BASE_URL)
    assert world.record_service.erase_phone(TEST, body) == {"erased": 0, "done": False}
    world.publish()
    assert world.record_service.erase_phone(TEST, body) == {"erased": 1, "done": False}
    world.publish()
    world.now += 16
    assert world.record_service.erase_phone(TEST, body) == {"erased": 0, "done": True}


def test_guesses_stay(world: World) -> None:
    for wrong in (5, 4):
        id = world.start(method="flash_call", provider=OUR_CODE.provider)  # noqa: A001
        for _ in range(wrong):
            world.service.check(LIVE, id, json.dumps({"code": "0000"}))
        world.now += 60
        world.record_service.erase_phone(LIVE, json.dumps({"phone": PHONE}))
        world.publish()
    world.assert_nothing_is_left()
    with pytest.raises(errors.RateLimited) as refused:
        world.start(method="flash_call", provider=OUR_CODE.provider)
    assert refused.value.limit == "phone_guesses"


def test_an_idempotency_key_starts_nothing_anew(world: World) -> None:
    id = world.verified()  # noqa: A001
    world.record_service.erase(LIVE, id)
    asked = world.vendor(OUR_CODE.provider).asked
    with pytest.raises(errors.NotFound):
        world.start("k", method="flash_call", provider=OUR_CODE.provider)
    assert world.vendor(OUR_CODE.provider).asked == asked


def test_what_comes_late_ends_quietly(world: World) -> None:
    id = world.start(method="reverse_call", provider=READ_BACK.provider)  # noqa: A001
    world.service.cancel(LIVE, id, None)
    world.record_service.erase(LIVE, id)
    world.publish()
    assert world.service.follow_up(FollowUp(id, 1)) is None
    assert world.service.follow_up(FollowUp(id, 1, (1,))) is None
    assert world.store.has_erased_events(id)


class Once:
    """Does something to a world at a point, and says whether the point was reached."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act, self.came = act, False

    def __call__(self) -> None:
        self.came = True
        self.act()


@pytest.mark.parametrize("what", ["a report", "a question"])
def test_an_erasure_comes_at_any_point_of_what_a_provider_is_told_and_asked(what: str) -> None:
    """The provider hears that its report was taken, and the question is not asked again."""
    for point in range(1000):
        world = World()
        id = world.start(method="reverse_call", provider=READ_BACK.provider)  # noqa: A001
        call_id, awaited = next(iter(world.vendor(READ_BACK.provider).awaited.items()))
        awaited.dialed = True
        heard = {"phone": (PHONE,), "said": (call_id,)}
        report = Request(READ_BACK.provider, (awaited.webhook_url or "").split("/")[-2:], lambda h=heard: h)  # type: ignore[misc]
        erasure = Once(partial(world.record_service.erase_phone, LIVE, json.dumps({"phone": PHONE})))
        with world.points.process({point: erasure}):
            if what == "a report":
                world.service.report(report)
            else:
                world.service.follow_up(FollowUp(id, 1, (int(world.now),)))
        if not erasure.came:
            break
    assert point > 3


def test_a_call_that_an_erasure_overtook_is_counted_as_paid() -> None:
    for point in range(1000):
        world = World()
        erasure = Once(partial(world.record_service.erase_phone, LIVE, json.dumps({"phone": PHONE})))
        with world.points.process({point: erasure}), suppress(errors.NotFound):
            world.start(method="flash_call", provider=OUR_CODE.provider)
        counted = [each for each, _ in world.observer.counts if each == "PaidCalls"]
        assert len(counted) == len(world.vendor(OUR_CODE.provider).paid), point
        if not erasure.came:
            break
    assert point > 3


def test_the_request_comes_at_any_point_of_publishing() -> None:
    for point in range(1000):
        world = World()
        id = world.verified()  # noqa: A001
        request = Once(partial(world.record_service.erase, LIVE, id))
        world.publish(len(world.stream), at={point: request})
        if not request.came:
            break
        world.publish()
        world.assert_nothing_is_left(id)
        assert kinds(world.listed()) == {"created", "started", "verified", "erased"}
    assert point > 10


def test_the_publisher_dies_at_any_point_of_an_erasure() -> None:
    for point in range(1000):
        world = World()
        id = world.verified()  # noqa: A001
        world.publish()
        world.record_service.erase(LIVE, id)
        death = Once(crash)
        world.publish(at={point: death})
        world.assert_nothing_is_left(id)
        assert world.rows.tables[INDEX_TABLE] == {}
        if not death.came:
            break
    assert point > 10


def test_an_erasure_comes_at_any_point_of_an_event_that_is_published_again() -> None:
    """One that the bus had refused, from a queue: the only one that the erasure's own record can overtake."""
    for point in range(1000):
        world = World()
        id = world.verified()  # noqa: A001
        aside = world.stream.pop(1)  # `started`
        world.publish()

        def erase(world: World = world, id: str = id) -> None:  # noqa: A002
            world.record_service.erase(LIVE, id)
            world.publish()

        erasure = Once(erase)
        with world.points.process({point: erasure}):
            world.publications().publish_again(json.dumps(aside))
        if not erasure.came:
            break
        world.assert_nothing_is_left(id)
        assert kinds(world.listed()) == {"created", "started", "verified", "erased"}
    assert point > 3


def test_an_erasure_comes_at_any_point_of_an_entry_that_is_made_again() -> None:
    """One that the index could not take at first."""
    for point in range(1000):
        world = World()
        id = world.verified()  # noqa: A001
        world.publish()

        def erase(world: World = world, id: str = id) -> None:  # noqa: A002
            world.record_service.erase(LIVE, id)
            world.publish()

        erasure = Once(erase)
        with world.points.process({point: erasure}):
            world.publications().publish_again(json.dumps({"book": "index", "verification_id": id}))
        if not erasure.came:
            break
        world.assert_nothing_is_left(id)
        assert world.rows.tables[INDEX_TABLE] == {}
    assert point > 3


def test_a_key_without_the_scope_learns_nothing(world: World) -> None:
    others = frozenset(Scope) - {Scope.ERASE}
    service = world.record_service
    for caller in (
        Caller(CallerKind.API_KEY, key_id="k", scopes=others),
        Caller(CallerKind.CLIENT_TOKEN, verification_id="vrf_x"),
    ):
        for body in (PHONE, "x"):
            with pytest.raises(errors.Forbidden):
                service.erase_phone(caller, json.dumps({"phone": body}))
        with pytest.raises(errors.Forbidden):
            service.erase(caller, "vrf_x")
