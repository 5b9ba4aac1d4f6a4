"""How each recorded answer of New-Tel comes about at its simulator."""

import time
from collections.abc import Callable
from typing import Any

from werkzeug.test import TestResponse

from callverify.providers.new_tel.client import signed
from tests.support.simulators import Simulators
from vendors.new_tel.simulator import API_KEY, SIGNING_KEY

START, STATUS = "call-password/start-password-call", "call-password/get-password-call-status"


def ask(simulators: Simulators, method: str, signing_key: str = SIGNING_KEY, **parameters: object) -> TestResponse:
    body, headers = signed(method, parameters, int(time.time()), API_KEY, signing_key)
    return simulators.client.post(f"/new_tel/{method}", data=body, headers=headers)


def start(simulators: Simulators, **changed: Any) -> TestResponse:
    wanted: dict[str, Any] = {"async": 1, "dstNumber": "79000000001", "pin": "0427", "timeout": 20}
    return ask(simulators, START, **(wanted | changed))


def _operator_named(simulators: Simulators) -> TestResponse:
    simulators.fault("new_tel", "operator_named")
    return start(simulators)


def _no_money(simulators: Simulators) -> TestResponse:
    simulators.fault("new_tel", "no_money")
    return start(simulators)


def _status(simulators: Simulators) -> TestResponse:
    call_id = start(simulators).get_json()["data"]["callDetails"]["callId"]
    return ask(simulators, STATUS, callId=call_id)


SITUATIONS: dict[str, Callable[[Simulators], TestResponse]] = {
    "start_success": start,
    "start_success_operator": _operator_named,
    "start_invalid_number": lambda world: start(world, dstNumber="74950000001"),
    "error_no_money": _no_money,
    "error_credentials": lambda world: ask(world, START, "0" * 48, dstNumber="79000000001"),
    "status_no_answer": _status,
}
# What the vendor might answer, and nobody has seen.
NOT_SIMULATED = {"start_pin_as_number", "start_other_pin"}
