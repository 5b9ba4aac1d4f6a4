"""Erasures: a record's item becomes a tombstone at once; its events and index entries follow from the stream.

An event's number is noted in the item `events_of#<id>` before the event is put there. An erasure marks that item and
then scrubs every number in it, so that a publisher that comes later finds the mark, and one at work finds its number
taken: decision 140.
"""

from __future__ import annotations

from contextlib import suppress

from callverify.domain.erasure import ERASED, Erased, erased_body, erased_event
from callverify.domain.erasure import EVENT_TYPE as ERASURE
from callverify.domain.verification import Verification
from callverify.domain.words import DAY, Event, Mode, Status
from callverify.store import table
from callverify.store.counters import phone_key
from callverify.store.table import CONFLICT_RETRIES, Lost, Stale, Table

# Longer than any message of ours may lie in a queue, dead letters that are sent again included.
TOMBSTONE_SECONDS = 30 * DAY
_NUMBER = "n_"


class Erasures:
    _table: Table

    def erase(self, verification: Verification, erased: Erased) -> None:
        """Turn an ended record into a tombstone. Raises Stale where it is pending, or gone."""
        for pk in _named(verification):
            with suppress(Stale):
                own = {":id": verification.id}
                self._table.remove(table.delete(pk, "verification_id = :id", own, lambda _: Stale()))
        self._table.claim(
            table.put(
                f"verification#{verification.id}",
                {
                    "status": ERASED,
                    "mode": erased.mode,
                    "erased_at": erased.at,
                    "erased_by": erased.by,
                    "ttl": erased.at + TOMBSTONE_SECONDS,
                },
                Stale,
                condition="attribute_exists(id) AND #status <> :pending",
                values={":pending": Status.PENDING},
            )
        )

    def is_erased(self, verification_id: str) -> bool:
        """Whether there is a tombstone in place of a record."""
        return (self._table.read(f"verification#{verification_id}") or {}).get("status") == ERASED

    def has_started_since(self, phone_hash: str, since: int) -> bool:
        """Whether the phone had a start from then on, as its limit knows, or what test mode notes in place of it."""
        item = self._table.read(phone_key(phone_hash)) or {}
        return any(int(start) >= since for start in (*item.get("starts", ()), item.get("started", 0)))

    # Events

    def as_kept(self, mode: Mode, number: int, event: Event, until: int) -> Event:
        """Note the number of an event that is about to be put there: the event, or what an erasure leaves of it."""
        if event.type == ERASURE:
            return event
        pk, name = _events_of(event.verification_id), f"#{_NUMBER}{number}"
        expression, values = f"SET {name} = :mode, #ttl = :ttl", {":mode": mode, ":ttl": until + DAY}
        try:
            self._table.update(table.update(pk, expression, "attribute_not_exists(erased)", values, lambda _: Stale()))
        except Stale:
            return erased_event(event)
        return event

    def has_erased_events(self, verification_id: str) -> bool:
        return "erased" in (self._table.read(_events_of(verification_id)) or {})

    def scrub_events(self, erased: Erased, now: int) -> None:
        """Leave of the events of a verification no more than that they were. Doing it again changes nothing."""
        expression, values = "SET erased = :at, #ttl = :ttl", {":at": erased.at, ":ttl": now + TOMBSTONE_SECONDS}
        pk = _events_of(erased.verification_id)
        noted = self._table.update(table.update(pk, expression, "", values, lambda _: Stale()))
        for name in noted:
            if name.startswith(_NUMBER):
                self._scrub(f"event#{erased.mode}#{name.removeprefix(_NUMBER)}", now)

    def _scrub(self, pk: str, now: int) -> None:
        for _ in range(CONFLICT_RETRIES):
            item = self._table.read(pk)
            if item is None:  # A publisher may be about to put it there: it finds the number taken.
                if self._table.put(table.put_new(pk, {"ttl": now + TOMBSTONE_SECONDS})):
                    return
                continue
            body = item.get("body")
            if body is None or body == erased_body(body):
                return
            values = {":body": body, ":erased": erased_body(body)}
            with suppress(Lost):
                self._table.update(table.update(pk, "SET body = :erased", "body = :body", values, lambda _: Stale()))
                return


def _events_of(verification_id: str) -> str:
    return f"events_of#{verification_id}"


def _named(verification: Verification) -> list[str]:
    """Items by which the phone leads to this verification, where they still name it."""
    pointer = f"pointer#{verification.key_id}#{verification.owner or ''}#{verification.phone_hash}"
    return [pointer, f"phone#{verification.phone_hash}"]
