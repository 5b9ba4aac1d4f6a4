"""Vendors that count what they are paid for, whatever becomes of their answer."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from enum import Enum
from typing import Any, ClassVar, Protocol, Self

from callverify.errors import Forbidden, NotFound
from callverify.models import (
    CallOrder,
    CallReport,
    CallVerdict,
    Cause,
    Challenge,
    Deadline,
    Evidence,
    InboundWebhook,
    Method,
    Outcome,
    ProviderName,
    Result,
)
from callverify.providers.base import ProviderSettings
from tests.service.crashes.points import Points

TAKES_SAME_UNIQUE_SECONDS = 15


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


class Vendor:
    """What the three have in common. `paid`: the `unique` of every call that it charges for, as often as it does."""

    name: ClassVar[ProviderName]
    free_repeats: ClassVar[int] = 0
    repeat_after: ClassVar[int] = 0
    can_check: ClassVar[bool] = False
    resends_safely: ClassVar[bool] = False
    knows_calls_by_phone_alone: ClassVar[bool] = False
    window: int

    def __init__(self, time: Time, points: Points) -> None:
        self.time = time
        self.points = points
        self.mood = Mood.WELL
        self.asked = 0
        self.paid: list[str] = []

    @classmethod
    def configure(cls, credentials: Mapping[str, Any], settings: ProviderSettings) -> Self:
        raise NotImplementedError

    def start(self, order: CallOrder, deadline: Deadline) -> Outcome:
        return self._answer("start", deadline, lambda: self._begin_call(order))

    def repeat(self, call_id: str, deadline: Deadline) -> Outcome:  # noqa: ARG002
        return Outcome(Result.UNAVAILABLE, Cause.NOT_SUPPORTED)

    def check(self, call_id: str, deadline: Deadline) -> CallReport:  # noqa: ARG002
        return CallReport(CallVerdict.UNREADABLE)

    def open_webhook(self, webhook: InboundWebhook) -> CallReport | None:  # noqa: ARG002
        raise NotFound("There is no such webhook.")

    def _begin_call(self, order: CallOrder) -> Outcome:
        raise NotImplementedError

    def _answer(self, action: str, deadline: Deadline, carry_out: Any) -> Outcome:
        if deadline.remaining() <= 0:
            return Outcome(Result.UNAVAILABLE, Cause.UNREACHABLE)
        self.points.reach(f"before {self.name}.{action}")
        self.asked += 1
        if self.mood is Mood.DOWN:
            return Outcome(Result.UNAVAILABLE, Cause.UNREACHABLE)
        if self.mood is Mood.REFUSES:
            return Outcome(Result.REJECTED, Cause.NUMBER_REFUSED)
        outcome: Outcome | None = None if self.mood is Mood.DEAF else carry_out()
        self.points.reach(f"after {self.name}.{action}")
        if outcome is None or self.mood is Mood.SILENT:
            self.time.now += deadline.remaining()
        if outcome is None or deadline.remaining() <= 0:
            return Outcome(Result.UNKNOWN, Cause.TIMEOUT)
        return outcome


class FakeUcaller(Vendor):
    """Takes the same `unique` for the same call for 15 s; after that it calls again and charges again."""

    name = ProviderName.UCALLER
    method: ClassVar[Method] = Method.FLASH_CALL
    free_repeats = 2
    repeat_after = 60
    resends_safely = True
    window = 300

    def __init__(self, time: Time, points: Points) -> None:
        super().__init__(time, points)
        self.first_sent: dict[str, float] = {}
        self.rung: dict[str, str] = {}  # unique → code
        self.phones: dict[str, str] = {}  # unique → phone
        self.repeated: list[str] = []  # unique of the first call

    def _begin_call(self, order: CallOrder) -> Outcome:
        assert order.code is not None
        unique, now = order.unique, self.time.now
        if unique not in self.first_sent or now > self.first_sent[unique] + TAKES_SAME_UNIQUE_SECONDS:
            self.paid.append(unique)
            self.first_sent[unique] = now
        assert self.rung.setdefault(unique, order.code) == order.code, "another code for the same call"
        self.phones[unique] = order.phone.e164
        return Outcome(Result.STARTED, challenge=Challenge.enter_digits(), call_id=unique)

    def repeat(self, call_id: str, deadline: Deadline) -> Outcome:
        def carry_out() -> Outcome:
            self.repeated.append(call_id)
            return Outcome(Result.STARTED, challenge=Challenge.enter_digits(), call_id=f"{call_id}-again")

        return self._answer("repeat", deadline, carry_out)

    def last_code(self, phone: str) -> str | None:
        """What the last call to this phone showed."""
        return next((self.rung[unique] for unique in reversed(self.phones) if self.phones[unique] == phone), None)


class FakeTelefonIp(Vendor):
    """Charges for every number that it hands out; the webhook is a hint, and `check` tells."""

    name = ProviderName.TELEFON_IP
    method: ClassVar[Method] = Method.REVERSE_CALL
    can_check = True
    window = 120

    def __init__(self, time: Time, points: Points) -> None:
        super().__init__(time, points)
        self.echoes_while_pending = False
        self.ids = itertools.count(1)
        self.waiting: dict[str, tuple[str, float, InboundWebhook]] = {}  # call id → phone, end, its webhook
        self.dialed: set[str] = set()

    def _begin_call(self, order: CallOrder) -> Outcome:
        self.paid.append(order.unique)
        call_id = str(next(self.ids))
        assert order.webhook_url is not None
        verification_id, token = order.webhook_url.split("/")[-2:]
        webhook = InboundWebhook({"id": (call_id,), "phone": (order.phone.e164,)}, token, verification_id)
        self.waiting[call_id] = (order.phone.e164, self.time.now + self.window, webhook)
        return Outcome(Result.STARTED, challenge=Challenge.call_number(f"+7495{call_id:0>7}"), call_id=call_id)

    def check(self, call_id: str, deadline: Deadline) -> CallReport:  # noqa: ARG002
        self.points.reach(f"before {self.name}.check")
        phone, _, _ = self.waiting[call_id]
        dialed = call_id in self.dialed
        self.points.reach(f"after {self.name}.check")
        evidence = Evidence.PROVIDER_READ_BACK
        if self.echoes_while_pending:
            return CallReport(CallVerdict.UNSTATED, caller=phone, call_id=call_id, evidence=evidence)
        if not dialed:
            return CallReport(CallVerdict.PENDING, call_id=call_id)
        return CallReport(CallVerdict.CONFIRMED, caller=phone, call_id=call_id, evidence=evidence)

    def dial(self, phone: str) -> list[InboundWebhook]:
        """The phone calls the number that it was last shown."""
        for call_id, (waited_for, until, webhook) in reversed(self.waiting.items()):
            if waited_for == phone and self.time.now < until:
                self.dialed.add(call_id)
                return [webhook]
        return []

    def open_webhook(self, webhook: InboundWebhook) -> CallReport | None:
        (call_id,), (phone,) = webhook.parameters["id"], webhook.parameters["phone"]
        return CallReport(CallVerdict.UNSTATED, caller=phone, call_id=call_id, verification_id=webhook.verification_id)


class FakeSmsc(Vendor):
    """Charges for every number that it hands out, knows calls by the phone alone, and signs its callback."""

    name = ProviderName.SMSC
    method: ClassVar[Method] = Method.REVERSE_CALL
    knows_calls_by_phone_alone = True
    window = 300

    def __init__(self, time: Time, points: Points) -> None:
        super().__init__(time, points)
        self.waiting: dict[str, float] = {}  # phone → end
        self.signed: set[tuple[str, int]] = set()

    def _begin_call(self, order: CallOrder) -> Outcome:
        self.paid.append(order.unique)
        self.waiting[order.phone.e164] = self.time.now + self.window
        return Outcome(Result.STARTED, challenge=Challenge.call_number("+74950000000"))

    def dial(self, phone: str) -> list[InboundWebhook]:
        """The phone calls the number that all are shown."""
        if self.time.now >= self.waiting.get(phone, 0):
            return []
        ts = int(self.time.now)
        self.signed.add((phone, ts))
        return [InboundWebhook({"phone": (phone,), "ts": (str(ts),)}, "token")]

    def open_webhook(self, webhook: InboundWebhook) -> CallReport | None:
        (phone,), (ts,) = webhook.parameters["phone"], webhook.parameters["ts"]
        if (phone, int(ts)) not in self.signed:
            raise Forbidden("The signature is wrong.")
        return CallReport(
            CallVerdict.CONFIRMED, caller=phone, evidence=Evidence.PROVIDER_SIGNATURE, occurred_at=int(ts)
        )
