"""What goes wrong next: faults that a test puts in and the vendors take out, oldest first."""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from callverify.providers.base import Manifest
from simulators.web import BadInputError, normalise

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

ANY_CALL = ("start", "repeat", "check")
# The optional "on" of the body aims a fault at one kind of call; without it any call of the mode's uses it up.
AIMS = {"start": ("start",), "repeat": ("repeat",), "check": ("check",), "balance": ("balance",), "any": ANY_CALL}
ANYWHERE = ("start", "repeat", "check", "any")


def every_provider(_: Manifest) -> bool:
    return True


def reports_calls(manifest: Manifest) -> bool:
    """A pressed key is no report: the call waits for its answer."""
    return manifest.webhook is not None and manifest.webhook.say is None


def seconds(value: object) -> str | None:
    """What is wrong with a number of seconds, if anything is."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    return None if good else "must be a number of seconds"


def flag(value: object) -> str | None:
    """What is wrong with a yes or no, if anything is."""
    return None if isinstance(value, bool) else "must be true or false"


@dataclass(frozen=True)
class Mode:
    """One way to go wrong.

    calls: the kinds of call that use it up. aims: what `on` may name. more: further members of the body, each with a
    judge that says what is wrong with a value. shown_by: which providers can show it; `providers` are their names.
    """

    does: str
    calls: tuple[str, ...]
    aims: tuple[str, ...] = ()
    more: Mapping[str, Callable[[object], str | None]] = field(default_factory=dict)
    shown_by: Callable[[Manifest], bool] = every_provider
    providers: tuple[str, ...] = ()


# What every vendor can show, or every vendor that reports calls. A simulator adds those of its own: `Vendor.modes`.
COMMON = {
    "timeout": Mode("acts on the request, then closes the connection without an answer", ANY_CALL, ANYWHERE),
    "refused": Mode(
        "refuses connections; with on or phone, and at the port that all share, closes them once the request is read",
        ANY_CALL,
        ANYWHERE,
    ),
    "drip_headers": Mode("acts on the request, and answers with one byte of a header a second", ANY_CALL, ANYWHERE),
    "drip_body": Mode("acts on the request, and answers with one byte of the body a second", ANY_CALL, ANYWHERE),
    "http_500": Mode("answers HTTP 500 with HTML, and does nothing", ANY_CALL, ANYWHERE),
    "malformed_json": Mode("acts on the request, and answers with broken JSON", ANY_CALL, ANYWHERE),
    "bad_credentials": Mode("refuses the credentials", ANY_CALL, ANYWHERE),
    # On a balance: the vendor says that nothing is left.
    "no_money": Mode("refuses the start: the account has no money", ("start",), ("start", "balance")),
    "number_refused": Mode("refuses the phone number", ("start",)),
    "webhook_lost": Mode("never reports the call", ("dial",), shown_by=reports_calls),
    "webhook_twice": Mode("reports the call twice", ("dial",), shown_by=reports_calls),
    "webhook_late": Mode(
        'reports the call after its window, or "delay" seconds after the call',
        ("dial",),
        more={"delay": seconds},
        shown_by=reports_calls,
    ),
    "webhook_before_reply": Mode(
        "reports the user's call before it answers the start", ("start",), shown_by=reports_calls
    ),
}


@dataclass
class Fault:
    """One fault.

    `times_left` is None for a fault that stays until it is cleared; `calls` are the kinds of call that use it up;
    `phone` (digits, 7…) keeps it for calls about that number, whatever else is going on; `more` is what the mode takes
    besides.
    """

    provider: str
    mode: str
    times_left: int | None
    calls: tuple[str, ...]
    phone: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, body: Mapping[str, object], modes: Mapping[str, Mode], provider: str) -> Self:
        """Read the body of `POST /faults` for a provider that there is; raises BadInputError."""
        mode, times, aim, phone = body.get("mode"), body.get("times", 1), body.get("on"), body.get("phone")
        if not isinstance(mode, str) or mode not in modes:
            raise BadInputError(f"mode must be one of {', '.join(modes)}")
        known = modes[mode]
        if provider not in known.providers:
            raise BadInputError(f"{provider} cannot show {mode}; only {', '.join(known.providers)} can")
        unknown = sorted(set(body) - {"provider", "mode", "times", "on", "phone", *known.more})
        if unknown:
            raise BadInputError(f"unknown field: {', '.join(unknown)}")
        calls = known.calls
        if times is not None and (type(times) is not int or times < 0):
            raise BadInputError("times must be a whole number; null or 0 means until DELETE /faults")
        if aim is not None:
            if not isinstance(aim, str) or aim not in known.aims:
                raise BadInputError(f"with {mode}, on must be one of: {', '.join(known.aims) or 'nothing'}")
            calls = AIMS[aim]
        more = {name: body[name] for name in known.more if body.get(name) is not None}
        for name, value in more.items():
            if wrong := known.more[name](value):
                raise BadInputError(f"{name} {wrong}")
        return cls(provider, mode, times or None, calls, None if phone is None else normalise(str(phone)), more)

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

    def clear(self, phone: str | None = None) -> None:
        """Take out all faults, or those for one number (digits, 7…)."""
        with self._lock:
            self._faults = [fault for fault in self._faults if phone not in (None, fault.phone)]

    def describe(self) -> list[dict[str, object]]:
        with self._lock:
            return [fault.describe() for fault in self._faults]

    def refuses(self, provider: str) -> bool:
        """Whether whatever this vendor is asked next is refused."""
        with self._lock:
            return self._refusal(provider) is not None

    def refused(self, providers: Iterable[str], connections: int) -> bool:
        """So many connections were refused by these vendors together: do they need to refuse no more?"""
        with self._lock:
            faults = [fault for name in providers if (fault := self._refusal(name))]
            times = [fault.times_left for fault in faults if fault.times_left is not None]
            over = bool(times) and len(times) == len(faults) and sum(times) <= connections
            for fault in faults if over else ():
                self._faults.remove(fault)
        return over

    def _refusal(self, provider: str) -> Fault | None:
        """The next fault of whatever this vendor is asked, if it is a refused connection."""
        for fault in self._faults:
            if fault.provider == provider and fault.mode in ANSWER_MODES and fault.phone is None:
                return fault if fault.mode == "refused" and fault.calls == ANY_CALL else None
        return None

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
