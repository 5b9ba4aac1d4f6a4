"""All state: the table and its index, and the only code that knows DynamoDB."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from callverify.domain.limits import CalendarLimit
from callverify.domain.words import DAY
from callverify.store.blocks import Blocks
from callverify.store.calendar import CalendarCounters
from callverify.store.counters import Breakers
from callverify.store.erasures import Erasures
from callverify.store.events import EventLog
from callverify.store.index import Index
from callverify.store.pools import Pools
from callverify.store.table import Blocked, LimitReached, Stale, Table, Taken, put_new
from callverify.store.usage import Usage
from callverify.store.verifications import Verifications

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

__all__ = ["Blocked", "Index", "LimitReached", "Stale", "Store", "Taken", "Usage"]


class Store(Verifications, Blocks, Breakers, Erasures, EventLog, Pools):
    """Verifications and what belongs to them, blocked phones, providers that fail, and the list of events.

    retention: seconds that a record stays readable after its client token. event_retention: and an event after it
    happened.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table_name: str,
        *,
        retention: int = DAY,
        event_retention: int = DAY,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        EventLog.__init__(self)
        self._table = Table(client, table_name, sleep=sleep, monotonic=monotonic)
        self._calendar = CalendarCounters(self._table)
        self._retention = retention
        self._event_retention = event_retention

    def count(self, limits: Sequence[CalendarLimit], now: int) -> None:
        """Count what needs no record. Raises LimitReached."""
        _, refusal = self._calendar.take(limits, "", now)
        if refusal:
            raise refusal[1]

    def connect(self) -> None:
        """Open the connection that the first request will use, by a read."""
        self._table.read("pepper")

    def knows_pepper(self, fingerprint: str) -> bool:
        """Whether this is the fingerprint of the table's pepper, which the first caller sets."""
        item = self._table.read("pepper")
        if item is None:
            if self._table.put(put_new("pepper", {"fingerprint": fingerprint})):
                return True
            item = self._table.read("pepper") or {}
        return item.get("fingerprint") == fingerprint
