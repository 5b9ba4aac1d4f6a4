"""How each recorded answer of SMS.RU comes about at its simulator."""

from collections.abc import Callable

from werkzeug.test import TestResponse

from tests.support.simulators import Simulators
from vendors.sms_ru.simulator import API_ID


def ask(simulators: Simulators, path: str, **form: str) -> TestResponse:
    return simulators.client.post(f"/sms_ru/{path}", data={"api_id": API_ID, "json": "1", **form})


def add(simulators: Simulators, phone: str = "79000000001") -> TestResponse:
    return ask(simulators, "callcheck/add", phone=phone)


def call(simulators: Simulators, phone: str = "79000000001") -> TestResponse:
    return ask(simulators, "code/call", phone=phone, ip="-1")


def _with(mode: str, situation: Callable[[Simulators], TestResponse]) -> Callable[[Simulators], TestResponse]:
    def changed(simulators: Simulators) -> TestResponse:
        simulators.fault("sms_ru", mode)
        return situation(simulators)

    return changed


def _checked(*, dialled: bool, later: float = 1, mode: str | None = None) -> Callable[[Simulators], TestResponse]:
    def situation(simulators: Simulators) -> TestResponse:
        found = add(simulators).get_json()
        if dialled:
            simulators.dial("+79000000001", f"+{found['call_phone']}")
        simulators.now += later
        if mode:
            simulators.fault("sms_ru", mode)
        return ask(simulators, "callcheck/status", check_id=found["check_id"])

    return situation


SITUATIONS: dict[str, Callable[[Simulators], TestResponse]] = {
    "start_success": add,
    "start_success_flash": call,
    "start_other_types": _with("other_types", add),
    "error_api_id": lambda world: ask(world, "callcheck/add", phone="79000000001", api_id="wrong"),
    "error_no_money": _with("no_money", add),
    "error_number": lambda world: add(world, "1"),
    "error_flash_api_id": lambda world: ask(world, "code/call", phone="79000000001", api_id="wrong"),
    "error_flash_no_money": _with("no_money", call),
    "check_pending": _checked(dialled=False),
    "check_called": _checked(dialled=True),
    "check_called_as_number": _checked(dialled=True, mode="other_types"),
    "check_expired": _checked(dialled=False, later=301),
    "check_unknown_id": lambda world: ask(world, "callcheck/status", check_id="201737-0"),
}
# The simulator's own code is another with every call.
NOT_SIMULATED = {"start_flash_code_as_number", "error_flash_without_code", "balance"}
