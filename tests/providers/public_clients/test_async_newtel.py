"""async-newtel, as published, against the simulator of New-Tel. It signs its requests by itself."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from tests.providers.public_clients.conftest import Call, client
from vendors.new_tel.simulator import API_KEY, SIGNING_KEY

NUMBER = "+79000000011"


@contextmanager
def opened(simulators: str, **keys: str) -> Iterator[Call]:
    account = {"api_key": API_KEY, "signing_key": SIGNING_KEY} | keys
    host, environment = f"{simulators}/new_tel/", ".venv-vendors-async-newtel"
    with client("async_newtel.newtel", "AsyncClient", environment=environment, host=host, **account) as call:
        assert call("open") == ("NoneType", None)
        yield call
        call("close")


@pytest.mark.parametrize("code", ["0427", 1234])
def test_a_flash_call(simulators: str, code: str | int) -> None:
    with opened(simulators) as call:
        kind, call_id = call("call", number=NUMBER, code=code)
    assert (kind, call_id.isdecimal()) == ("str", True)
    (rung,) = requests.get(f"{simulators}/phone/{NUMBER}", timeout=60).json()["incoming_calls"]
    assert rung["from"].endswith(str(code))


def test_a_refusal_is_a_message_that_the_client_reads(simulators: str) -> None:
    with opened(simulators, signing_key="0" * 48) as stranger:
        assert stranger("call", number=NUMBER, code="0427") == ("str", "Invalid signature")
    assert requests.get(f"{simulators}/phone/{NUMBER}", timeout=60).json()["incoming_calls"] == []
