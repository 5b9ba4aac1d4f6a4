"""The list of events, while publishers race, die between two writes and come again: no reader passes one by."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from callverify.domain.words import Event, Mode
from callverify.store import Store
from callverify.store.events import CLOSE_AFTER
from callverify.store.numbers import KEEP
from tests.support.dynamodb import MemoryDynamoDb
from tests.support.records import NOW
from tests.support.rows import row
from tests.support.service import TABLE

LIVE = Mode.LIVE


def event(name: str) -> Event:
    return Event(f"evt_{name}", "verification.created", LIVE, json.dumps(name), f"vrf_{name}")


class Stop(BaseException):
    """The process has had all its turns for now."""


class Client:
    """A client for one process. Each request after `allowed` stops it; those before are answered from memory."""

    def __init__(self, rows_: MemoryDynamoDb) -> None:
        self.exceptions = rows_.exceptions
        self._rows = rows_
        self._answers: list[tuple[bool, Any]] = []
        self._at = 0
        self.allowed = 0

    def again(self, allowed: int) -> None:
        self._at, self.allowed = 0, allowed

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._rows, name)

        def send(**request: Any) -> Any:
            if self._at == len(self._answers):
                if self._at == self.allowed:
                    raise Stop
                try:
                    self._answers.append((True, operation(**request)))
                except self.exceptions.ConditionalCheckFailedException as failed:
                    self._answers.append((False, failed))
            fine, answer = self._answers[self._at]
            self._at += 1
            if not fine:
                raise answer
            return answer

        return send


class Process:
    """What a function does, one request to DynamoDB after the other.

    Each step runs it again from its start, with the answers that it has had.
    """

    def __init__(self, table: MemoryDynamoDb, act: Callable[[Store], Any]) -> None:
        self._client = Client(table)
        self._act = act
        self._turns = 0
        self.result: Any = None
        self.done = False

    def step(self) -> None:
        self._turns += 1
        self._client.again(self._turns)
        with contextlib.suppress(Stop):
            self.result = self._act(store_of(self._client))
            self.done = True

    def finish(self) -> None:
        while not self.done:
            self.step()


def store_of(client: Any) -> Store:
    return Store(client, TABLE, sleep=lambda _: None)


def publishing(*names: str, now: int = NOW) -> Callable[[Store], Any]:
    return lambda store: store.number_events(LIVE, [event(name) for name in names], now)


def reading(store: Store, cursor: int = 0, now: int = NOW) -> tuple[list[str], int]:
    found, latest = store.events_after(LIVE, cursor, limit=100, now=now)
    return [json.loads(body) for _, body in found], found[-1][0] if found else latest


def orders(**turns: int) -> Iterator[str]:
    """Every order in which so many turns of each can come."""
    if not any(turns.values()):
        yield ""
    for name, left in turns.items():
        if left:
            yield from (name + rest for rest in orders(**{**turns, name: left - 1}))


@pytest.fixture(params=[True, False], ids=["the first events", "later ones"])
def tables(request: pytest.FixtureRequest) -> Callable[[], MemoryDynamoDb]:
    def new() -> MemoryDynamoDb:
        table = MemoryDynamoDb()
        table.create_table(TableName=TABLE)
        if not request.param:
            store_of(table).number_events(LIVE, [event("old")], NOW)
        return table

    return new


Tables = Callable[[], MemoryDynamoDb]


def play(table: MemoryDynamoDb, order: str, **processes: Callable[[Store], Any]) -> dict[str, Process]:
    running = {name: Process(table, act) for name, act in processes.items()}
    for name in order:
        if not running[name].done:
            running[name].step()
    return running


def judge(table: MemoryDynamoDb, read: tuple[list[str], int], *names: str, now: int = NOW) -> None:
    """What a reader had, and what it gets from its cursor on, is everything, once and in order."""
    first, cursor = read
    rest, latest = reading(store_of(table), cursor, now)
    told = [name for name in [*first, *rest] if name != "old"]
    assert sorted(told) == sorted(names), (first, rest)
    for mine in (["a1", "a2"], ["b1", "b2"]):
        assert [name for name in told if name in mine] == [name for name in mine if name in names]
    assert reading(store_of(table), latest, now)[0] == []


def test_every_interleaving_of_two_publishers_and_a_reader(tables: Tables) -> None:
    count = 0
    for order in orders(A=5, B=3, R=1):
        table = tables()
        running = play(table, order, A=publishing("a1", "a2"), B=publishing("b1"), R=reading)
        for each in running.values():
            each.finish()
        judge(table, running["R"].result, "a1", "a2", "b1")
        count += 1
    assert count == 504


def test_one_batch_at_two_publishers_has_its_numbers_once(tables: Tables) -> None:
    for order in orders(A=5, B=3, R=1):
        table = tables()
        running = play(table, order, A=publishing("a1", "a2"), B=publishing("a1", "a2"), R=reading)
        for each in running.values():
            each.finish()
        judge(table, running["R"].result, "a1", "a2")


AGAIN = {
    "the same batch": [("a1", "a2")],
    "in halves": [("a1",), ("a2",)],
    "a longer batch": [("a1", "a2", "later")],
}


@pytest.mark.parametrize("batches", AGAIN.values(), ids=AGAIN)
@pytest.mark.parametrize("lived", range(6))
def test_a_publisher_that_died_comes_again(tables: Tables, lived: int, batches: list[tuple[str, ...]]) -> None:
    """lived: how many requests it made. Meanwhile another one publishes, and a reader reads."""
    for order in orders(B=1, C=5, R=1):
        table = tables()
        play(table, "A" * lived, A=publishing("a1", "a2"))

        def again(store: Store) -> None:
            for batch in batches:
                publishing(*batch)(store)

        running = play(table, order, B=publishing("b1"), C=again, R=reading)
        for each in running.values():
            each.finish()
        judge(table, running["R"].result, "b1", *{name for batch in [("a1", "a2"), *batches] for name in batch})


@pytest.mark.parametrize("lived", [1, 3])
def test_what_a_dead_publisher_left_is_closed_by_another_and_stops_nobody(tables: Tables, lived: int) -> None:
    table = tables()
    play(table, "A" * lived, A=publishing("a1", "a2"))
    store = store_of(table)
    publishing("b1")(store)
    told = ["a1"] if lived == 3 else []
    first, cursor = reading(store, 0, NOW)
    assert [name for name in first if name != "old"] == told
    later = NOW + CLOSE_AFTER
    publishing("b2", now=later - 1)(store)
    assert reading(store, cursor, later) == ([], cursor)
    publishing("c", now=later)(store)
    assert reading(store, cursor, later)[0] == ["b1", "b2", "c"]
    # It comes after all: what has no number has a new one.
    publishing("a1", "a2", now=later)(store_of(table))
    judge(table, (first, cursor), "a1", "a2", "b1", "b2", "c", now=later) if lived == 3 else None
    assert sorted(reading(store, 0, later)[0])[:2] == ["a1", "a2"]


def test_a_batch_that_fails_at_its_receivers_keeps_its_numbers_however_often_it_comes(tables: Tables) -> None:
    table = tables()
    for turn in range(20):
        now = NOW + turn * 45
        publishing("a1", "a2", now=now)(store_of(table))
        publishing(f"other {turn}", now=now)(store_of(table))
    assert KEEP > 19 * 45 > CLOSE_AFTER
    told = reading(store_of(table))[0]
    assert (told.count("a1"), told.count("a2")) == (1, 1)


def test_the_counter_stays_small(tables: Tables) -> None:
    """A write of it costs a unit for each KB that is begun."""
    table, counter = tables(), dict[str, Any]()
    for turn in range(100):
        if turn % 10 == 0:
            store = store_of(table)  # a new container: what the one before knew of its last batch is lost
        publishing(f"{turn}", f"{turn} too", now=NOW + 30 * turn)(store)
        store.published()
        counter = row(table, f"events#{LIVE}") or {}
        assert 0 < sum(len(name) + len(str(value)) for name, value in counter.items()) < 500
    assert sum("f_" in name for name in counter) <= 3


def test_an_event_costs_two_writes_and_a_batch_one_of_the_counter(tables: Tables) -> None:
    table = tables()
    asked: list[str] = []

    class Counting(Client):
        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            return super().__getattr__(name)

    client = Counting(table)
    client.again(100)
    store = store_of(client)
    for names in (["a1"], ["b1", "b2"], ["c"]):
        asked.clear()
        publishing(*names)(store)
        store.published()
        assert asked == ["update_item", *["update_item", "put_item"] * len(names)]


@pytest.mark.parametrize("seed", range(10))
def test_any_history_of_publishers_and_readers(seed: int) -> None:
    """Batches of shards in order, deaths at any request, halves, and readers with their cursors, at any time."""
    chance = random.Random(seed)
    table = MemoryDynamoDb()
    table.create_table(TableName=TABLE)
    now, numbers = NOW, itertools.count()
    shards: list[list[tuple[str, ...]]] = [
        [tuple(f"{shard}-{next(numbers)}" for _ in range(chance.randint(1, 4))) for _ in range(6)] for shard in "ab"
    ]
    names = {name for shard in shards for batch in shard for name in batch}
    readers: list[tuple[list[str], int]] = [([], 0) for _ in range(3)]
    running: list[Process | None] = [None, None]
    begun = [now, now]
    while any(shards) or any(running):
        now += chance.choice([0] * 20 + [1, 5, 130])
        for place, shard in enumerate(shards):
            process = running[place]
            if process is None and shard:
                running[place], begun[place] = Process(table, publishing(*shard[0], now=now)), now
            elif process and (chance.random() < 0.06 or now - begun[place] >= CLOSE_AFTER):
                running[place] = None  # it dies, and its batch comes again, or two halves of it
                if len(shard[0]) > 1 and chance.random() < 0.3:
                    shard[:1] = [shard[0][:1], shard[0][1:]]
            elif process and chance.random() < 0.7:
                process.step()
                if process.done:
                    running[place] = None
                    del shard[0]
        reader = chance.randrange(3)
        told, cursor = readers[reader]
        more, cursor = reading(store_of(table), cursor, now)
        readers[reader] = [*told, *more], cursor
    # What a batch left that came again in halves, others close.
    now, last = now + CLOSE_AFTER, store_of(table)
    for turn in range(10):
        publishing(f"c-{turn}", now=now)(last)
        names.add(f"c-{turn}")
    for told, cursor in readers:
        more, _ = reading(store_of(table), cursor, now)
        found = [*told, *more]
        assert names == set(found)
        for letter in "ab":
            mine = [name for name in dict.fromkeys(found) if name.startswith(letter)]
            assert mine == sorted(mine, key=lambda name: int(name[2:]))
