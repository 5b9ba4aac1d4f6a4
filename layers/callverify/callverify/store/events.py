"""The list of events: each has the next number of its mode, and is kept for its own time."""

from __future__ import annotations

from collections.abc import Sequence

from callverify.domain.words import DAY, Event, Mode
from callverify.store import table
from callverify.store.items import Item
from callverify.store.table import Lost, Outdated, Table, Write

EVENTS_AT_ONCE = 25  # two items each, and a transaction takes 100


class AlreadyNumbered(Lost):
    """The event has its number."""


class EventLog:
    _table: Table
    _retention: int

    def number_events(self, mode: Mode, events: Sequence[Event], now: int) -> None:
        """Give each event the next number of its mode and keep it, those that have one already left as they are."""
        left = list(events)
        while left:
            latest = self._latest_event(mode)
            batch = left[:EVENTS_AT_ONCE]
            try:
                self._table.transact(self._number(mode, batch, latest, now))
            except AlreadyNumbered as known:
                left = [event for event in left if event.id != known.item["id"]]
            except Outdated:
                continue
            else:
                left = left[EVENTS_AT_ONCE:]

    def _number(self, mode: Mode, events: Sequence[Event], latest: int, now: int) -> list[Write]:
        ttl = now + self._retention
        counter = table.change(
            f"events#{mode}",
            {"n": latest + len(events), "ttl": ttl + DAY},
            "n = :latest" if latest else "attribute_not_exists(pk) OR n = :latest",
            {":latest": latest},
            _outdated,
        )
        writes = []
        for number, event in enumerate(events, latest + 1):
            writes.append(table.put_new(f"event_id#{event.id}", {"id": event.id, "ttl": ttl}, AlreadyNumbered))
            writes.append(table.put_new(f"event#{mode}#{number}", {"body": event.body, "ttl": ttl}, _outdated))
        return [*writes, counter]

    def events_after(self, mode: Mode, cursor: int, *, limit: int, now: int) -> tuple[list[tuple[int, str]], int]:
        """(number, JSON) of up to `limit` events after `cursor`, without those no longer kept; and the latest."""
        latest = self._latest_event(mode)
        start = cursor + 1
        if start <= latest and not self._events(mode, [start], now):
            start = self._first_kept_event(mode, start, latest, now)
        numbers = range(start, min(start + limit, latest + 1))
        return self._events(mode, numbers, now), latest

    def _latest_event(self, mode: Mode) -> int:
        item = self._table.read(f"events#{mode}")
        return int(item["n"]) if item else 0

    def _first_kept_event(self, mode: Mode, low: int, latest: int, now: int) -> int:
        """Events end in the order of their numbers, so the first one kept is found by halving."""
        high = latest + 1
        while low < high:
            middle = (low + high) // 2
            if self._events(mode, [middle], now):
                high = middle
            else:
                low = middle + 1
        return low

    def _events(self, mode: Mode, numbers: Sequence[int], now: int) -> list[tuple[int, str]]:
        found = self._table.read_many(f"event#{mode}#{number}" for number in numbers)
        bodies = {pk: item["body"] for pk, item in found.items() if item["ttl"] > now}
        return [(number, body) for number in numbers if (body := bodies.get(f"event#{mode}#{number}")) is not None]


def _outdated(_: Item) -> Lost:
    return Outdated()
