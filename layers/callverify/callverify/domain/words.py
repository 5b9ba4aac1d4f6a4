"""The domain's words as types. Times are epoch seconds (int) unless a name says otherwise; phones are E.164."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from enum import StrEnum
from typing import Literal

from callverify.domain.value import value

Clock = Callable[[], float]
Note = Callable[..., None]  # of a message and its fields, for the log
Unit = Literal["Count", "Seconds", "Milliseconds"]

MINUTE, HOUR, DAY = 60, 60 * 60, 24 * 60 * 60
TEN_MINUTES = 10 * MINUTE
RING_SECONDS = 20  # for which a voice call rings


class Mode(StrEnum):
    LIVE = "live"
    TEST = "test"


class Method(StrEnum):
    FLASH_CALL = "flash_call"
    REVERSE_CALL = "reverse_call"
    VOICE_CALL = "voice_call"  # used only where a request names it


def has_code(method: str) -> bool:
    """Whether the user types something. A method that a later version brings is taken to have a code."""
    return method != Method.REVERSE_CALL


class Status(StrEnum):
    PENDING = "pending"
    VERIFIED = "verified"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELED = "canceled"


class EndReason(StrEnum):
    CHECKS_EXHAUSTED = "checks_exhausted"
    PROVIDER_REJECTED = "provider_rejected"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    WINDOW_ELAPSED = "window_elapsed"
    CANCELED_BY_CLIENT = "canceled_by_client"


class Evidence(StrEnum):
    CODE_MATCHED = "code_matched"
    PROVIDER_READ_BACK = "provider_read_back"
    PROVIDER_SIGNATURE = "provider_signature"
    VENDOR_CODE_MATCHED = "vendor_code_matched"  # the code was the vendor's choice


class Outcome(StrEnum):
    """What became of one request to a provider, and of the attempt that it was for."""

    STARTING = "starting"  # intended and perhaps sent; no answer is stored yet
    STARTED = "started"
    REJECTED = "rejected"  # the provider refuses this number: no call, no charge
    UNAVAILABLE = "unavailable"  # certain that no call was made
    UNKNOWN = "unknown"  # sent, and no readable answer came: perhaps called, perhaps charged


class Reason(StrEnum):
    """Why a provider's answer was not a success."""

    UNREACHABLE = "unreachable"  # no connection: nothing was sent
    TIMEOUT = "timeout"
    HTTP_ERROR = "http_error"
    UNREADABLE_ANSWER = "unreadable_answer"
    BAD_CREDENTIALS = "bad_credentials"
    NO_MONEY = "no_money"
    ACCOUNT_FAULT = "account_fault"  # blocked address, disabled service, geography: the operator's to mend
    NUMBER_REFUSED = "number_refused"
    VENDOR_LIMIT = "vendor_limit"
    VENDOR_FAULT = "vendor_fault"
    HELD = "held"  # the number or the call id may belong to an earlier verification of this phone
    INTERRUPTED = "interrupted"  # our own process ended before the answer was stored
    NOT_SUPPORTED = "not_supported"  # the four below answer a vendor's own repeat
    REPEATS_SPENT = "repeats_spent"
    REPEAT_TOO_LATE = "repeat_too_late"
    REPEAT_TOO_EARLY = "repeat_too_early"


CONFIGURATION_REASONS = frozenset({Reason.BAD_CREDENTIALS, Reason.NO_MONEY, Reason.ACCOUNT_FAULT})


class Verdict(StrEnum):
    """What a provider says of an awaited call."""

    CONFIRMED = "confirmed"
    UNSTATED = "unstated"  # a success without any status: see CallReport
    PENDING = "pending"
    EXPIRED = "expired"
    UNREADABLE = "unreadable"


class CallerKind(StrEnum):
    API_KEY = "api_key"
    CLIENT_TOKEN = "client_token"  # noqa: S105 (a kind, not a token)


class Scope(StrEnum):
    READ = "verifications:read"
    WRITE = "verifications:write"
    SEARCH = "verifications:search"  # by phone
    BLOCK = "verifications:block"
    ERASE = "verifications:erase"


@value
class Caller:
    """Who is asking, as the authorizer found out.

    key_id, key_name: of an API key. all_keys: it finds what every key of its mode has started. verification_id,
    expires_at: what a client token is good for, and until when. address: the network address of the request itself, as
    the gateway saw it. voice_calls: a front door may choose one for this key.
    """

    kind: CallerKind
    key_id: str = ""
    mode: Mode = Mode.LIVE
    scopes: frozenset[str] = frozenset()
    verification_id: str | None = None
    expires_at: int = 0
    address: str | None = None
    voice_calls: bool = False
    key_name: str = ""
    all_keys: bool = False

    @property
    def is_key(self) -> bool:
        return self.kind is CallerKind.API_KEY

    @property
    def name(self) -> str | None:
        """The key's, for the record; None for a browser."""
        return (self.key_name or self.key_id) if self.is_key else None


@value
class Phone:
    """A mobile number that may be verified."""

    e164: str = field(repr=False)
    region: str  # ISO 3166-1 alpha-2, from the number's range and not from its prefix
    mask: str  # "+7******4567"

    @property
    def digits(self) -> str:
        return self.e164.removeprefix("+")


@value
class Challenge:
    """What the user has to do: type `length` digits, or call `number` (E.164)."""

    type: str
    length: int | None = None
    number: str | None = None

    @classmethod
    def enter_digits(cls, length: int = 4) -> Challenge:
        return cls("enter_digits", length=length)

    @classmethod
    def call_number(cls, number: str) -> Challenge:
        return cls("call_number", number=number)


@value
class Deadline:
    """A moment that all vendor work of one request shares; `now` is a monotonic clock in seconds."""

    at: float
    now: Clock = time.monotonic

    @classmethod
    def after(cls, seconds: float, now: Clock = time.monotonic) -> Deadline:
        return cls(now() + seconds, now)

    def remaining(self) -> float:
        return max(0.0, self.at - self.now())

    def within(self, seconds: float) -> Deadline:
        """This deadline, or the nearer one `seconds` from now."""
        return replace(self, at=min(self.at, self.now() + seconds))


@value
class CallOrder:
    """One call to be started at a provider. `code` is for calls with our code, `webhook_url` for reports per call."""

    phone: Phone
    method: Method
    unique: str  # idempotency key at the vendor: the same for every sending of one attempt
    code: str | None = field(default=None, repr=False)
    webhook_url: str | None = field(default=None, repr=False)
    locale: str | None = None
    end_user_ip: str | None = field(default=None, repr=False)


@value
class CallOutcome:
    """What a provider answered to a start or a repeat.

    call_id: the vendor's id of the call, where it has one. vendor_words: the vendor's own text with digits masked,
    for the operator's log. code_differs: the vendor reports another code than the one that was asked for. code: what
    the vendor picked, where that is its choice. ms: how long its answer took. cost: what it says that the call costs,
    an amount and an ISO 4217 currency, such as "0.4 RUB".
    """

    outcome: Outcome
    reason: Reason | None = None
    challenge: Challenge | None = None
    call_id: str | None = None
    vendor_words: str | None = None
    code_differs: bool = False
    code: str | None = field(default=None, repr=False)
    ms: int | None = None
    cost: str | None = None

    @property
    def is_configuration_fault(self) -> bool:
        return self.reason in CONFIGURATION_REASONS


INTERRUPTED = CallOutcome(Outcome.UNKNOWN, Reason.INTERRUPTED)


@value
class InboundWebhook:
    """A provider's request to us, not yet trusted. `parameters` are those of query and body together.

    url: the address that it came to, as we gave it out. signature: its header of that name, by the manifest.
    """

    parameters: Mapping[str, tuple[str, ...]]
    verification_id: str | None = None
    url: str = ""
    signature: str = ""


@value
class CallReport:
    """What a provider says of a call that a user made. `caller` as it was written: see `readings` in `phone`.

    evidence is None for a hint, which proves nothing by itself. A verdict of UNSTATED counts only after this
    verification's own webhook came, because a vendor might echo the claimed phone while it still waits. wants_code: the
    called person has pressed a key, and is to be told the code.
    """

    verdict: Verdict
    caller: str | None = None
    call_id: str | None = None
    verification_id: str | None = None
    evidence: Evidence | None = None
    occurred_at: int | None = None
    wants_code: bool = False


@value
class Event:
    """One transition of a verification. `id` is the same however often it is published; `body` is its JSON."""

    id: str
    type: str
    mode: Mode
    body: str
    verification_id: str
