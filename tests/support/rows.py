"""The table in memory, as unit tests look into it, and a store over it with changes written for a test's sake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from callverify.domain import verification as transitions
from callverify.domain.claims import Claim
from callverify.domain.verification import Change, Verification
from callverify.domain.words import CallOutcome, Challenge, Outcome
from callverify.store import Store
from callverify.store.items import deserialized
from tests.support.dynamodb import MemoryDynamoDb
from tests.support.records import NOW, flash
from tests.support.service import TABLE


def rows(dynamodb: MemoryDynamoDb) -> list[dict[str, Any]]:
    return list(map(deserialized, dynamodb.scan(TableName=TABLE)["Items"]))


def row(dynamodb: MemoryDynamoDb, pk: str) -> dict[str, Any] | None:
    return next((found for found in rows(dynamodb) if found["pk"] == pk), None)


def begin(
    store: Store, record: Verification | None = None, claims: Sequence[Claim] = (), now: int | None = None
) -> Verification:
    """Write a record as a start does."""
    record = record or flash()
    return store.apply(Change(None, record), record.created_at if now is None else now, claims)


def started(store: Store, record: Verification | None = None, now: int = NOW) -> Verification:
    """A call that the provider agreed to."""
    begun, outcome = begin(store, record), CallOutcome(Outcome.STARTED, call_id="7")
    change = transitions.answer(begun, outcome, Challenge.enter_digits(), repeats=2, repeat_after=60, now=now)
    return store.apply(change, now)


def take(store: Store, now: int, *claims: Claim) -> None:
    """Write claims that need no record."""
    store.take(claims, Change(None, flash()), now)
