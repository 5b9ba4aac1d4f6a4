"""The numbers that a test key verifies, as a provider: it takes the place of every vendor, and asks none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from callverify.domain import errors
from callverify.domain.value import value
from callverify.domain.words import (
    CallOrder,
    CallOutcome,
    CallReport,
    Challenge,
    Clock,
    Deadline,
    Evidence,
    InboundWebhook,
    Method,
    Outcome,
    Phone,
    Reason,
    Verdict,
    has_code,
)
from callverify.providers.base import Line, Manifest, Proof, Route

ANSWERED_PHONE = "+79000000103"
ANSWER_AFTER_SECONDS = 2
NUMBER_TO_CALL = "+79000000100"


@value
class Scenario:
    """method: the only one that it answers, or None for any."""

    method: Method | None = None
    expires_at_once: bool = False
    refused: bool = False


TEST_NUMBERS = {
    "+79000000101": Scenario(Method.FLASH_CALL),
    "+79000000102": Scenario(expires_at_once=True),
    ANSWERED_PHONE: Scenario(Method.REVERSE_CALL),
    "+79000000104": Scenario(refused=True),
    "+79000000105": Scenario(Method.VOICE_CALL),
}


class Sandbox:
    """A vendor's stand-in. The code that it calls with is all zeros, whether ours or the vendor's: see `code`."""

    def __init__(self, manifest: Manifest, clock: Clock) -> None:
        self._manifest = manifest
        self._clock = clock
        self._their_digits = {
            route.method: route.code.digits for route in manifest.routes if route.code and not route.code.ours
        }
        # Of its calls that users dial: why they would count.
        signed = any(route.webhook and route.webhook.proof is Proof.SIGNATURE for route in manifest.routes)
        self._evidence = Evidence.PROVIDER_SIGNATURE if signed else Evidence.PROVIDER_READ_BACK

    def lines(self, phone: Phone | None) -> list[Line]:
        """What this provider offers for a test number; all of it where no number is asked for."""
        scenario = TEST_NUMBERS[phone.e164] if phone else Scenario()
        return [
            Line(self._manifest, self._route(route), self, 0 if scenario.expires_at_once else route.window.default)
            for route in self._manifest.routes
            if scenario.method in (None, route.method)
        ]

    @staticmethod
    def _route(route: Route) -> Route:
        """As the vendor's own, but every dialled call can be read back, and a repeat has not to be waited for.

        Paid where the vendor's is, though nobody pays: its place in the order is by that.
        """
        return replace(route, read_back=not has_code(route.method), webhook=None, repeat_after=0, resends_safely=False)

    def start(self, order: CallOrder, deadline: Deadline) -> CallOutcome:  # noqa: ARG002
        if TEST_NUMBERS[order.phone.e164].refused:
            return CallOutcome(Outcome.REJECTED, Reason.NUMBER_REFUSED)
        called_at = str(int(self._clock()))
        digits = self._their_digits.get(order.method)
        if digits:
            challenge = Challenge.enter_digits(digits)
            return CallOutcome(Outcome.STARTED, challenge=challenge, call_id=called_at, code=code(digits))
        if order.code is None:
            return CallOutcome(Outcome.STARTED, challenge=Challenge.call_number(NUMBER_TO_CALL), call_id=called_at)
        return CallOutcome(Outcome.STARTED, challenge=Challenge.enter_digits(len(order.code)), call_id=called_at)

    def repeat(self, call_id: str, deadline: Deadline) -> CallOutcome:  # noqa: ARG002
        return CallOutcome(Outcome.STARTED, call_id=call_id)

    def check(self, call_id: str, deadline: Deadline) -> CallReport:  # noqa: ARG002
        answered = self._clock() >= int(call_id) + ANSWER_AFTER_SECONDS
        verdict = Verdict.CONFIRMED if answered else Verdict.PENDING
        return CallReport(verdict, ANSWERED_PHONE, call_id, evidence=self._evidence)

    def open_webhook(self, webhook: InboundWebhook) -> Sequence[CallReport]:  # noqa: ARG002
        return ()


def code(digits: int) -> str:
    return "0" * digits


def judge(phone: Phone, methods: Sequence[Method]) -> Phone:
    """The test number that a test key names, if it answers one of `methods`. Raises InvalidPhone."""
    scenario = TEST_NUMBERS.get(phone.e164)
    if scenario is None:
        raise errors.InvalidPhone(f"A test key verifies only test numbers: {', '.join(TEST_NUMBERS)}.")
    if scenario.method not in (None, *methods):
        raise errors.InvalidPhone(
            f"This test number takes {scenario.method} only. Name it in `method` or in `allowed_methods`."
        )
    return phone
