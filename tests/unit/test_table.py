"""Requests to a DynamoDB that is busy: sent again under one token, and given up in time."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from callverify.domain import verification as transitions
from callverify.domain.claims import TakeLock
from callverify.domain.errors import Busy
from callverify.domain.limits import RollingLimit
from callverify.store import Store
from callverify.store.table import BUSY_SECONDS, CONFLICT_RETRIES
from tests.support.dynamodb import MemoryDynamoDb
from tests.support.failing import refusal
from tests.support.records import NOW, flash, reverse
from tests.support.rows import begin, take
from tests.support.service import TABLE


def patient(client: Any) -> Store:
    """A store that waits without taking time."""
    return Store(client, TABLE, sleep=lambda _: None, monotonic=lambda: 0)


class Busyness:
    """A client that answers transactions with these errors first, and notes what it is sent."""

    def __init__(self, client: Any, *errors: Exception) -> None:
        self._client = client
        self._errors = list(errors)
        self.exceptions = client.exceptions
        self.sent: list[dict[str, Any]] = []

    def transact_write_items(self, **request: Any) -> Any:
        self.sent.append(request)
        if self._errors:
            raise self._errors.pop(0)
        return self._client.transact_write_items(**request)


class Conflicts:
    """A client whose single writes meet so many transactions."""

    def __init__(self, client: Any, number: int) -> None:
        self._client = client
        self.left = number

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)
        if name not in ("update_item", "delete_item", "put_item"):
            return operation

        def write(**request: Any) -> Any:
            if self.left:
                self.left -= 1
                raise refusal("TransactionConflictException")
            return operation(**request)

        return write


def test_a_single_write_that_meets_a_transaction_is_tried_again(dynamodb: MemoryDynamoDb, store: Store) -> None:
    record = begin(store, reverse())
    client = Conflicts(dynamodb, 3)
    meeting = patient(client)
    assert meeting.apply(transitions.note_report(record, "call", now=NOW + 60), NOW + 60).reported_at == NOW + 60
    client.left = 3
    assert meeting.count_failure("any", NOW) == 1
    client.left = 3
    assert meeting.knows_pepper("first")
    client.left = 1000
    with pytest.raises(Busy):
        meeting.forget_failures("any")
    assert client.left == 1000 - CONFLICT_RETRIES


UNCLEAR: list[Exception] = [
    refusal("TransactionInProgressException"),
    refusal("InternalServerError", 500),
    ReadTimeoutError(endpoint_url="https://dynamodb"),
    ConnectionClosedError(endpoint_url="https://dynamodb"),
    refusal("ThrottlingException"),
    refusal("TransactionCanceledException", CancellationReasons=[{"Code": "ThrottlingError"}, {"Code": "None"}]),
    refusal("TransactionCanceledException", CancellationReasons=[{"Code": "TransactionConflict"}, {"Code": "None"}]),
]


def test_a_transaction_is_sent_again_under_its_token(dynamodb: MemoryDynamoDb) -> None:
    client = Busyness(dynamodb, *UNCLEAR)
    store = patient(client)
    begin(store, None, [TakeLock()])
    assert len(client.sent) == len(UNCLEAR) + 1
    assert all(request == client.sent[0] for request in client.sent)
    begin(store, flash(id="vrf_2", phone_hash="another"), [TakeLock()])
    tokens = {request["ClientRequestToken"] for request in client.sent}
    assert len(tokens) == 2, "another transaction has another token"
    assert all(len(token) <= 36 for token in tokens)


def test_a_form_of_a_transaction_that_changed_has_another_token(dynamodb: MemoryDynamoDb, store: Store) -> None:
    """A list of starts that has grown long is written anew, by another form of the same transaction."""
    limit = RollingLimit("phone_10m", "p", 1, 1)
    for second in range(12):
        take(store, NOW + second, limit)
    client = Busyness(dynamodb)
    take(patient(client), NOW + 12, limit)
    contents = [str(request["TransactItems"]) for request in client.sent]
    assert len(set(contents)) == len({request["ClientRequestToken"] for request in client.sent}) == 2


def test_a_transaction_that_stays_busy_is_given_up(dynamodb: MemoryDynamoDb) -> None:
    client: Any = Busyness(dynamodb, *[refusal("ThrottlingException")] * 100)
    seconds = iter(range(100))
    with pytest.raises(Busy) as raised:
        begin(Store(client, TABLE, sleep=lambda _: None, monotonic=lambda: next(seconds)))
    assert len(client.sent) == BUSY_SECONDS
    assert raised.value.retry_after


@pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException"])
def test_a_refusal_that_is_our_own_fault_is_not_sent_again(dynamodb: MemoryDynamoDb, code: str) -> None:
    client = Busyness(dynamodb, refusal(code))
    with pytest.raises(ClientError):
        begin(patient(client))
    assert len(client.sent) == 1
