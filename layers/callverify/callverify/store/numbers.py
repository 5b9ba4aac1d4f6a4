"""The counter of a mode's events: numbers are reserved in one write of it, which names what is reserved.

Attributes: `n`, the latest number; `until`, how long the latest event is kept; of each reservation, `f_<key>`, the
number before its first, and `e_<key>`, its other members.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from callverify.domain.errors import busy
from callverify.domain.value import value
from callverify.domain.words import DAY, Event, Mode
from callverify.store import table
from callverify.store.items import Item
from callverify.store.table import CONFLICT_RETRIES, Lost, Table, Write

KEEP = 900  # seconds for which a batch that comes again finds its numbers
_MARK = 6  # hex digits


@value
class Reservation:
    """Numbers from `first` on, one for each of `marks`. at: when; until: how long its events are kept."""

    key: str
    first: int
    at: int
    until: int
    marks: tuple[str, ...]
    text: str  # as it is stored

    def numbers(self) -> Iterator[tuple[str, int]]:
        return zip(self.marks, range(self.first, self.first + len(self.marks)), strict=True)


@dataclass
class Memory:
    """What a container knows of reservations, by their keys: which have to stay in the counter no more.

    put: all events have been put; over: and have reached their receivers; closed: what another publisher left.
    """

    put: dict[str, Reservation] = field(default_factory=dict)
    over: dict[str, Reservation] = field(default_factory=dict)
    closed: dict[str, Reservation] = field(default_factory=dict)

    def leaving(self, marks: Iterable[str], now: int) -> list[Reservation]:
        """Ten at most: they are named in one write. None of a batch that has come again after all."""
        over = [*self.over.values(), *(each for each in self.closed.values() if each.at <= now - KEEP)]
        return [each for each in over if not {*each.marks}.intersection(marks)][:10]

    def keep(self, stored: Iterable[Reservation]) -> None:
        """Forget those that have left the counter, or are others by now."""
        still = {each.key: each for each in stored}
        for each in (self.put, self.over, self.closed):
            for key in [key for key, known in each.items() if still.get(key) != known]:
                del each[key]


class _Missed(Lost):
    """The counter isn't as it was thought to be."""


def mark(event: Event) -> str:
    """By which an event is found in a reservation. Two may share one: their bodies tell them apart."""
    return hashlib.sha256(event.id.encode()).hexdigest()[:_MARK]


def reservations(counter: Item) -> list[Reservation]:
    found = []
    for name, before in counter.items():
        if name.startswith("f_"):
            text = counter[f"e_{name[2:]}"]
            at, until, marks = text.split(":")
            each = tuple(marks[place : place + _MARK] for place in range(0, len(marks), _MARK))
            found.append(Reservation(name[2:], int(before) + 1, int(at), int(until), each, text))
    return found


def reserve(
    rows: Table, mode: Mode, memory: Memory, events: Sequence[Event], now: int, *, kept: int, turn: int, floor: int
) -> tuple[Reservation, list[Reservation], bool]:
    """Numbers for events; all other reservations; and whether the numbers are new.

    They are the former ones where the batch has been here before, this `turn` of it. kept: seconds for which an event
    is kept. floor: a number that the new ones come after.
    """
    key = hashlib.sha256(f"{events[0].id} {turn}".encode()).hexdigest()[:8]
    marks = [mark(event) for event in events]
    # By the minute, so that publishers whose clocks differ a little agree.
    until, counter = -(-(now + kept) // 60) * 60, Item()
    for _ in range(CONFLICT_RETRIES):
        # Kept at least as long as the event before: the events that are kept are the latest ones, whatever becomes of
        # the retention. Version 1 kept the counter itself a day longer than that.
        until = max(until, int(counter.get("until", int(counter.get("ttl", DAY)) - DAY)))
        floor = floor if counter.get("n", 0) < floor else 0
        text = f"{now}:{until}:{''.join(marks)}"
        values = {":text": text, ":count": len(marks), ":until": until, ":born": now * 1000}
        if floor:
            values |= {":floor": floor, ":top": floor + len(marks)}
        write = _write(mode, key, values, memory.leaving(marks, now), from_version_1="ttl" in counter)
        try:
            counter, new = rows.update(write), True
        except _Missed as missed:
            counter, new = missed.item, False
        found = reservations(counter)
        memory.keep(found)
        if own := next((each for each in found if each.key == key), None):
            return own, [each for each in found if each is not own], new
    raise busy() from TimeoutError("the number of the latest event kept changing")


def _write(mode: Mode, key: str, values: Item, leaving: Sequence[Reservation], *, from_version_1: bool) -> Write:
    # A counter is born with a number that no event had before, should it have been lost.
    before, after = "if_not_exists(n, :born)", "if_not_exists(n, :born) + :count"
    conditions = [f"attribute_not_exists(#f_{key})", "(attribute_not_exists(#until) OR #until <= :until)"]
    if ":floor" in values:
        before, after = ":floor", ":top"
        conditions.append("(attribute_not_exists(n) OR n < :floor)")
    if not from_version_1:
        conditions.append("attribute_not_exists(#ttl)")
    # One that is over may have been left by another container, and be another one's by now.
    conditions += [f"(attribute_not_exists(#e_{each.key}) OR #e_{each.key} = :e_{each.key})" for each in leaving]
    removed = ["#ttl", *(f"#{part}_{each.key}" for each in leaving for part in "fe")]
    return table.update(
        f"events#{mode}",
        f"SET #f_{key} = {before}, #e_{key} = :text, n = {after}, #until = :until REMOVE {', '.join(removed)}",
        " AND ".join(conditions),
        values | {f":e_{each.key}": each.text for each in leaving},
        _Missed,
    )
