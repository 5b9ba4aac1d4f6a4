"""The index: verifications by phone and by reference, newest first, in a table of its own.

Written from the stream, so that a start pays nothing. Items carry `ttl`, as their verifications do.

    pk: phone#<mode>#<key id>#<hash>, reference#<mode>#<key id>#<text>
    sk: <created_at>.<its milliseconds>#<verification id>

Each entry stands there twice: under the id of its API key, and under `*` for keys that see all of a mode. A page is
one query of one `pk`, whatever else is in the table. The hash is the record's own (decision 131).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from callverify.domain.value import value
from callverify.domain.verification import Verification
from callverify.domain.words import Mode
from callverify.store.items import Item
from callverify.store.table import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

ALL_KEYS = "*"


@value
class Entry:
    """A verification in the index. place: what is passed as `after` for those that are older."""

    verification_id: str
    place: str


class Index:
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

    def add(self, verifications: Iterable[Verification]) -> None:
        """Enter verifications. One that is there already, whatever became of it since, is entered as it was."""
        self._table.write_many(puts=[item for each in verifications for item in entries(each)])

    def remove(self, verifications: Iterable[Verification]) -> None:
        """Take out all entries of verifications."""
        self._table.write_many(deletes=[item for each in verifications for item in entries(each)])

    def of_phone(
        self, mode: Mode, phone_hash: str, *, key_id: str = ALL_KEYS, after: str = "", limit: int
    ) -> list[Entry]:
        """Up to `limit` verifications of a phone by an API key, newest first. One query.

        Their records say whether they are still kept.
        """
        return self._page(_of_phone(mode, key_id, phone_hash), after, limit)

    def of_reference(
        self, mode: Mode, reference: str, *, key_id: str = ALL_KEYS, after: str = "", limit: int
    ) -> list[Entry]:
        return self._page(_of_reference(mode, key_id, reference), after, limit)

    def _page(self, pk: str, after: str, limit: int) -> list[Entry]:
        places = [str(item["sk"]) for item in self._table.newest(pk, before=after, limit=limit)]
        return [Entry(place.partition("#")[2], place) for place in places]


def entries(verification: Verification) -> list[Item]:
    """The items of a verification, made of what never changes in it. Its record has to come from the table."""
    mode, keys = verification.mode, (verification.key_id, ALL_KEYS)
    pks = [_of_phone(mode, key, verification.phone_hash) for key in keys]
    if verification.reference is not None:
        pks += [_of_reference(mode, key, verification.reference) for key in keys]
    # Numbers of ten and of three digits sort as texts.
    sk = f"{verification.created_at:010}.{verification.created_ms:03}#{verification.id}"
    return [{"pk": pk, "sk": sk, "ttl": verification.ttl or 0} for pk in pks]


def _of_phone(mode: Mode, key_id: str, phone_hash: str) -> str:
    return f"phone#{mode}#{key_id}#{phone_hash}"


def _of_reference(mode: Mode, key_id: str, reference: str) -> str:
    return f"reference#{mode}#{key_id}#{reference}"
