"""How each recorded answer of uCaller comes about at its simulator."""

from collections.abc import Callable

from werkzeug.test import TestResponse

from tests.support.simulators import Simulators
from vendors.ucaller.simulator import Simulator

PAIR = f"{Simulator.credentials['key']}.{Simulator.credentials['service_id']}"


def ask(simulators: Simulators, action: str, pair: str = PAIR, **body: object) -> TestResponse:
    headers = {"Authorization": f"Bearer {pair}"}
    return simulators.client.post(f"/ucaller/v1.0/{action}", json=body, headers=headers)


def _repeated(simulators: Simulators) -> TestResponse:
    first = ask(simulators, "initCall", phone=79000000001, code="1000", client="nickname", unique="u").get_json()
    simulators.now += 61
    return ask(simulators, "initRepeat", uid=first["ucaller_id"])


def _repeated_405(simulators: Simulators) -> TestResponse:
    simulators.fault("ucaller", "repeat_405")
    return ask(simulators, "initRepeat", uid=1)


def _info(simulators: Simulators) -> TestResponse:
    first = ask(simulators, "initCall", phone=79000000002, code="1234").get_json()
    return ask(simulators, "getInfo", uid=first["ucaller_id"])


def _same_unique(simulators: Simulators) -> TestResponse:
    ask(simulators, "initCall", phone=79000000001, code="0427", unique="u")
    return ask(simulators, "initCall", phone=79000000001, code="0427", unique="u")


def _no_money(simulators: Simulators) -> TestResponse:
    simulators.fault("ucaller", "no_money")
    return ask(simulators, "initCall", phone=79000000001, code="1234")


SITUATIONS: dict[str, Callable[[Simulators], TestResponse]] = {
    "start_success": lambda world: ask(world, "initCall", phone=79000000001, code="1234"),
    "start_success_voice": lambda world: ask(world, "initCall", phone=79000000001, code="0427", voice=True),
    "start_unreachable": lambda world: ask(world, "initCall", phone=79000000002, code="1234"),
    "start_same_unique": _same_unique,
    "error_phone_as_text": lambda world: ask(world, "initCall", phone="79000000001", code="1234"),
    "error_credentials": lambda world: ask(world, "initCall", "wrong.1", phone=79000000001),
    "error_no_money": _no_money,
    "repeat_unsupported": _repeated_405,
    "repeat_success": _repeated,
    "info_unreachable": _info,
}
# An older edition of the vendor's page, which it does not answer today.
NOT_SIMULATED = {"start_code_as_number"}
