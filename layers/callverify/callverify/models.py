"""The domain's words as types. Times are epoch seconds (int) unless a name says otherwise; phones are E.164."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from enum import StrEnum
from typing import Literal

from callverify.frozen import dataclass

Clock = Callable[[], float]
Note = Callable[..., None]  # of a message and its fields, for the log
Unit = Literal["Count", "Seconds", "Milliseconds"]


class Mode(StrEnum):
    LIVE = "live"
    TEST = "test"


class Method(StrEnum):
    FLASH_CALL = "flash_call"
    REVERSE_CALL = "reverse_call"


class ProviderName(StrEnum):
    UCALLER = "ucaller"
    TELEFON_IP = "telefon_ip"
    SMSC = "smsc"


class Status(StrEnum):
    PENDING = "pending"
    VERIFIED = "verified"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELED = "canceled"


class EndReason(StrEnum):
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    PROVIDER_REJECTED = "provider_rejected"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    WINDOW_ELAPSED = "window_elapsed"
    CANCELED_BY_CLIENT = "canceled_by_client"


class Evidence(StrEnum):
    CODE_MATCHED = "code_matched"
    PROVIDER_READ_BACK = "provider_read_back"
    PROVIDER_SIGNATURE = "provider_signature"


class Result(StrEnum):
    """What became of one request to a provider, and of the attempt that it was for."""

    STARTING = "starting"  # intended and perhaps sent; no answer is stored yet
    STARTED = "started"
    REJECTED = "rejected"  # the provider refuses this number: no call, no charge
    UNAVAILABLE = "unavailable"  # certain that no call was made
    UNKNOWN = "unknown"  # sent, and no readable answer came: perhaps called, perhaps charged


class Cause(StrEnum):
    """Why a provider's answer was not a success; `reason` of an attempt."""

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
    INTERRUPTED = "interrupted"  # our own process ended before the answer was stored
    NOT_SUPPORTED = "not_supported"  # the three below answer a vendor's own repeat
    REPEATS_SPENT = "repeats_spent"
    REPEAT_TOO_LATE = "repeat_too_late"
    REPEAT_TOO_EARLY = "repeat_too_early"


CONFIGURATION_CAUSES = frozenset({Cause.BAD_CREDENTIALS, Cause.NO_MONEY, Cause.ACCOUNT_FAULT})


class CallerKind(StrEnum):
    API_KEY = "api_key"
    CLIENT_TOKEN = "client_token"  # noqa: S105 (a kind, not a token)


class Scope(StrEnum):
    READ = "verifications:read"
    WRITE = "verifications:write"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, as the authorizer found out.

    key_id: of an API key. verification_id, expires_at: what a client token is good for, and until when.
    address: the network address of the request itself, as the gateway saw it.
    """

    kind: CallerKind
    key_id: str = ""
    mode: Mode = Mode.LIVE
    scopes: frozenset[str] = frozenset()
    verification_id: str | None = None
    expires_at: int = 0
    address: str | None = None


class CallVerdict(StrEnum):
    """What a provider says of an awaited call, in our words."""

    CONFIRMED = "confirmed"
    UNSTATED = "unstated"  # a success without any status: see CallReport
    PENDING = "pending"
    EXPIRED = "expired"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Phone:
    """A mobile number that may be verified."""

    e164: str = field(repr=False)
    region: str  # ISO 3166-1 alpha-2, from the number's range and not from its prefix
    mask: str  # "+7******4567"

    @property
    def digits(self) -> str:
        return self.e164.removeprefix("+")


@dataclass(frozen=True, slots=True)
class Event:
    """One transition of a verification. `id` is the same however often it is published; `body` is its JSON."""

    id: str
    type: str
    mode: Mode
    body: str
    verification_id: str


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class CallOrder:
    """One call to be started at a provider. `code` is for flash calls, `webhook_url` for providers that report."""

    phone: Phone
    unique: str  # idempotency key at the vendor: the same for every sending of one attempt
    code: str | None = field(default=None, repr=False)
    webhook_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a provider answered to a start or a repeat.

    call_id: the vendor's id of the call, where it has one. vendor_words: the vendor's own text with digits masked,
    for the operator's log. code_differs: the vendor reports another code than the one that was asked for.
    """

    result: Result
    cause: Cause | None = None
    challenge: Challenge | None = None
    call_id: str | None = None
    vendor_words: str | None = None
    code_differs: bool = False

    @property
    def is_configuration_fault(self) -> bool:
        return self.cause in CONFIGURATION_CAUSES


@dataclass(frozen=True, slots=True)
class InboundWebhook:
    """A provider's request to us, not yet trusted. `parameters` are those of query and form body together."""

    parameters: Mapping[str, tuple[str, ...]]
    token: str
    verification_id: str | None = None


@dataclass(frozen=True, slots=True)
class CallReport:
    """What a provider says of a call that a user made. `caller` as it was written: see `readings` in `phone`.

    evidence is None for a hint, which proves nothing by itself. A verdict of UNSTATED counts only after this
    verification's own webhook came, because a vendor might echo the claimed phone while it still waits.
    """

    verdict: CallVerdict
    caller: str | None = None
    call_id: str | None = None
    verification_id: str | None = None
    evidence: Evidence | None = None
    occurred_at: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One start at one provider by one method. `step`: the accepted request that it belongs to (1: the start)."""

    number: int
    step: int
    method: Method
    provider: ProviderName
    outcome: Result
    at: int
    reason: Cause | None = None


class StepKind(StrEnum):
    START = "start"
    REPEAT = "repeat"  # the vendor's own repeat
    ANOTHER_WAY = "another_way"


@dataclass(frozen=True, slots=True)
class Step:
    """One accepted request that may cost one call. `error`: the code it was answered with, if it failed.

    claimed_at: when a process last began to work on it; while `done` is false it may still be at work.
    call_id: the vendor's id of a repeat, which is another than that of the first call.
    """

    number: int
    kind: StepKind
    claimed_at: int
    done: bool = False
    error: str | None = None
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """The record, as stored. `status` is what was written: see `status_at` for what it is.

    answered_at: when the provider of the current attempt answered. poll_after: when it may be asked again. ttl: until
    when it is kept, as found in the table; None before it was read from there.
    guesses: those that were spent; wrong_guesses: those of them that were compared, and wrong.
    """

    id: str
    mode: Mode
    status: Status
    method: Method
    provider: ProviderName
    phone_mask: str
    phone_hash: str
    key_id: str
    created_at: int
    expires_at: int
    attempts: tuple[Attempt, ...]
    steps: tuple[Step, ...]
    allowed_methods: tuple[Method, ...]
    reason: EndReason | None = None
    evidence: Evidence | None = None
    challenge: Challenge | None = None
    call_id: str | None = None
    answered_at: int | None = None
    guesses: int = 0
    wrong_guesses: int = 0
    guess_limit: int = 5
    repeats_remaining: int = 0
    phone_mismatches: int = 0
    poll_after: int = 0
    webhook_call_id: str | None = None
    verified_at: int | None = None
    ended_at: int | None = None
    reference: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    locale: str | None = None
    return_url: str | None = None
    address_hash: str | None = None
    ttl: int | None = field(default=None, compare=False)
    address_block_hash: str | None = None

    @property
    def attempt(self) -> Attempt:
        return self.attempts[-1]

    @property
    def step(self) -> Step:
        return self.steps[-1]

    def is_live(self, now: float) -> bool:
        return self.status is Status.PENDING and now < self.expires_at

    def status_at(self, now: float) -> tuple[Status, EndReason | None]:
        """Status and reason as of `now`: a pending record at or past `expires_at` is expired, written or not."""
        if self.status is Status.PENDING and now >= self.expires_at:
            return Status.EXPIRED, EndReason.WINDOW_ELAPSED
        return self.status, self.reason
