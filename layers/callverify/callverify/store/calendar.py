"""Counters by the calendar, of a key and of the stack: counted before the transaction of a change, each by one write.

Counted first and written then, so that a process that dies in between has counted a call too many, and never one too
few. What was counted for a transaction that certainly came to nothing is taken off again: decision 105.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from callverify.domain.claims import Claim, Counted, GiveBack, Unless
from callverify.domain.errors import Busy
from callverify.domain.limits import CalendarLimit, RollingLimit
from callverify.store import counters, table
from callverify.store.table import LimitReached, Stale, Table, Write

REMEMBERED_SECONDS = 5  # for which a full counter is not asked again
STARTS_A_SHARD = 10_000
SHARDS = 16
FEW = 4  # shards of one counter that a start tries
FORMER_SECONDS = 60


def key_of(limit: CalendarLimit, at: int) -> str:
    return f"limit#{limit.name}#{limit.subject}#{at // limit.window}"


def shards_of(limit: CalendarLimit) -> int:
    """By the limit alone, so that all containers agree."""
    return max(1, min(SHARDS, limit.count // STARTS_A_SHARD))


class CalendarCounters:
    """What a container knows of them. full: those that were, and when; former: what was counted in one item."""

    def __init__(self, rows: Table) -> None:
        self._table = rows
        self._full: dict[str, int] = {}
        self._former: dict[str, tuple[int, int]] = {}

    def take(self, claims: Sequence[Claim], seed: str, now: int) -> tuple[list[str], tuple[int, LimitReached] | None]:
        """Count, in this order: the items that were counted in, and what refuses, with its place in `claims`.

        seed: says which shard is tried first.
        """
        # What one attempt gives back and the next one takes, in one period, stays as it is.
        kept = {key_of(*each) for each in _given_back(claims)}
        taken = list[str]()
        looked = [each.limit if isinstance(each, Unless) else None for each in claims]
        try:
            closed = self._first_full(looked, seed, now)
            if closed:  # What comes before is only looked at: a key that is closed writes to no counter of others.
                before = [each if isinstance(each, CalendarLimit) else None for each in claims[: closed[0]]]
                return [], self._first_full(before, seed, now) or closed
            for place, claim in enumerate(claims):
                if isinstance(claim, CalendarLimit) and key_of(claim, now) not in kept:
                    try:
                        taken.append(self._count(claim, seed, now))
                    except LimitReached as reached:
                        return taken, (place, reached)
                elif isinstance(claim, Counted) and isinstance(claim.limit, CalendarLimit):
                    (key, _), *_ = self._shards(claim.limit, seed, now)
                    self._table.update(_add(key, None, claim.limit, now))
                    taken.append(key)
        except Busy:
            self.take_off(taken)
            raise
        return taken, None

    def take_off(self, keys: Sequence[str]) -> None:
        """Count one less in each: what they were counted for is certainly not on record."""
        for key in keys:
            self._change(table.update(key, "SET n = n - :one", "n >= :one", {":one": 1}, Stale))

    def give_back(self, claims: Sequence[Claim], seed: str, now: int) -> None:
        """What turned out to be no call, once the record says so: at most as often as the limit in its period."""
        taken = {key_of(each, now) for each in claims if isinstance(each, CalendarLimit)}
        for limit, at in _given_back(claims):
            key = key_of(limit, at)
            if key in taken or key != key_of(limit, now):
                continue
            for shard, most in self._shards(limit, seed, now):
                write = table.update(
                    shard,
                    "SET n = n - :one, returned = if_not_exists(returned, :zero) + :one",
                    "n >= :one AND (attribute_not_exists(returned) OR returned < :most)",
                    {":zero": 0, ":one": 1, ":most": most},
                    Stale,
                )
                if self._change(write):
                    break

    def _change(self, write: Write) -> bool:
        """Whether it was made. One that can't be is left: too many are counted then, and never too few."""
        try:
            self._table.update(write)
        except (Stale, Busy):
            return False
        return True

    def _count(self, limit: CalendarLimit, seed: str, now: int) -> str:
        """The item that one more is counted in. Raises LimitReached."""
        key = key_of(limit, now)
        if not 0 <= now - self._full.get(key, -REMEMBERED_SECONDS) < REMEMBERED_SECONDS:
            for shard, most in self._shards(limit, seed, now):
                try:
                    self._table.update(_add(shard, most, limit, now))
                except Stale:
                    continue
                return shard
            self._full = {each: at for each, at in self._full.items() if 0 <= now - at < REMEMBERED_SECONDS}
            self._full[key] = now
        raise _reached(limit, now)

    def _first_full(
        self, limits: Sequence[RollingLimit | CalendarLimit | None], seed: str, now: int
    ) -> tuple[int, LimitReached] | None:
        """The first of these that is full, without counting."""
        for place, limit in enumerate(limits):
            if isinstance(limit, RollingLimit):
                item = self._table.read(counters.key_of(limit)) or {}
                if reached := counters.reached_by(limit, [int(start) for start in item.get("starts", ())], now):
                    return place, reached
            if not isinstance(limit, CalendarLimit):
                continue
            shards = self._shards(limit, seed, now)
            if all(int((self._table.read(shard) or {}).get("n", 0)) >= most for shard, most in shards):
                return place, _reached(limit, now)
        return None

    def _shards(self, limit: CalendarLimit, seed: str, now: int) -> list[tuple[str, int]]:
        """The items in which a start may be counted, in the order in which it tries them, and how much each takes."""
        key, count = key_of(limit, now), shards_of(limit)
        if count == 1:
            return [(key, limit.count)]
        room = max(0, limit.count - self._counted_in_one(key, now))
        first = int(hashlib.sha256(f"{key} {seed}".encode()).hexdigest()[:8], 16)
        order = [(first + place) % count for place in range(FEW)]
        shares = [(f"{key}#{shard}", room // count + (shard < room % count)) for shard in order]
        return [(shard, share) for shard, share in shares if share]

    def _counted_in_one(self, key: str, now: int) -> int:
        """What functions of 0.2.0 counted in this period, which had one item for each counter."""
        found, at = self._former.get(key, (0, -FORMER_SECONDS))
        if not 0 <= now - at < FORMER_SECONDS:
            found = int((self._table.read(key) or {}).get("n", 0))
            self._former = {each: known for each, known in self._former.items() if 0 <= now - known[1] < FORMER_SECONDS}
            self._former[key] = found, now
        return found


def outside(claim: Claim) -> bool:
    """Whether a claim is settled outside the transaction: what is only looked at is read before it."""
    limit = claim.limit if isinstance(claim, Counted | GiveBack) else claim
    return isinstance(limit, CalendarLimit | Unless)


def _given_back(claims: Sequence[Claim]) -> Iterator[tuple[CalendarLimit, int]]:
    """What is given back, and when it was counted."""
    for each in claims:
        if isinstance(each, GiveBack) and isinstance(each.limit, CalendarLimit):
            yield each.limit, each.at


def _add(key: str, most: int | None, limit: CalendarLimit, now: int) -> Write:
    return table.update(
        key,
        "SET n = if_not_exists(n, :zero) + :one, #ttl = :end",
        "attribute_not_exists(n) OR n < :most" if most is not None else "",
        {":zero": 0, ":one": 1, ":end": _end(limit, now), ":most": most},
        lambda _: Stale(),
    )


def _end(limit: CalendarLimit, now: int) -> int:
    return (now // limit.window + 1) * limit.window


def _reached(limit: CalendarLimit, now: int) -> LimitReached:
    return LimitReached(limit, _end(limit, now) - now)
