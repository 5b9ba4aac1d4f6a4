"""Vendors made from manifests: they count what they are paid for, whatever becomes of their answer."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol

from callverify.domain.errors import Forbidden
from callverify.domain.words import (
    CallOrder,
    CallOutcome,
    CallReport,
    Challenge,
    Deadline,
    Evidence,
    InboundWebhook,
    Method,
    Outcome,
    Reason,
    Verdict,
)
from callverify.providers.base import Identifies, Line, Manifest, Per, Proof, Route
from tests.support.points import Points

TAKES_SAME_UNIQUE_SECONDS = 15
ACCOUNT_TOKEN = "token-of-the-account"


class Mood(Enum):
    """How a vendor answers. What it is paid for is another matter."""

    WELL = "carries out, answers"
    SILENT = "carries out, its answer never comes"
    DEAF = "carries out nothing, no answer comes either"
    REFUSES = "refuses the number"
    DOWN = "cannot be reached"


class Time(Protocol):
    """The clock of a world, which waiting moves."""

    now: float

    def clock(self) -> float: ...


class Awaited:
    """A call that a user is to make: by `phone`, until `until`, reported by `webhook` if the vendor reports."""

    def __init__(self, order: CallOrder, number: str, until: float) -> None:
        self.phone = order.phone.e164
        self.number = number
        self.until = until
        self.webhook_url = order.webhook_url
        self.dialed = False


class FakeVendor:
    """One vendor with its routes; `methods` are those that are offered, all by default.

    paid: the `unique` of every call that it charges for, as often as it does. A number to call is charged for too, so
    that what is asked for twice is seen. rung: the code that each call showed. signed: the calls that it vouches for.
    moods: of single methods, before `mood`. numbers: how many numbers it lends, in turn; 0: another one each time.
    call_ids: the same of ids.
    """

    def __init__(self, manifest: Manifest, time: Time, points: Points | None = None) -> None:
        self.manifest = manifest
        self.name = manifest.name
        self.time = time
        self.points = points or Points()
        self.mood = Mood.WELL
        self.moods: dict[Method, Mood] = {}
        self.numbers = self.call_ids = 0
        self.echoes_while_pending = False
        self.windows = {route.method: route.window.default for route in manifest.routes}
        self.methods = [route.method for route in manifest.routes]
        self.asked = 0
        self.pool = random.Random(self.name)  # of the codes that it picks itself
        self.paid: list[str] = []
        self.repeated: list[str] = []
        self.rung: dict[str, str] = {}
        self.phones: dict[str, str] = {}
        self.urls: dict[str, str | None] = {}
        self.awaited: dict[str, Awaited] = {}
        self.signed: set[tuple[str, int]] = set()
        self._first_sent: dict[str, float] = {}
        self._ids = itertools.count(1)

    def lines(self) -> list[Line]:
        return [
            Line(self.manifest, route, self, self.windows[route.method], ACCOUNT_TOKEN)
            for route in self.manifest.routes
            if route.method in self.methods
        ]

    def route(self, method: Method) -> Route:
        return next(route for route in self.manifest.routes if route.method is method)

    # What the service asks

    def start(self, order: CallOrder, deadline: Deadline) -> CallOutcome:
        ring = self._ring if self.route(order.method).code else self._lend_number
        mood = self.moods.get(order.method, self.mood)
        return self._answer("start", deadline, lambda: ring(order), mood)

    def repeat(self, call_id: str, deadline: Deadline) -> CallOutcome:
        def carry_out() -> CallOutcome:
            self.repeated.append(call_id)
            return CallOutcome(Outcome.STARTED, challenge=Challenge.enter_digits(), call_id=f"{call_id}-again")

        return self._answer("repeat", deadline, carry_out, self.mood)

    def check(self, call_id: str, deadline: Deadline) -> CallReport:  # noqa: ARG002
        self.points.reach(f"before {self.name}.check")
        awaited = self.awaited[call_id]
        dialed = awaited.dialed
        self.points.reach(f"after {self.name}.check")
        evidence = Evidence.PROVIDER_READ_BACK
        if self.echoes_while_pending:
            return CallReport(Verdict.UNSTATED, caller=awaited.phone, call_id=call_id, evidence=evidence)
        if not dialed:
            return CallReport(Verdict.PENDING, call_id=call_id)
        return CallReport(Verdict.CONFIRMED, caller=awaited.phone, call_id=call_id, evidence=evidence)

    def open_webhook(self, webhook: InboundWebhook) -> Sequence[CallReport]:
        hook = self.manifest.webhook
        if "pressed" in webhook.parameters:
            (call_id,) = webhook.parameters["pressed"]
            return [
                CallReport(Verdict.PENDING, call_id=call_id, verification_id=webhook.verification_id, wants_code=True)
            ]
        (phone,), (said,) = webhook.parameters["phone"], webhook.parameters["said"]
        if hook is None or hook.proof is Proof.HINT:
            return [CallReport(Verdict.UNSTATED, caller=phone, call_id=said, verification_id=webhook.verification_id)]
        if (phone, int(said)) not in self.signed:
            raise Forbidden("The signature is wrong.")
        evidence = Evidence.PROVIDER_SIGNATURE
        return [CallReport(Verdict.CONFIRMED, caller=phone, evidence=evidence, occurred_at=int(said))]

    # The user

    def dial(self, phone: str) -> list[tuple[Sequence[str], dict[str, tuple[str, ...]]]]:
        """The phone calls the number that it was last shown: the reports that follow, as path and parameters.

        To the vendor it is every call that it awaits there from this phone.
        """
        for call_id, shown in reversed(self.awaited.items()):
            if shown.phone == phone and self.time.now < shown.until:
                for awaited in self.awaited.values():
                    if (awaited.phone, awaited.number) == (phone, shown.number) and self.time.now < awaited.until:
                        awaited.dialed = True
                return self._reports(call_id, shown)
        return []

    def press(self, call_id: str) -> dict[str, tuple[str, ...]]:
        """The called person presses a key: the parameters of the report that follows."""
        return {"pressed": (call_id,)}

    def press_all(self, phone: str) -> list[tuple[Sequence[str], dict[str, tuple[str, ...]]]]:
        """A key is pressed in every call to this phone that asks for one: the reports that follow, as from `dial`."""
        called = [unique for unique in self.phones if self.phones[unique] == phone and self.urls[unique]]
        return [((self.urls[unique] or "").split("/")[-2:], self.press(unique)) for unique in called]

    def last_code(self, phone: str) -> str | None:
        """What the last call to this phone showed."""
        return next((self.rung[unique] for unique in reversed(self.phones) if self.phones[unique] == phone), None)

    # Inside

    def _reports(self, call_id: str, awaited: Awaited) -> list[tuple[Sequence[str], dict[str, tuple[str, ...]]]]:
        hook = self.manifest.webhook
        if hook is None:
            return []
        said = call_id
        if hook.proof is Proof.SIGNATURE:
            said = str(int(self.time.now))
            self.signed.add((awaited.phone, int(said)))
        path: Sequence[str] = (ACCOUNT_TOKEN,)
        if hook.per is Per.VERIFICATION:
            assert awaited.webhook_url is not None
            path = awaited.webhook_url.split("/")[-2:]
        return [(path, {"phone": (awaited.phone,), "said": (said,)})]

    def _ring(self, order: CallOrder) -> CallOutcome:
        unique, now = order.unique, self.time.now
        asked = self.route(order.method).code
        assert asked is not None
        picked = None if asked.ours else f"{self.pool.randrange(1, 10**asked.digits):0{asked.digits}}"
        code = picked or order.code
        assert code is not None
        same = unique in self._first_sent and now <= self._first_sent[unique] + TAKES_SAME_UNIQUE_SECONDS
        if not (same and self.route(order.method).resends_safely):
            self.paid.append(unique)
            self._first_sent[unique] = now
        known = self.rung.setdefault(unique, code)
        assert known == code or picked, "another code for the same call"
        self.phones[unique] = order.phone.e164
        hook = self.route(order.method).webhook
        self.urls[unique] = order.webhook_url if hook and hook.say else None
        challenge = Challenge.enter_digits(len(code))
        return CallOutcome(Outcome.STARTED, challenge=challenge, call_id=unique, code=picked)

    def _lend_number(self, order: CallOrder) -> CallOutcome:
        self.paid.append(order.unique)
        lent = next(self._ids)
        call_id = str(lent % self.call_ids if self.call_ids else lent)
        by_phone = self.route(order.method).identifies is Identifies.BY_PHONE
        number = "+74950000000" if by_phone else f"+7495{lent % self.numbers if self.numbers else lent:0>7}"
        self.awaited[call_id] = Awaited(order, number, self.time.now + self.windows[order.method])
        challenge = Challenge.call_number(number)
        return CallOutcome(Outcome.STARTED, challenge=challenge, call_id=None if by_phone else call_id)

    def _answer(self, action: str, deadline: Deadline, carry_out: Callable[[], CallOutcome], mood: Mood) -> CallOutcome:
        if deadline.remaining() <= 0:
            return CallOutcome(Outcome.UNAVAILABLE, Reason.UNREACHABLE)
        self.points.reach(f"before {self.name}.{action}")
        self.asked += 1
        if mood is Mood.DOWN:
            return CallOutcome(Outcome.UNAVAILABLE, Reason.UNREACHABLE)
        if mood is Mood.REFUSES:
            return CallOutcome(Outcome.REJECTED, Reason.NUMBER_REFUSED)
        outcome = None if mood is Mood.DEAF else carry_out()
        self.points.reach(f"after {self.name}.{action}")
        if outcome is None or mood is Mood.SILENT:
            self.time.now += deadline.remaining()
        if outcome is None or deadline.remaining() <= 0:
            return CallOutcome(Outcome.UNKNOWN, Reason.TIMEOUT)
        return outcome
