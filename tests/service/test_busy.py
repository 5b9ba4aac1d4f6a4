"""AWS throttles, fails or stays silent: callers are told to come back, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from callverify.domain import errors
from functions.authorize import app as authorize
from tests.support import surroundings
from tests.support.failing import BUSY, SECRET_IN_ERRORS, Failing, refusal
from tests.support.gateway import PHONE, Api, load_event
from tests.support.handlers import Answer
from tests.support.surroundings import LIVE_KEY


@pytest.fixture
def fail(api: Api, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Exception], Failing]:  # noqa: ARG001
    """Have every request to an AWS service answer an error."""

    def begin(service: str, error: Exception) -> Failing:
        failing = Failing(surroundings.aws_client(service), error)
        real = surroundings.aws_client
        monkeypatch.setattr("callverify.aws.client", lambda name: failing if name == service else real(name))
        surroundings.new_container()
        return failing

    return begin


def calls(api: Api, id: str) -> dict[str, Callable[[], Answer]]:  # noqa: A002
    return {
        "start": lambda: api.start(),
        "start with a key": lambda: api.start(headers={"Idempotency-Key": "k"}),
        "status": lambda: api.status(id),
        "check": lambda: api.check(id, "1234"),
        "repeat": lambda: api.repeat(id),
        "switch": lambda: api.switch(id, PHONE, "flash_call"),
        "cancel": lambda: api.cancel(id),
    }


@pytest.mark.parametrize("error", BUSY.values(), ids=BUSY)
def test_every_call_is_answered_busy(
    api: Api, fail: Callable[[str, Exception], Failing], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    started = api.start(method="flash_call")
    monkeypatch.setattr("callverify.store.table.BUSY_SECONDS", 0)
    failing = fail("dynamodb", error)
    for name, call in calls(api, started.id).items():
        asked, answer = failing.asked, call()
        assert failing.asked > asked, name
        assert (answer.status, answer["code"], answer["retry_after"]) == (503, "busy", 2), (name, answer.body)
        assert answer.headers["Retry-After"] == "2"
        assert "verification_id" not in answer.body, "nothing was paid for"
    assert api.metrics()["Busy"] == len(calls(api, started.id))
    assert '"internal error"' not in api.logged()
    assert type(error).__name__ in api.logged()


def test_what_is_our_own_fault_is_not_busy(api: Api, fail: Callable[[str, Exception], Failing]) -> None:
    fail("dynamodb", refusal("AccessDeniedException"))
    answer = api.status("vrf_911667r5z77k6r24cf4js7w5d2")
    assert (answer.status, answer["code"]) == (500, "internal_error")


@pytest.mark.parametrize("error", BUSY.values(), ids=BUSY)
def test_secrets_that_cannot_be_read_are_answered_busy(
    fail: Callable[[str, Exception], Failing], error: Exception
) -> None:
    fail("secretsmanager", error)
    event = load_event("authorize") | {"authorizationToken": f"Bearer {LIVE_KEY}"}
    with pytest.raises(errors.Busy) as raised:
        authorize.handler(event, None)
    # What Lambda writes to the log of an error that leaves a function.
    assert raised.value.__suppress_context__
    assert SECRET_IN_ERRORS not in str(raised.value)


class Throttled:
    """A client that carries out `times` transactions, and whose writes are throttled from then on."""

    def __init__(self, client: Any, times: int) -> None:
        self._client = client
        self.left = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **request: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise refusal("ThrottlingException")
        return self._client.transact_write_items(**request)

    def put_item(self, **request: Any) -> Any:
        return self._single("put_item", request)

    def update_item(self, **request: Any) -> Any:
        return self._single("update_item", request)

    def _single(self, operation: str, request: dict[str, Any]) -> Any:
        if self.left < 1:
            raise refusal("ThrottlingException")
        return getattr(self._client, operation)(**request)


@pytest.mark.parametrize("method", ["flash_call", "reverse_call"])
def test_a_throttle_after_the_vendors_yes_names_the_verification(
    api: Api, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    throttled, real = Throttled(surroundings.aws_client("dynamodb"), times=1), surroundings.aws_client
    monkeypatch.setattr("callverify.aws.client", lambda name: throttled if name == "dynamodb" else real(name))
    monkeypatch.setattr("callverify.store.table.BUSY_SECONDS", 0)
    surroundings.new_container()
    key = {"Idempotency-Key": "one click"}

    answer = api.start(method=method, headers=key)
    assert (answer.status, answer["code"], answer["retry_after"]) == (503, "busy", 2)
    assert len(api.requests()) == 1, "the vendor was asked"
    throttled.left = 100
    assert api.status(answer["verification_id"])["status"] == "pending"

    # The answer is not stored: a retry is told what became of the start.
    early = api.start(method=method, headers=key)
    assert (early.status, early["code"], early["retry_after"]) == (409, "idempotency_in_progress", 15)
    api.advance(early["retry_after"])
    again = api.start(method=method, headers=key)
    assert (again.status, again.id) == (200, answer["verification_id"])
    assert "client_token" in again.body
    if method == "flash_call":
        assert api.paid_calls() == 1
        assert api.check(again.id, api.code(PHONE))["valid"]


def test_a_busy_answer_is_not_the_keys(api: Api, fail: Callable[[str, Exception], Failing]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("callverify.store.table.BUSY_SECONDS", 0)
        fail("dynamodb", refusal("ThrottlingException"))
        key = {"Idempotency-Key": "one click"}
        assert api.start(headers=key)["code"] == "busy"
        patched.setattr("callverify.aws.client", surroundings.aws_client)
        surroundings.new_container()
        answer = api.start(headers=key)
    assert (answer.status, answer.replayed) == (201, False)
