"""What goes wrong next: faults that a test puts in and the vendors take out, oldest first."""

import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple, Self

from simulators.web import BadInputError, normalise

PROVIDERS = ("ucaller", "telefon_ip", "smsc")

ANSWER_MODES = (
    "timeout",
    "refused",
    "drip_headers",
    "drip_body",
    "http_500",
    "malformed_json",
    "no_money",
    "bad_credentials",
    "number_refused",
)
WEBHOOK_MODES = ("webhook_lost", "webhook_twice", "webhook_late")

_WITH_WEBHOOKS = ("telefon_ip", "smsc")
_ANY_CALL = ("start", "repeat", "check")


class Mode(NamedTuple):
    """What a fault does, which providers can show it, and the kinds of call that use it up."""

    does: str
    providers: tuple[str, ...]
    calls: tuple[str, ...]


MODES = {
    "timeout": Mode("acts on the request, then closes the connection without an answer", PROVIDERS, _ANY_CALL),
    "refused": Mode("closes the connection at once, and does nothing", PROVIDERS, _ANY_CALL),
    "drip_headers": Mode("acts on the request, and answers with one byte of a header a second", PROVIDERS, _ANY_CALL),
    "drip_body": Mode("acts on the request, and answers with one byte of the body a second", PROVIDERS, _ANY_CALL),
    "http_500": Mode("answers HTTP 500 with HTML, and does nothing", PROVIDERS, _ANY_CALL),
    "malformed_json": Mode("acts on the request, and answers with broken JSON", PROVIDERS, _ANY_CALL),
    "bad_credentials": Mode("refuses our credentials", PROVIDERS, _ANY_CALL),
    "no_money": Mode("refuses the start: the account has no money", PROVIDERS, ("start",)),
    "number_refused": Mode("refuses the phone number", PROVIDERS, ("start",)),
    "webhook_lost": Mode("never reports the call", _WITH_WEBHOOKS, ("dial",)),
    "webhook_twice": Mode("reports the call twice", _WITH_WEBHOOKS, ("dial",)),
    "webhook_late": Mode(
        'reports the call after its window, or "delay" seconds after the call', _WITH_WEBHOOKS, ("dial",)
    ),
    "webhook_before_reply": Mode(
        "the phone calls, and the call is reported, before the start is answered", _WITH_WEBHOOKS, ("start",)
    ),
    "pending_echoes_phone": Mode(
        'a check before the call names the claimed phone, without a status; with "status": true it has one',
        ("telefon_ip",),
        ("check",),
    ),
    "repeat_405": Mode("answers the repeat of a call with its error 405", ("ucaller",), ("repeat",)),
}

# The optional "on" of the body aims a fault of the answer itself at one kind of call; without it any call uses it up.
# no_money on a balance: the vendor says that nothing is left.
AIMS = {"start": ("start",), "repeat": ("repeat",), "check": ("check",), "balance": ("balance",), "any": _ANY_CALL}
AIMED = {
    **dict.fromkeys(
        ("timeout", "refused", "drip_headers", "drip_body", "http_500", "malformed_json", "bad_credentials"),
        ("start", "repeat", "check", "any"),
    ),
    "no_money": ("start", "balance"),
}


@dataclass
class Fault:
    """One fault.

    `times_left` is None for a fault that stays until it is cleared; `calls` are the kinds of call that use it up;
    `delay` (seconds after the call) steers webhook_late; `status` makes pending_echoes_phone name a status; `phone`
    (digits, 7…) keeps it for calls about that number, whatever else is going on.
    """

    provider: str
    mode: str
    times_left: int | None
    calls: tuple[str, ...]
    delay: float | None = None
    status: bool = False
    phone: str | None = None

    @classmethod
    def parse(cls, body: dict[str, object]) -> Self:
        """Read the body of `POST /faults`; raises BadInputError."""
        unknown = sorted(set(body) - {"provider", "mode", "times", "on", "delay", "status", "phone"})
        if unknown:
            raise BadInputError(f"unknown field: {', '.join(unknown)}")
        provider, mode, times, aim = body.get("provider"), body.get("mode"), body.get("times", 1), body.get("on")
        delay, status, phone = body.get("delay"), body.get("status", False), body.get("phone")
        if provider not in PROVIDERS:
            raise BadInputError(f"provider must be one of {', '.join(PROVIDERS)}")
        if not isinstance(mode, str) or mode not in MODES:
            raise BadInputError(f"mode must be one of {', '.join(MODES)}")
        known = MODES[mode]
        if provider not in known.providers:
            raise BadInputError(f"{provider} cannot show {mode}; only {', '.join(known.providers)} can")
        calls = known.calls
        if times is not None and (type(times) is not int or times < 0):
            raise BadInputError("times must be a whole number, or null or 0 for: until DELETE /faults")
        if aim is not None:
            if not isinstance(aim, str) or aim not in AIMED.get(mode, ()):
                raise BadInputError(f"with {mode}, on must be one of: {', '.join(AIMED.get(mode, ())) or 'nothing'}")
            calls = AIMS[aim]
        if delay is not None and (not isinstance(delay, int | float) or isinstance(delay, bool) or delay < 0):
            raise BadInputError("delay must be a number of seconds")
        if not isinstance(status, bool):
            raise BadInputError("status must be true or false")
        if phone is not None:
            phone = normalise(str(phone))
        return cls(str(provider), mode, times or None, calls, delay, status, phone)

    def describe(self) -> dict[str, object]:
        aim = {"phone": f"+{self.phone}"} if self.phone else {}
        return {
            "provider": self.provider,
            "mode": self.mode,
            "times_left": self.times_left,
            "calls": [*self.calls],
            **aim,
        }


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def describe(self) -> list[dict[str, object]]:
        with self._lock:
            return [fault.describe() for fault in self._faults]

    def take(self, provider: str, call: str, modes: Collection[str], phone: str | None) -> Fault | None:
        """Use up the oldest fault of one of `modes` that this kind of call ("start", "dial", …) about `phone` meets."""
        with self._lock:
            for fault in self._faults:
                aimed = fault.phone in (None, phone)
                if fault.provider == provider and call in fault.calls and fault.mode in modes and aimed:
                    if fault.times_left is not None:
                        fault.times_left -= 1
                        if fault.times_left == 0:
                            self._faults.remove(fault)
                    return fault
        return None
