"""How each recorded answer of SMSC comes about at its simulator."""

from collections.abc import Callable

from werkzeug.test import TestResponse

from tests.support.simulators import Simulators
from vendors.smsc.simulator import Simulator

ACCOUNT = Simulator.credentials


def ask(
    simulators: Simulators, password: object = ACCOUNT["psw"], fmt: str = "3", charset: str = "utf-8"
) -> TestResponse:
    form = {"login": ACCOUNT["login"], "psw": password, "phone": "79000000001", "fmt": fmt, "charset": charset}
    return simulators.client.post("/smsc/sys/wait_call.php", data=form)


def ask_voice(simulators: Simulators, text: str = "Ваш код: 1, 2.") -> TestResponse:
    form = {"login": ACCOUNT["login"], "psw": ACCOUNT["psw"], "phones": "79000000001", "mes": text, "call": "1"}
    return simulators.client.post(
        "/smsc/sys/send.php", data=form | {"fmt": "3", "charset": "utf-8", "param": "20,10,1"}
    )


SITUATIONS: dict[str, Callable[[Simulators], TestResponse]] = {
    "start_success": ask,
    "start_success_fmt_0": lambda world: ask(world, fmt="0"),
    "start_success_fmt_2": lambda world: ask(world, fmt="2"),
    "error_fmt_0": lambda world: ask(world, "wrong", fmt="0"),
    "error_fmt_0_windows_1251": lambda world: ask(world, "wrong", fmt="0", charset=""),
    "error_fmt_1": lambda world: ask(world, "wrong", fmt="1"),
    "error_fmt_2": lambda world: ask(world, "wrong", fmt="2"),
    "error_fmt_3": lambda world: ask(world, "wrong"),
    "start_success_voice": ask_voice,
    "error_voice": lambda world: ask_voice(world, "code"),
}
# Misprints of the vendor's page.
NOT_SIMULATED = {"start_empty_number", "error_fmt_2_untagged"}
