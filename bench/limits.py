"""`make limits`: so many starts a second, through the service's own code, within DynamoDB's limits, in virtual time.

The limits are those that AWS publishes, in bench/capacity.py; what is not published is assumed there. Each start and
each end of a verification runs in a container of its own, beside all others; the stream publishes what they change.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import sys
import time
import zlib
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from attacks.world import browser
from bench import marked
from bench.capacity import NEW_TABLE_PARTITIONS, LimitedDynamoDb, kind
from bench.field import choice, publisher
from bench.kinds import KINDS, NOT_ANSWERED, UNANSWERED
from bench.scale import AWS_CALL_MS, DOCUMENT, VENDOR_MS, mix
from bench.virtual import Schedule
from callverify.domain.errors import CallverifyError
from callverify.domain.verification import Verification
from callverify.domain.words import CallOrder, CallOutcome, Deadline, Outcome
from callverify.providers.base import Manifest
from callverify.service.lane import Silence
from callverify.service.policy import Policy
from callverify.service.service import Service
from callverify.service.webhooks import Request
from callverify.store import Store
from callverify.store.items import deserialized, verification_of
from tests.support.service import BASE_URL, LIVE, TABLE, Parts
from tests.support.vendors import FakeVendor

RATES = (10, 150, 1_000, 3_000)
TABLES = ("warmed", "new")
SECONDS = 10  # of starts
USER_SECONDS = 3  # from the answer to the call, or to the code: in truth some more, and the same load
NOON = 1_800_000_000 - 1_800_000_000 % 86_400 + 12 * 3600 + 1234
CONTAINERS = 4_000  # at once: the account's concurrency, raised
STREAM_BATCH, STREAM_MS = 25, 200  # changes of a shard that are published at once; how late the stream shows them
PHONES_A_BLOCK = 10_000


class Vendor(FakeVendor):
    """Takes its time to answer."""

    def __init__(self, manifest: Manifest, world: World) -> None:
        super().__init__(manifest, world)
        self._schedule = world.schedule
        self._calls: dict[str, str] = {}

    def start(self, order: CallOrder, deadline: Deadline) -> CallOutcome:
        self._schedule.wait(VENDOR_MS / 1000)
        outcome = super().start(order, deadline)
        if outcome.outcome is Outcome.STARTED and not self.route(order.method).code:
            self._calls[order.phone.e164] = next(reversed(self.awaited))
        return outcome

    def report(self, phone: str) -> Sequence[tuple[Sequence[str], dict[str, tuple[str, ...]]]]:
        """The phone calls: the path and the parameters of the reports that follow."""
        call_id = self._calls.pop(phone)
        awaited = self.awaited[call_id]
        awaited.dialed = True
        return self._reports(call_id, awaited)


@dataclass
class Seen:
    """started: seconds that each start took beyond its vendor. refused: starts and ends that failed, by why.

    published: seconds from each change to its event.
    """

    offered: int = 0
    started: list[float] = field(default_factory=list)
    ended: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    published: list[float] = field(default_factory=list)


class World(Parts):
    """The service on a limited table. partitions: see LimitedDynamoDb."""

    def __init__(self, rate: int, partitions: int | None, seed: int) -> None:
        self.schedule = Schedule(NOON)
        self.limited = LimitedDynamoDb(self.schedule, partitions, seed)
        self.limited.create_table(TableName=TABLE)
        # As an operator has to set them for such a rate.
        hour = rate * 3600
        policy = Policy(key_paid_day=24 * hour, stack_paid_hour=hour, key_free_hour=hour, country_paid_hour=hour)
        super().__init__(policy=policy, client=self.limited, store=self.new_store())
        self.observer = Silence()  # type: ignore[assignment]
        self.callers = {manifest.name: Vendor(manifest, self) for manifest in self.manifests}
        self.vendors = list(self.callers.values())
        self._containers: list[Service] = []
        self.busy = 0

    def new_store(self) -> Store:
        """Of a container: what one remembers, another doesn't know."""
        return Store(self.limited, TABLE, sleep=self.schedule.wait, monotonic=self.schedule.clock)  # type: ignore[arg-type]

    @property
    def now(self) -> float:
        return self.schedule.now

    @now.setter
    def now(self, _: float) -> None:
        """Only waiting moves it."""

    def take_container(self) -> Service | None:
        """The one that was used last, or a new one; None where the account has no more."""
        if self.busy >= CONTAINERS:
            return None
        self.busy += 1
        if not self._containers:
            self.store = self.new_store()
            self._containers.append(self.new_service())
        return self._containers.pop()

    def return_container(self, service: Service) -> None:
        self.busy -= 1
        self._containers.append(service)


class Stream:
    """DynamoDB's stream and the function that publishes from it: for each shard one batch after the other."""

    def __init__(self, world: World, seen: Seen, shards: int) -> None:
        self._world, self._seen = world, seen
        self._shards = [deque[tuple[float, Any, Any]]() for _ in range(shards)]
        self._at_work = [False] * shards
        self._publishers = [
            publisher(world.new_store(), world.clock, lambda *_, **__: None, lambda *_: None) for _ in range(shards)
        ]
        world.limited.table.on_change = self._changed

    def _changed(self, before: Any, after: Any) -> None:
        item = after or before
        pk = item["pk"]["S"]
        if kind(pk) != "verification":
            return
        shard = zlib.crc32(pk.encode()) % len(self._shards)
        self._shards[shard].append((self._world.now, before, after))
        if not self._at_work[shard]:
            self._at_work[shard] = True
            self._world.schedule.at(self._world.now + STREAM_MS / 1000, lambda: self._publish(shard))

    def _publish(self, shard: int) -> None:
        waiting = self._shards[shard]
        while waiting:
            batch = [waiting[place] for place in range(min(STREAM_BATCH, len(waiting)))]
            images = [(_record(before), _record(after)) for _, before, after in batch]
            self._world.schedule.wait(AWS_CALL_MS / 1000)
            try:
                self._publishers[shard].publish(images)
            except CallverifyError as error:  # all of it again, as Lambda does
                self._seen.refused[f"events: {error.code}"] += 1
                continue
            for at, _, _ in batch:
                waiting.popleft()
                self._seen.published.append(self._world.now - at)
        self._at_work[shard] = False


def _record(image: Any) -> Verification | None:
    return verification_of(deserialized(image)) if image else None


class Traffic:
    """Starts at a rate, and the ends of those that were started."""

    def __init__(self, world: World, seen: Seen, rate: int, seed: int) -> None:
        self._world, self._seen = world, seen
        self._chance = random.Random(seed)
        shares = mix([*KINDS, NOT_ANSWERED])
        self._kinds, self._weights = list(shares), list(shares.values())
        self._numbers = itertools.count()
        at = NOON + 1.0
        while at < NOON + 1 + SECONDS:
            world.schedule.at(at, self._begin)
            at += self._chance.expovariate(rate)

    def _begin(self) -> None:
        self._seen.offered += 1
        name = self._chance.choices(self._kinds, self._weights)[0]
        number = next(self._numbers)
        phone = f"+7900{number % 1000:03}{number // 1000 % PHONES_A_BLOCK:04}"
        manifest, route = KINDS.get(name, UNANSWERED)
        address = f"2001:{0xDB8 + (number >> 16):x}:{number & 0xFFFF:x}::1"
        body = {"phone": phone, "end_user_ip": address, **choice(manifest, route)}
        started = self._run("start", lambda service: self._start(service, body, str(number)))
        if started and name != NOT_ANSWERED:
            self._world.schedule.at(self._world.now + USER_SECONDS, lambda: self._end(started, phone))

    def _start(self, service: Service, body: dict[str, str], key: str) -> Verification:
        began = self._world.now
        started = service.start(LIVE, json.dumps(body), idempotency_key=f"start-{key}", base_url=BASE_URL)
        self._seen.started.append(self._world.now - began - VENDOR_MS / 1000)
        return started.verification

    def _end(self, started: Verification, phone: str) -> None:
        vendor = self._world.callers[started.provider]
        if vendor.route(started.method).code:
            code = json.dumps({"code": vendor.rung[f"{started.id}-1"]})
            caller = browser(
                started, f"203.0.{self._chance.randrange(256)}.{self._chance.randrange(256)}", self._world.now
            )
            ended = self._run("end", lambda service: service.check(caller, started.id, code).valid)
        else:
            reports = [self._report(started, *each) for each in vendor.report(phone)]
            ended = self._run("end", lambda service: [service.report(report) for report in reports])
        self._seen.ended += bool(ended)

    @staticmethod
    def _report(started: Verification, path: Sequence[str], parameters: dict[str, tuple[str, ...]]) -> Request:
        return Request(started.provider, path, lambda: parameters)

    def _run(self, what: str, act: Callable[[Service], Any]) -> Any:
        """In a container, where there is one."""
        service = self._world.take_container()
        if service is None:
            self._seen.refused[f"{what}: no container"] += 1
            return None
        try:
            return act(service)
        except CallverifyError as error:
            self._seen.refused[f"{what}: {getattr(error, 'limit', None) or error.code}"] += 1
            return None
        finally:
            self._world.return_container(service)


def run(rate: int, *, new_table: bool, seed: int = 1) -> tuple[World, Seen]:
    seen = Seen()
    world = World(rate, NEW_TABLE_PARTITIONS if new_table else None, seed)
    Stream(world, seen, NEW_TABLE_PARTITIONS if new_table else max(NEW_TABLE_PARTITIONS, rate * 60 // 1000))
    Traffic(world, seen, rate, seed)
    world.schedule.run()
    return world, seen


def row(rate: int, table: str, world: World, seen: Seen) -> list[object]:
    started = len(seen.started)
    failed = {name: number for name, number in seen.refused.items() if not name.startswith("events")}
    late = [*seen.started] or [0.0]
    published = [*seen.published] or [0.0]
    met = world.limited.conflicts
    full = world.limited.throttled
    return [
        f"{rate:,}/s, {table}",
        f"{started / seen.offered:.1%}",
        "; ".join(f"{name} {number / seen.offered:.1%}" for name, number in sorted(failed.items())) or "–",
        f"{sum(met.values()) / seen.offered:.2f}",
        f"{sum(full.values()) / seen.offered:.2f}",
        _worst(met + full),
        f"{_percentile(late, 50) * 1000:,.0f} / {_percentile(late, 99) * 1000:,.0f}",
        f"{_percentile(published, 50):.1f} / {_percentile(published, 99):.1f}",
        f"{world.limited.units['write'] / seen.offered:.0f}",
    ]


HEAD = [
    "starts, table",
    "started",
    "failed",
    "conflicts a start",
    "throttles a start",
    "most of them at",
    "ms beyond the vendor, p50 / p99",
    "s to the event, p50 / p99",
    "write units a start",
]


def _worst(counts: Counter[str]) -> str:
    total = sum(counts.values())
    return ", ".join(f"`{name}` {number / total:.0%}" for name, number in counts.most_common(2)) or "–"


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.limits", description=__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=RATES, help="starts a second")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--dry-run", action="store_true", help=f"leave {DOCUMENT.name} as it is")
    options = parser.parse_args(arguments)
    rows = []
    for rate in options.rates:
        for name in options.tables:
            began = time.monotonic()
            rows.append(row(rate, name, *run(rate, new_table=name == "new")))
            print(f"{' | '.join(map(str, rows[-1]))} ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
    table = marked.table(HEAD, rows)
    print(table)
    if not options.dry_run:
        marked.write(
            DOCUMENT, "simulation", f"{datetime.now(UTC):%Y-%m-%d}; {SECONDS} s of starts at each rate.\n\n{table}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
