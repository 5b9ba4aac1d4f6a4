"""How each recorded answer of Twilio comes about at its simulator."""

from collections.abc import Callable

from werkzeug.test import TestResponse

from tests.support.simulators import Simulators
from vendors.twilio.simulator import ACCOUNT_SID, AUTH_TOKEN, FROM

TWIML = '<Response><Gather numDigits="1" method="POST" action="http://receiver.example/key"><Say>Key?</Say></Gather></Response>'


def ask(simulators: Simulators, token: str = AUTH_TOKEN, **changed: str) -> TestResponse:
    form = {"To": "+79000000001", "From": FROM, "Timeout": "15", "Twiml": TWIML} | changed
    path = f"/twilio/2010-04-01/Accounts/{ACCOUNT_SID}/Calls.json"
    return simulators.client.post(path, data=form, auth=(ACCOUNT_SID, token))


def _no_money(simulators: Simulators) -> TestResponse:
    simulators.fault("twilio", "no_money")
    return ask(simulators)


SITUATIONS: dict[str, Callable[[Simulators], TestResponse]] = {
    "start_success": ask,
    "error_authenticate": lambda world: ask(world, "wrong"),
    "error_to_not_valid": lambda world: ask(world, To="+7900"),
    "error_from_not_verified": lambda world: ask(world, From="+15005550001"),
    "error_account_not_active": _no_money,
}
# Twilio's voice geography is no concern of the simulator's.
NOT_SIMULATED = {"error_geography"}
