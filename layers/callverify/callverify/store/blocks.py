"""Blocked phones: an attribute of the item that a phone's starts, switches and repeats write anyway (decision 137)."""

from __future__ import annotations

from contextlib import suppress

from callverify.domain.words import DAY, TEN_MINUTES
from callverify.store import table
from callverify.store.counters import UNBLOCKED, phone_key
from callverify.store.table import Blocked, Stale, Table, Write


class Blocks:
    _table: Table

    def block(self, phone_hash: str, now: int) -> None:
        """The item loses its `ttl`: a block has no end."""
        expression, values = "SET blocked = :now REMOVE #ttl", {":now": now}
        self._table.update(table.update(phone_key(phone_hash), expression, "", values, lambda _: Stale()))

    def unblock(self, phone_hash: str, now: int) -> None:
        """The item is kept for longer than anything that it may count."""
        expression, values = "SET #ttl = :ttl REMOVE blocked", {":ttl": now + DAY}
        write = table.update(phone_key(phone_hash), expression, "attribute_exists(blocked)", values, lambda _: Stale())
        with suppress(Stale):
            self._table.update(write)

    def is_blocked(self, phone_hash: str) -> bool:
        return "blocked" in (self._table.read(phone_key(phone_hash)) or {})


def check_unblocked(phone_hash: str) -> Write:
    return table.check(phone_key(phone_hash), UNBLOCKED, {}, lambda _: Blocked())


def note_start(phone_hash: str, now: int) -> Write:
    """Of a phone that meets no limit, whose starts are not listed here: decision 161."""
    expression, values = "SET #started = :now, #ttl = :ttl", {":now": now, ":ttl": now + TEN_MINUTES}
    return table.update(phone_key(phone_hash), expression, UNBLOCKED, values, lambda _: Blocked())
