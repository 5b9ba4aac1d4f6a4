"""DynamoDB's limits, as published, around a table in memory: units a second, partitions, and transactions that meet.

An item takes 1,000 write units and 3,000 read units a second, and so does a partition. A transaction is refused while
another one has one of its items, and a single write is too; each item of one takes twice the units, refused or not.
Sources: docs/scale.md.
"""

from __future__ import annotations

import random
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from bench.scale import WAIT_MS
from bench.virtual import Schedule
from tests.support.dynamodb import MemoryDynamoDb

WRITES_A_SECOND, READS_A_SECOND = 1_000, 3_000
NEW_TABLE_PARTITIONS = 4
# Of the time that a transaction takes, for which no other one has its items: some 100 in a row fit into a second.
HOLDS_SECONDS = 0.010
REFUSES_SECONDS = 0.005
CLIENT_ATTEMPTS = 2  # botocore's, of what is throttled


class Bucket:
    """Units of a second, refilled as time passes."""

    __slots__ = ("at", "left")

    def __init__(self, most: float, now: float) -> None:
        self.left, self.at = most, now

    def has(self, units: float, most: float, now: float) -> bool:
        self.left = min(most, self.left + (now - self.at) * most)
        self.at = now
        return self.left >= units


class LimitedDynamoDb:
    """A client of a table in memory that is throttled as DynamoDB would be.

    partitions: of a table that is new; None: so many that only single items are limited. conflicts, throttled: refused
    requests, by the kind of the item that was in the way.
    """

    def __init__(self, schedule: Schedule, partitions: int | None, seed: int = 1) -> None:
        self.table = MemoryDynamoDb()
        self.exceptions = self.table.exceptions
        self.conflicts: Counter[str] = Counter()
        self.throttled: Counter[str] = Counter()
        self.units: Counter[str] = Counter()
        self._schedule = schedule
        self._partitions = partitions
        self._chance = random.Random(seed)
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._held: set[str] = set()

    def create_table(self, **request: Any) -> None:
        self.table.create_table(**request)

    # Reads

    def get_item(self, **request: Any) -> Any:
        pk = _pk(request)
        self._try("GetItem", lambda: self._take("read", {pk: _units(self._item(request, pk), 4096)}))
        return self._after("GetItem", lambda: self.table.get_item(**request))

    def batch_get_item(self, **request: Any) -> Any:
        keys = [key["pk"]["S"] for asked in request["RequestItems"].values() for key in asked["Keys"]]
        self._try("BatchGetItem", lambda: self._take("read", dict.fromkeys(keys, 1)))
        return self._after("BatchGetItem", lambda: self.table.batch_get_item(**request))

    # Single writes

    def put_item(self, **request: Any) -> Any:
        return self._write("PutItem", request, self.table.put_item)

    def update_item(self, **request: Any) -> Any:
        return self._write("UpdateItem", request, self.table.update_item)

    def delete_item(self, **request: Any) -> Any:
        return self._write("DeleteItem", request, self.table.delete_item)

    def _write(self, operation: str, request: Any, carry_out: Callable[..., Any]) -> Any:
        pk = _pk(request)

        def refusal() -> str | None:
            if pk in self._held:
                self.conflicts[kind(pk)] += 1
                return pk
            return self._take("write", {pk: self._written(request, pk)})

        self._try(operation, refusal)
        return self._after(operation, lambda: carry_out(**request))

    # Transactions

    def transact_write_items(self, **request: Any) -> Any:
        writes = [write for each in request["TransactItems"] for write in each.values()]
        units = {pk: 2 * self._written(write, pk) for write in writes for pk in [_pk(write)]}
        met = [pk for pk in units if pk in self._held]
        for pk in met:
            self.conflicts[kind(pk)] += 1
        full = self._take("write", units)
        if met or full:
            self._schedule.wait(self._jittered(REFUSES_SECONDS))
            codes = dict.fromkeys(met, "TransactionConflict") or {full or "": "ThrottlingError"}
            reasons = [{"Code": codes.get(pk, "None")} for pk in units]
            raise _error("TransactionCanceledException", "TransactWriteItems", reasons)
        self._held |= units.keys()
        self._schedule.wait(self._jittered(HOLDS_SECONDS))
        try:
            return self.table.transact_write_items(**request)
        finally:
            self._held -= units.keys()
            self._schedule.wait(self._jittered(WAIT_MS["TransactWriteItems"] / 1000 - HOLDS_SECONDS))

    # Inside

    def _after(self, operation: str, act: Callable[[], Any]) -> Any:
        self._schedule.wait(self._jittered(WAIT_MS.get(operation, WAIT_MS["UpdateItem"]) / 1000))
        return act()

    def _try(self, operation: str, refusal: Callable[[], str | None]) -> None:
        """As botocore asks: once more after a throttle. A write that meets a transaction is told so at once."""
        for attempt in range(CLIENT_ATTEMPTS):
            pk = refusal()
            if pk is None:
                return
            self._schedule.wait(self._jittered(REFUSES_SECONDS))
            if pk in self._held:
                raise _error("TransactionConflictException", operation)
            if attempt + 1 < CLIENT_ATTEMPTS:
                self._schedule.wait(self._chance.random())
        raise _error("ProvisionedThroughputExceededException", operation)

    def _take(self, what: str, units: Mapping[str, int]) -> str | None:
        """Use these units of items and their partitions; or the item for which there is no room."""
        most = WRITES_A_SECOND if what == "write" else READS_A_SECOND
        self.units[what] += sum(units.values())
        parts: dict[str, int] = dict(units)
        if self._partitions:
            for pk, number in units.items():
                name = f"partition {self._partition(pk)}"
                parts[name] = parts.get(name, 0) + number
        now = self._schedule.now
        found = []
        for name, number in parts.items():
            bucket = self._buckets.get((what, name))
            if bucket is None:
                bucket = self._buckets[what, name] = Bucket(most, now)
            if not bucket.has(number, most, now):
                self.throttled["partition" if name.startswith("partition ") else kind(name)] += 1
                return next(iter(units)) if name.startswith("partition ") else name
            found.append((bucket, number))
        for bucket, number in found:
            bucket.left -= number
        return None

    def _partition(self, pk: str) -> int:
        return zlib.crc32(pk.encode()) % (self._partitions or 1)

    def _written(self, request: Any, pk: str) -> int:
        """The larger of the item before and after, in KB begun; what an update adds is small."""
        return max(_units(request.get("Item"), 1024), _units(self._item(request, pk), 1024))

    def _item(self, request: Any, pk: str) -> Any:
        return self.table.tables[request["TableName"]].get(pk)

    def _jittered(self, seconds: float) -> float:
        return seconds * self._chance.uniform(0.7, 1.3)


def kind(pk: str) -> str:
    """What an item is, by its key: without the subject that it is about."""
    name, *rest = pk.split("#")
    return f"{name}#{rest[0]}" if name in ("limit", "events", "breaker") and rest else name


def _pk(request: Mapping[str, Any]) -> str:
    return str((request.get("Key") or request["Item"])["pk"]["S"])


def _units(item: Mapping[str, Any] | None, size: int) -> int:
    return -(-_size(item or {}) // size) or 1


def _size(value: Any) -> int:
    """As DynamoDB counts, near enough: names, texts, and some bytes for the rest."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(len(name) + _size(member) for name, member in value.items())
    return sum(map(_size, value)) if isinstance(value, Sequence) else 1


def _error(code: str, operation: str, reasons: Sequence[Mapping[str, str]] = ()) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": code},
        "ResponseMetadata": {"HTTPStatusCode": 400},
        "CancellationReasons": list(reasons),
    }
    return ClientError(answer, operation)
