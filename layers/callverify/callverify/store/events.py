"""The list of events: each has the next number of its mode, and is kept for its own time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from callverify.domain.errors import busy
from callverify.domain.words import DAY, Event, Mode
from callverify.store import table
from callverify.store.items import Item
from callverify.store.table import CONFLICT_RETRIES, Lost, Outdated, Table, Write

EVENTS_AT_ONCE = 25  # two items each, and a transaction takes 100


class AlreadyNumbered(Lost):
    """The event has its number."""


class NumberTaken(Lost):
    """Another event has this number though the counter says that it is free."""


class EventLog:
    _table: Table
    _retention: int

    def number_events(self, mode: Mode, events: Sequence[Event], now: int) -> None:
        """Give each event the next number of its mode and keep it, those that have one already left as they are.

        Raises Refused where DynamoDB will never take these events as they are.
        """
        left, beyond = list(events), 0
        for _ in range(CONFLICT_RETRIES + len(events)):
            if not left:
                return
            counter = self._table.read(f"events#{mode}")
            # A counter is born with a number that no event had before, should it have been lost.
            latest = int(counter["n"]) if counter else now * 1000
            first = max(latest, beyond) + 1
            batch = left[:EVENTS_AT_ONCE]
            try:
                self._table.transact([*self._number(mode, batch, counter, first, now)])
            except AlreadyNumbered as known:
                left = [event for event in left if event.id != known.item["id"]]
            except NumberTaken:
                beyond = max(now * 1000, first + EVENTS_AT_ONCE)
            except Outdated:
                continue
            else:
                left = left[EVENTS_AT_ONCE:]
        if left:
            raise busy() from TimeoutError("the number of the latest event kept changing")

    def _number(
        self, mode: Mode, events: Sequence[Event], counter: Item | None, first: int, now: int
    ) -> Iterator[Write]:
        """The counter's write comes first: where it holds, a number that is taken is no other publisher's doing."""
        before = counter or {}
        # Kept at least as long as the event before: the events that are kept are the latest ones, whatever becomes of
        # the retention. Version 1 kept the counter itself a day longer than that.
        ttl = max(now + self._retention, int(before.get("until", int(before.get("ttl", DAY)) - DAY)))
        yield table.change(
            f"events#{mode}",
            {"n": first + len(events) - 1, "until": ttl, "ttl": None},
            "n = :latest" if counter else "attribute_not_exists(pk)",
            {":latest": before.get("n")},
            _outdated,
        )
        for number, event in enumerate(events, first):
            yield table.put_new(f"event_id#{event.id}", {"id": event.id, "ttl": ttl}, AlreadyNumbered)
            yield table.put_new(f"event#{mode}#{number}", {"body": event.body, "ttl": ttl}, NumberTaken)

    def events_after(self, mode: Mode, cursor: int, *, limit: int, now: int) -> tuple[list[tuple[int, str]], int]:
        """(number, JSON) of up to `limit` events after `cursor`, without those no longer kept; and the latest one's."""
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
        """Events end in the order of their numbers (`_number`), so the first one kept is found by halving.

        TTL deletes in any order, but only what is not counted as kept any more.
        """
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
