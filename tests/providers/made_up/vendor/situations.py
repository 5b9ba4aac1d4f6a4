"""How each recorded answer of Ringbell comes about at its simulator."""

from collections.abc import Callable

from werkzeug.test import TestResponse

from tests.support.simulators import Simulators

from .simulator import KEY

HEADERS = {"Authorization": f"Bearer {KEY}"}


def ask(simulators: Simulators, action: str, headers: dict[str, str] = HEADERS, **body: object) -> TestResponse:
    url = f"/ringbell/{action}"
    opened = simulators.client
    return opened.post(url, json=body, headers=headers) if body else opened.get(url, headers=headers)


def _called(simulators: Simulators) -> TestResponse:
    lent = ask(simulators, "reverse", phone="79000000001").get_json()
    simulators.dial("+79000000001", f"+{lent['number']}")
    return ask(simulators, f"calls/{lent['call']}")


SITUATIONS: dict[str, Callable[[Simulators], TestResponse]] = {
    "start_success": lambda world: ask(world, "reverse", phone="79000000001"),
    "start_success_flash": lambda world: ask(world, "flash", phone="79000000001", code="0427"),
    "error_credentials": lambda world: ask(world, "reverse", {}, phone="79000000001"),
    "check_called": _called,
}
NOT_SIMULATED: set[str] = set()
