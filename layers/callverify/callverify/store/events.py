"""The list of events: each has a number of its mode, and is kept for its own time.

A publisher reserves numbers in one write of the counter, and puts the events then. The counter names the reservation
until they are put, and no reader passes a number of it at which there is nothing: decision 104.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import batched

from callverify.domain.errors import busy
from callverify.domain.value import value
from callverify.domain.words import Event, Mode
from callverify.store import table
from callverify.store.items import Item
from callverify.store.numbers import Memory, Reservation, mark, reservations, reserve
from callverify.store.table import CONFLICT_RETRIES, Refused, Stale, Table

EVENTS_AT_ONCE = 25
CLOSE_AFTER = 120  # seconds; a publisher's function is given less
CLOSED_AT_ONCE = 4


@value
class Numbered:
    """refused: events that DynamoDB will never take as they are. erased: ids of those whose verification is erased."""

    refused: list[Event]
    erased: set[str]


class EventLog:
    _table: Table
    _event_retention: int

    def __init__(self) -> None:
        self._memory = defaultdict[Mode, Memory](Memory)

    # Publishing

    def as_kept(self, mode: Mode, number: int, event: Event, until: int) -> Event:
        """See `Erasures`."""
        raise NotImplementedError

    def number_events(self, mode: Mode, events: Iterable[Event], now: int) -> Numbered:
        """Give each event a number of its mode and keep it; one that has been here keeps its number, where it is known.

        Of one whose verification is erased, only that it was is kept.
        """
        new = {event.id: event for event in events}.values()
        found = Numbered([], set())
        for batch in batched(new, EVENTS_AT_ONCE, strict=False):
            self._number(mode, batch, now, found)
        return found

    def published(self) -> None:
        """All that this container has numbered has reached its receivers, and will not come again."""
        for memory in self._memory.values():
            memory.over |= memory.put
            memory.put.clear()

    def _number(self, mode: Mode, batch: Iterable[Event], now: int, found: Numbered) -> None:
        left = [*batch]
        floor, memory = 0, self._memory[mode]
        for turn in range(CONFLICT_RETRIES):
            if not left:
                return
            own, others, new = reserve(
                self._table, mode, memory, left, now, kept=self._event_retention, turn=turn, floor=floor
            )
            again, filled = list[Event](), set[int]()
            for event in left:
                try:
                    if not self._place(mode, event, [*others, own], filled, found):
                        again.append(event)
                except Refused:
                    found.refused.append(event)
            signs = {mark(event) for event in left}
            for sign, number in own.numbers():
                if sign in signs and number not in filled:
                    self._fill(mode, number, own.until)
                    filled.add(number)
            if new and again:  # none had its own number, of which the counter said that it is free
                floor = max(now * 1000, own.first + EVENTS_AT_ONCE)
            if filled.issuperset(number for _, number in own.numbers()):
                memory.put[own.key] = own
            self._close(mode, others, now, own.first)
            left = again
        raise busy() from TimeoutError("the numbers of events kept being taken")

    def _place(self, mode: Mode, event: Event, known: Iterable[Reservation], filled: set[int], found: Numbered) -> bool:
        """Put an event at the first of its numbers that nothing else has; whether there was one."""
        sign = mark(event)
        for each in known:
            number = dict(each.numbers()).get(sign)
            if number is None:
                continue
            filled.add(number)
            try:
                kept = self.as_kept(mode, number, event, each.until)
                if kept is not event:
                    found.erased.add(event.id)
                if self._put_event(mode, number, kept, each.until):
                    return True
            except Refused:
                self._fill(mode, number, each.until)
                raise
        return False

    def _put_event(self, mode: Mode, number: int, event: Event, until: int) -> bool:
        """Whether the event has this number now."""
        condition, values = "attribute_not_exists(pk) OR body = :body", {":body": event.body}
        item = {"body": event.body, "ttl": until}
        return self._table.put(table.put(_key(mode, number), item, Stale, condition=condition, values=values))

    def _fill(self, mode: Mode, number: int, until: int) -> None:
        """Have something at a number that no event will have."""
        self._table.put(table.put_new(_key(mode, number), {"ttl": until}))

    def _close(self, mode: Mode, others: Sequence[Reservation], now: int, turn: int) -> None:
        """Fill what publishers left that died, and whose batch did not come again: some of it at every turn."""
        closed = self._memory[mode].closed
        left = [each for each in others if each.at <= now - CLOSE_AFTER and closed.get(each.key) != each]
        first = turn % len(left) if left else 0
        for each in (left[first:] + left[:first])[:CLOSED_AT_ONCE]:
            # The last one first: an event that comes after all, where only some are closed, stays before later ones.
            for _, number in reversed([*each.numbers()]):
                if not self._table.read(_key(mode, number)):
                    self._fill(mode, number, each.until)
            closed[each.key] = each

    # Reading

    def events_after(self, mode: Mode, cursor: int, *, limit: int, now: int) -> tuple[list[tuple[int, str]], int]:
        """(number, JSON) of up to `limit` events after `cursor`, without those no longer kept.

        And the number of the latest event that can be read: none will be put at one before it.
        """
        counter = self._table.read(f"events#{mode}") or {}
        latest = int(counter.get("n", 0))
        # Numbers at which events may still be put, and until when those will be kept.
        reserved = {number: each.until for each in reservations(counter) for _, number in each.numbers()}
        start, end = cursor + 1, latest
        while start <= end:
            found = self._kept(mode, range(start, min(start + limit, end + 1)), reserved, now)
            if start not in found:
                start = self._first_kept(mode, start + 1, end, reserved, now)
                found = self._kept(mode, range(start, min(start + limit, end + 1)), reserved, now)
            gap = min((number for number, item in found.items() if not item), default=end + 1)
            end = min(end, gap - 1)
            bodies = [(number, item["body"]) for number, item in sorted(found.items()) if "body" in item]
            if told := [each for each in bodies if each[0] <= end]:
                return told, end
            start += limit
        return [], max(end, min(cursor, latest))

    def _first_kept(self, mode: Mode, low: int, latest: int, reserved: Mapping[int, int], now: int) -> int:
        """Events end in the order of their numbers (`reserve`), so the first one kept is found by halving.

        TTL deletes in any order, but only what is not counted as kept any more.
        """
        high = latest + 1
        while low < high:
            middle = (low + high) // 2
            if self._kept(mode, [middle], reserved, now):
                high = middle
            else:
                low = middle + 1
        return low

    def _kept(self, mode: Mode, numbers: Iterable[int], reserved: Mapping[int, int], now: int) -> dict[int, Item]:
        """What is at these numbers, or may be: nothing yet at one that is reserved."""
        keys = {number: _key(mode, number) for number in numbers}
        items = self._table.read_many(keys.values())
        found = {number: items.get(pk, {}) for number, pk in keys.items()}
        return {number: item for number, item in found.items() if item.get("ttl", reserved.get(number, 0)) > now}


def _key(mode: Mode, number: int) -> str:
    return f"event#{mode}#{number}"
