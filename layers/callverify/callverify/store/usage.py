"""What API keys have used, by day, in the index's table: counted once for each verification that has ended.

pk: usage#<mode>#<day>       sk: <key id>#<provider>#<method>#<shard>
pk: counted#<verification>   that it has been counted, for longer than the stream brings its end again
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import batched
from typing import TYPE_CHECKING

from callverify.domain.usage import Amounts, Place
from callverify.domain.words import DAY, Mode
from callverify.store import table
from callverify.store.items import Item, serialized
from callverify.store.table import Lost, Stale, Table, Write

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

KEPT_DAYS = 400
COUNTED_DAYS = 2  # the stream keeps a change for one
AT_ONCE = 8  # verifications in a transaction, which takes 100 items
SHARDS = 4  # of each counter, so that functions beside each other seldom meet

Used = Sequence[tuple[Place, Amounts]]


class _Counted(Lost):
    def __init__(self, verification_id: str) -> None:
        super().__init__()
        self.verification_id = verification_id


class Usage:
    """Raises Busy where DynamoDB throttles, fails, or gives no answer."""

    def __init__(
        self,
        client: DynamoDBClient,
        table_name: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = Table(client, table_name, sleep=sleep, monotonic=monotonic)

    def count(self, ended: Mapping[str, Used], now: int) -> None:
        """Count what each verification used, by its id: exactly once, however often it is asked for."""
        for some in batched(ended.items(), AT_ONCE, strict=False):
            left = dict(some)
            while left:
                try:
                    self._table.transact(_writes(left, now))
                except _Counted as counted:
                    del left[counted.verification_id]
                else:
                    break

    def of_day(self, mode: Mode, day: str, key_id: str | None = None) -> dict[tuple[str, str], Amounts]:
        """By provider and method, of a key or of all. None of those that are pending."""
        found: dict[tuple[str, str], Amounts] = defaultdict(Amounts)
        for item in self._table.all_of(f"usage#{mode}#{day}", f"{key_id}#" if key_id else ""):
            _, provider, method, _ = item["sk"].split("#")
            found[provider, method].update(
                {name: amount for name, amount in item.items() if name not in ("pk", "sk", "ttl")}
            )
        return found


def _writes(ended: Mapping[str, Used], now: int) -> list[Write]:
    marks = [_mark(each, now) for each in ended]
    first = next(iter(ended))
    shard = hashlib.sha256(first.encode()).digest()[0] % SHARDS
    return [*marks, *(_add(place, amounts, shard, now) for place, amounts in _sums(ended.values()).values())]


def _mark(verification_id: str, now: int) -> Write:
    item = {"sk": "-", "ttl": now + COUNTED_DAYS * DAY}
    return table.put_new(f"counted#{verification_id}", item, lambda _: _Counted(verification_id))


def _sums(useds: Iterable[Used]) -> dict[tuple[str, ...], tuple[Place, Amounts]]:
    sums: dict[tuple[str, ...], tuple[Place, Amounts]] = {}
    for used in useds:
        for place, amounts in used:
            key = (place.mode, place.day, place.key_id, place.provider, place.method)
            sums.setdefault(key, (place, Amounts()))[1].update(amounts)
    return sums


def _add(place: Place, amounts: Amounts, shard: int, now: int) -> Write:
    sets = [f"#{name} = if_not_exists(#{name}, :zero) + :{name}" for name in sorted(amounts)]
    values: Item = {f":{name}": amount for name, amount in amounts.items()}
    values |= {":zero": 0, ":ttl": now + KEPT_DAYS * DAY}
    pk = f"usage#{place.mode}#{place.day}"
    write = table.update(pk, f"SET {', '.join(sets)}, #ttl = :ttl", "", values, lambda _: Stale())
    write.request["Key"] = serialized({"pk": pk, "sk": f"{place.key_id}#{place.provider}#{place.method}#{shard}"})
    return write
