"""What the service does while Secrets Manager fails, and when the pepper is another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from callverify.domain.errors import Busy
from callverify.runtime import startup, wiring
from callverify.store.table import Table
from tests.support import surroundings
from tests.support.failing import BUSY, Failing, refusal
from tests.support.follow_ups import end
from tests.support.gateway import PHONE, Api, smsc_webhook
from tests.support.surroundings import (
    LIVE_KEY,
    PEPPER,
    PEPPER_SECRET,
    TABLE,
    api_key,
    items,
    new_container,
    put_api_keys,
    put_secret,
)

OTHER_PEPPER = "AnotherPepper" * 5
Fail = Callable[[Exception | None], None]


@pytest.fixture
def fail(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fail]:  # noqa: ARG001
    """Have Secrets Manager answer nothing but an error, or (None) what it should."""
    real: Any = surroundings.aws_client

    def begin(error: Exception | None) -> None:
        failing: Any = Failing(real("secretsmanager"), error) if error else real("secretsmanager")
        monkeypatch.setattr("callverify.aws.client", lambda name: failing if name == "secretsmanager" else real(name))

    yield begin
    begin(None)


@pytest.mark.parametrize("error", BUSY.values(), ids=BUSY)
def test_everything_goes_on_for_an_hour_while_secrets_cannot_be_read(api: Api, fail: Fail, error: Exception) -> None:
    token = api.start(method="flash_call")["client_token"]
    fail(error)
    api.advance(1700)
    started = api.start("+79000000012", method="flash_call")
    assert started.status == 201
    assert api.check(started.id, api.code("+79000000012"), credential=started["client_token"])["valid"] is True
    assert api.status(started.id, credential=token).status == 403
    api.advance(1890)
    assert api.start("+79000000013").status == 201
    assert api.metrics()["SecretsUnreadable"] > 0
    api.advance(20)
    assert api.start("+79000000014").status == 503


def test_a_key_that_was_revoked_dies_when_secrets_can_be_read_again(api: Api, fail: Fail) -> None:
    assert api.status("vrf_x").status == 404
    fail(BUSY["timeout"])
    put_api_keys([api_key("cv_live_" + "2" * 43)])
    api.advance(1000)
    assert api.status("vrf_x").status == 404
    fail(None)
    api.advance(10)
    assert api.status("vrf_x").status == 401


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_a_secret_that_is_refused_is_not_used_on(api: Api, fail: Fail, code: str) -> None:
    started = api.start()
    fail(refusal(code))
    api.advance(240)
    answer = api.status(started.id)
    assert (answer.status, answer["code"]) == (503, "busy")
    assert api.metrics()["SecretsUnreadable"] == 0
    assert f"Secrets Manager says {code}" in api.logged()


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_what_needs_no_vendor_needs_no_credentials(api: Api, fail: Fail, code: str) -> None:
    started = api.start(method="flash_call")
    new_container()
    api.advance(5)
    api.status(started.id)  # which reads the keys
    fail(refusal(code))
    assert api.status(started.id).status == 200


# The pepper


def test_a_container_with_another_pepper_does_nothing(api: Api) -> None:
    started = api.start(method="flash_call")
    right, token = api.code(PHONE), started["client_token"]
    put_secret(PEPPER_SECRET, OTHER_PEPPER)
    new_container()
    before = items()
    for answer in (
        api.start(),
        api.status(started.id),
        api.check(started.id, right),
        api.repeat(started.id),
        api.switch(started.id, PHONE, "flash_call"),
        api.cancel(started.id),
        api.send_webhook(smsc_webhook(PHONE, api.now)),
    ):
        assert (answer.status, answer["code"]) == (503, "busy")
    assert api.status(started.id, credential=token).status == 503
    with pytest.raises(Busy):
        end(wiring.service(), started.id)
    assert items() == before
    assert api.requests() == ["initCall"]
    assert '"setting":"pepper"' in api.logged()
    assert api.metrics()["ConfigurationFaults"] > 0

    put_secret(PEPPER_SECRET, PEPPER)
    api.advance(240)
    assert api.check(started.id, right, credential=token)["valid"] is True


def test_an_api_key_is_known_whatever_the_pepper(api: Api) -> None:  # noqa: ARG001
    """What it opens judges the pepper itself."""
    put_secret(PEPPER_SECRET, OTHER_PEPPER)
    assert wiring.access().caller(f"Bearer {LIVE_KEY}").key_id


@pytest.mark.parametrize("first", [PEPPER, OTHER_PEPPER])
def test_the_first_function_says_which_pepper_it_is(api: Api, first: str) -> None:
    second = {PEPPER: OTHER_PEPPER, OTHER_PEPPER: PEPPER}[first]
    put_secret(PEPPER_SECRET, first)
    wiring.keys()
    found = surroundings.aws_client("dynamodb").get_item(TableName=TABLE, Key={"pk": {"S": "pepper"}})["Item"]
    assert found == {"pk": {"S": "pepper"}, "fingerprint": {"S": wiring.keys().fingerprint()}}
    for pepper in (second, first):
        put_secret(PEPPER_SECRET, pepper)
        new_container()
        if pepper == first:
            wiring.keys()
        else:
            with pytest.raises(Busy):
                wiring.keys()
    assert api.start().status == 201


def test_two_that_come_first_at_once_agree(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """The other's write lies between our read and our write."""
    read = Table.read
    reads: list[str] = []

    def read_and_lose(table: Any, pk: str) -> Any:
        found = read(table, pk)
        if not reads:
            surroundings.aws_client("dynamodb").put_item(
                TableName=TABLE, Item={"pk": {"S": "pepper"}, "fingerprint": {"S": "0" * 64}}
            )
        reads.append(pk)
        return found

    monkeypatch.setattr(Table, "read", read_and_lose)
    with pytest.raises(Busy):
        wiring.keys()
    assert reads == ["pepper", "pepper"]


def test_a_start_up_asks_no_more_than_before(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """The fingerprint is read in place of an item that there never was."""
    # A real client says what it asks.
    monkeypatch.setattr(surroundings, "dynamodb", surroundings.moto_client("dynamodb"))
    surroundings.create_table()
    wiring.keys()
    new_container()
    asked: list[str] = []
    for service in ("dynamodb", "secretsmanager"):
        surroundings.aws_client(service).meta.events.register(
            "before-call", lambda model, **_: asked.append(model.name), unique_id="counting"
        )
    try:
        startup.secrets()
        assert asked == ["GetSecretValue", "GetItem", "GetSecretValue"]
        asked.clear()
        new_container()
        startup.credentials()
        assert asked == ["GetSecretValue", "GetSecretValue"]
    finally:
        for service in ("dynamodb", "secretsmanager"):
            surroundings.aws_client(service).meta.events.unregister("before-call", unique_id="counting")
