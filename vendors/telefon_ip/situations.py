"""How each recorded answer of telefon-ip.ru comes about at its simulator."""

from collections.abc import Callable

from werkzeug.test import TestResponse

from tests.support.simulators import Simulators
from vendors.telefon_ip.simulator import CALLS_PER_DAY, TOKEN


def ask(simulators: Simulators, action: str, token: str = TOKEN) -> TestResponse:
    return simulators.client.get(f"/telefon_ip/api/v1/authcalls/{token}/{action}")


def start(simulators: Simulators) -> TestResponse:
    body = {"phone": "89000000001", "webhook": "http://127.0.0.1:1/hook"}
    return simulators.client.post(f"/telefon_ip/api/v1/authcalls/{TOKEN}/reverse_auth_phone_post", json=body)


def call(simulators: Simulators) -> TestResponse:
    return ask(simulators, "get_code/89000000001/")


def _refused(mode: str) -> Callable[[Simulators], TestResponse]:
    def situation(simulators: Simulators) -> TestResponse:
        simulators.fault("telefon_ip", mode)
        return start(simulators)

    return situation


def _checked(*, dialled: bool, later: float) -> Callable[[Simulators], TestResponse]:
    def situation(simulators: Simulators) -> TestResponse:
        data = start(simulators).get_json()["data"]
        if dialled:
            simulators.dial("+79000000001", f"+{data['auth_phone']}")
        simulators.now += later
        return ask(simulators, f"reverse_auth_phone_check/{data['id']}")

    return situation


def _checked_without_status(simulators: Simulators) -> TestResponse:
    simulators.fault("telefon_ip", "pending_echoes_phone")
    return _checked(dialled=False, later=1)(simulators)


def _called_too_often(simulators: Simulators) -> TestResponse:
    for _ in range(CALLS_PER_DAY):
        call(simulators)
    return call(simulators)


def _call_without_money(simulators: Simulators) -> TestResponse:
    simulators.fault("telefon_ip", "no_money")
    return call(simulators)


SITUATIONS: dict[str, Callable[[Simulators], TestResponse]] = {
    "start_success": start,
    "start_refused": _refused("number_refused"),
    "start_no_money": _refused("no_money"),
    "start_bad_token": lambda world: ask(world, "reverse_auth_phone_get", token="wrong"),
    "start_success_flash": call,
    "start_flash_limit": _called_too_often,
    "start_flash_no_money": _call_without_money,
    "status_rang": lambda world: ask(world, f"get_status/{call(world).get_json()['data']['id']}/"),
    "check_ok": _checked(dialled=True, later=1),
    "check_pending": _checked(dialled=False, later=1),
    "check_expired": _checked(dialled=False, later=121),
    "check_without_status": _checked_without_status,
    "check_unknown_id": lambda world: ask(world, "reverse_auth_phone_check/0"),
}
# A misprint of the vendor's page.
NOT_SIMULATED = {"start_malformed"}
