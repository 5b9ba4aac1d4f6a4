"""The policy: what a start, a status read, a check, a repeat, a cancel and a provider's report do to a verification."""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field, replace
from typing import Any, Protocol
from urllib.parse import urlencode

from callverify import errors, inputs
from callverify.frozen import dataclass
from callverify.keys import Keys
from callverify.models import (
    Attempt,
    Caller,
    CallerKind,
    CallOrder,
    CallReport,
    CallVerdict,
    Cause,
    Challenge,
    Clock,
    Deadline,
    EndReason,
    Evidence,
    InboundWebhook,
    Method,
    Mode,
    Outcome,
    Phone,
    ProviderName,
    Result,
    Scope,
    Status,
    Step,
    StepKind,
    Unit,
    Verification,
)
from callverify.phone import parse_phone, readings
from callverify.providers.base import Provider
from callverify.store import (
    AlreadyUsed,
    Breaker,
    CalendarLimit,
    Cooldown,
    Counted,
    GivenBack,
    GuessLimit,
    Held,
    IdempotencyRecord,
    KeyTaken,
    Limit,
    LimitReached,
    NotLive,
    PhoneLocked,
    ProviderResting,
    RollingLimit,
    SealedLimit,
    Store,
    Unless,
)
from callverify.test_numbers import (
    ANSWER_AFTER_SECONDS,
    TEST_CODE,
    TEST_NUMBER_TO_CALL,
    TEST_NUMBERS,
    TEST_REPEATS,
    Scenario,
)

VENDOR_SECONDS = 8.0
READ_BACK_SECONDS = 5.0
POLL_EVERY_SECONDS = 3
TAKE_OVER_AFTER_SECONDS = 15
PROVIDER_REST_SECONDS = 30  # decision 16
LAST_QUESTION_SECONDS = 5
MAX_EVENTS = 100
MAX_ATTEMPTS = 3
ANOTHER_WAY_SECONDS = 10 * 60
MAX_PHONE_MISMATCHES = 3
MISMATCHES_USED_UP = "Too many repeats of this verification named another phone."
INTERRUPTED = Outcome(Result.UNKNOWN, Cause.INTERRUPTED)
DAY, HOUR, TEN_MINUTES = 24 * 60 * 60, 60 * 60, 10 * 60

METHODS = {
    ProviderName.UCALLER: Method.FLASH_CALL,
    ProviderName.TELEFON_IP: Method.REVERSE_CALL,
    ProviderName.SMSC: Method.REVERSE_CALL,
}
DEFAULT_WINDOWS = {ProviderName.UCALLER: 300, ProviderName.TELEFON_IP: 120, ProviderName.SMSC: 300}
NO_CALL = frozenset({Result.REJECTED, Result.UNAVAILABLE})  # certain that no call was made
FLASH_LIMITS = frozenset(
    {"phone_day", "prefix_10m", "key_paid_day", "stack_paid_hour", "phone_guesses", "key_refused_hour"}
)
_ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ID = re.compile(rf"vrf_(test_)?[{_ID_ALPHABET}]{{26}}")


@dataclass(frozen=True, slots=True)
class Policy:
    """What an operator can set. Limits are counts, except `phone_cooldown` (seconds)."""

    default_country: str = "RU"
    allowed_countries: Collection[str] = ("RU",)
    windows: Mapping[ProviderName, int] = field(default_factory=lambda: dict(DEFAULT_WINDOWS))
    provider_order: Sequence[ProviderName] = (ProviderName.TELEFON_IP, ProviderName.SMSC, ProviderName.UCALLER)
    return_origins: Collection[str] = ()
    public_base_url: str | None = None
    phone_cooldown: int = 20
    phone_10m: int = 5
    ip_10m: int = 20
    browser_10m: int = 60
    ip_block_10m: int = 30
    ip_refused_10m: int = 5
    phone_day: int = 15
    prefix_10m: int = 30
    key_paid_day: int = 1000
    stack_paid_hour: int = 2000
    key_free_hour: int = 20_000
    key_refused_hour: int = 300
    verification_guesses: int = 5
    phone_guesses: int = 9


class Observer(Protocol):
    """Where the service tells what happens. Nothing that it is told holds a number, a code or a credential."""

    def about(self, verification_id: str) -> None: ...

    def count(self, metric: str, **dimensions: str) -> None: ...

    def measure(self, metric: str, value: float, unit: Unit, **dimensions: str) -> None: ...

    def provider_answered(self, verification: Verification, action: str, outcome: Outcome) -> None: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """A verification to answer with. `replayed`: the answer to an Idempotency-Key that was seen before."""

    verification: Verification
    client_token: str | None = None
    page_url: str | None = None
    replayed: bool = False
    valid: bool | None = None


class Service:
    """The verification service. `providers` gives the configured ones by name, in the operator's order."""

    def __init__(
        self,
        *,
        store: Store,
        keys: Keys,
        policy: Policy,
        providers: Callable[[], Mapping[ProviderName, Provider]],
        observer: Observer,
        clock: Clock,
    ) -> None:
        self._store = store
        self._keys = keys
        self._policy = policy
        self._providers = providers
        self._observer = observer
        self._clock = clock
        self._failing: set[ProviderName] = set()

    def now(self) -> int:
        return int(self._clock())

    # Start

    def start(self, caller: Caller, body: str | None, *, idempotency_key: str | None, base_url: str) -> Reply:
        """Begin a verification. `base_url` is what links to this API begin with, unless the operator set another.

        Raises the errors of a start, judged in this order: idempotency, validation, country, verification in
        progress, limits, provider.
        """
        self._require(caller, Scope.WRITE)
        idempotency = self._idempotency(caller.key_id, idempotency_key, "start", body)
        if idempotency and (reply := self._replay(idempotency, body, base_url)):
            return reply
        request = inputs.parse_start(body, methods=METHODS, return_origins=self._policy.return_origins)
        if caller.mode is Mode.TEST:
            return self._start_test(caller, request, idempotency, base_url)
        try:
            phone = self._parse_phone(request.phone)
        except (errors.InvalidPhone, errors.CountryNotAllowed) as refused:
            self._observer.count("NumbersRefused", cause=refused.code)
            raise
        if phone.e164 in TEST_NUMBERS:
            raise errors.InvalidPhone("This is a test number. Use it with a key of mode `test`.")
        if request.end_user_ip is None:
            self._observer.count("StartsWithoutEndUserIp")
        candidates = self._candidates(request)
        verification = self._new_verification(caller, request, phone)
        if not candidates:
            self._refuse_if_in_progress(verification)
            raise errors.NoProviderAvailable("No configured provider can do this verification.")
        refusal: errors.CallverifyError | None = None
        choices = _Choices(candidates)
        for provider, breaker in choices:
            verification = self._at_provider(verification, provider)
            limits = self._limits(verification, provider.method, phone, verification.address_hash)
            try:
                self._begin(verification, provider, [*limits, *breaker], idempotency)
            except KeyTaken:
                return self._replay_now(idempotency, body, base_url)
            except ProviderResting:
                choices.defer(provider)
            except LimitReached as reached:
                refusal = refusal or _rate_limited(reached)
                if reached.limit not in FLASH_LIMITS:
                    break
            except Held as held:
                refusal = refusal or _held(held, self.now())
            else:
                self._observer.about(verification.id)
                verification = self._ask(verification, phone, [provider, *choices.left], base_url)
                return self._started(verification, base_url)
        raise refusal or errors.InternalError("No provider was judged.")

    def _parse_phone(self, text: str) -> Phone:
        return parse_phone(
            text,
            default_country=self._policy.default_country,
            allowed_countries=self._policy.allowed_countries,
        )

    def _candidates(self, request: inputs.StartRequest) -> list[Provider]:
        return [
            provider
            for provider in self._providers().values()
            if request.provider in (None, provider.name)
            and request.method in (None, provider.method)
            and provider.method in request.allowed_methods
        ]

    def _new_verification(self, caller: Caller, request: inputs.StartRequest, phone: Phone) -> Verification:
        """A record without a provider yet: `_at_provider` completes it."""
        now = self.now()
        address = request.end_user_ip
        block = inputs.network_block_of(address) if address else None
        return Verification(
            id=_new_id(caller.mode),
            mode=caller.mode,
            status=Status.PENDING,
            method=Method.REVERSE_CALL,
            provider=ProviderName.TELEFON_IP,
            phone_mask=phone.mask,
            phone_hash=self._keys.hash_phone(phone.e164),
            key_id=caller.key_id,
            created_at=now,
            expires_at=now,
            attempts=(),
            steps=(Step(1, StepKind.START, claimed_at=now),),
            allowed_methods=request.allowed_methods,
            guess_limit=self._policy.verification_guesses,
            reference=request.reference,
            metadata=request.metadata,
            locale=request.locale,
            return_url=request.return_url,
            address_hash=self._keys.hash_address(address) if address else None,
            address_block_hash=self._keys.hash_address(block) if block else None,
        )

    def _at_provider(self, verification: Verification, provider: Provider) -> Verification:
        at = verification.created_at
        attempt = Attempt(1, 1, provider.method, provider.name, Result.STARTING, at)
        return replace(
            verification,
            method=provider.method,
            provider=provider.name,
            attempts=(attempt,),
            expires_at=at + provider.window,
            poll_after=at + POLL_EVERY_SECONDS,
        )

    def _begin(
        self,
        verification: Verification,
        provider: Provider,
        limits: Sequence[Limit],
        idempotency: IdempotencyRecord | None,
    ) -> None:
        record = replace(idempotency, verification_id=verification.id) if idempotency else None
        dead_lock = None
        while True:
            try:
                return self._store.begin(
                    verification,
                    limits=limits,
                    idempotency=record,
                    dead_lock=dead_lock,
                    holds=provider.knows_calls_by_phone_alone,
                )
            except PhoneLocked as locked:
                if locked.verification_id == dead_lock:
                    raise
                self._refuse_if_live(locked.verification_id, verification)
                dead_lock = locked.verification_id

    def _refuse_if_in_progress(self, verification: Verification) -> None:
        held_by = self._store.live_verification_id(verification.phone_hash, self.now())
        if held_by:
            self._refuse_if_live(held_by, verification)

    def _refuse_if_live(self, verification_id: str, wanted: Verification) -> None:
        now = self.now()
        live = self._store.get(verification_id, now)
        if live is None or not live.is_live(now):
            return
        own = live.key_id == wanted.key_id and live.reference is not None and live.reference == wanted.reference
        raise errors.VerificationInProgress(
            "A verification of this phone is in progress. Continue or cancel it, or retry after `retry_after` seconds. "
            "Its id is told only to the API key that started it, and only for the same `reference`.",
            retry_after=max(1, live.expires_at - now),
            verification_id=live.id if own else None,
        )

    def _limits(
        self, verification: Verification, method: Method, phone: Phone | None, address_hash: str | None
    ) -> list[Limit]:
        """What one more start or repeat is counted against. phone: None for a vendor's repeat, which names none."""
        policy = self._policy
        limits: list[Limit] = [
            self._cooldown(verification),
            RollingLimit("phone_10m", verification.phone_hash, policy.phone_10m, TEN_MINUTES),
        ]
        if address_hash:
            limits.append(RollingLimit("ip_10m", address_hash, policy.ip_10m, TEN_MINUTES))
            limits.append(Unless(self._refused_limit(address_hash)))
        # A browser is counted by its own address, and not by the one that the start named.
        if verification.address_block_hash and address_hash == verification.address_hash:
            block = verification.address_block_hash
            limits.append(RollingLimit("ip_block_10m", block, policy.ip_block_10m, TEN_MINUTES))
        return [*limits, *self._limits_of(method, verification, phone)]

    def _limits_of(self, method: Method, verification: Verification, phone: Phone | None) -> list[Limit]:
        """What one more call of this method is counted against, besides what every start is."""
        policy = self._policy
        if method is Method.REVERSE_CALL:
            return [CalendarLimit("key_free_hour", verification.key_id, policy.key_free_hour, HOUR)]
        return [
            RollingLimit("phone_day", verification.phone_hash, policy.phone_day, DAY),
            *self._paid_limits(verification, phone),
            Unless(self._key_refused_limit(verification)),
            GuessLimit(verification.phone_hash, policy.phone_guesses),
        ]

    def _paid_limits(self, verification: Verification, phone: Phone | None) -> list[SealedLimit | CalendarLimit]:
        """What a paid call is counted by, and given back to where it was certainly not made."""
        policy, keys = self._policy, self._keys
        limits: list[SealedLimit | CalendarLimit] = []
        if phone:
            block = keys.hash_block(phone.e164)
            limits.append(
                SealedLimit("prefix_10m", block, policy.prefix_10m, TEN_MINUTES, seal=keys.seal, unseal=keys.unseal)
            )
        return [
            *limits,
            CalendarLimit("key_paid_day", verification.key_id, policy.key_paid_day, DAY),
            CalendarLimit("stack_paid_hour", "stack", policy.stack_paid_hour, HOUR),
        ]

    def _given_back(
        self, verification: Verification, outcome: Outcome, phone: Phone | None, at: int
    ) -> list[GivenBack]:
        """What a call that was counted at `at` gives back by its outcome."""
        if verification.method is not Method.FLASH_CALL or outcome.result not in NO_CALL:
            return []
        return [GivenBack(limit, at) for limit in self._paid_limits(verification, phone)]

    def _refused_limit(self, address_hash: str) -> RollingLimit:
        return RollingLimit("ip_refused_10m", address_hash, self._policy.ip_refused_10m, TEN_MINUTES)

    def _key_refused_limit(self, verification: Verification) -> CalendarLimit:
        return CalendarLimit("key_refused_hour", verification.key_id, self._policy.key_refused_hour, HOUR)

    def _refused(self, verification: Verification) -> list[Limit]:
        """What a start counts against that a provider refused as a number."""
        counted: list[Limit] = [Counted(self._key_refused_limit(verification))]
        if verification.address_hash:
            counted.append(Counted(self._refused_limit(verification.address_hash)))
        return counted

    def _cooldown(self, verification: Verification) -> Cooldown:
        return Cooldown(verification.phone_hash, self._policy.phone_cooldown, reply_within=int(VENDOR_SECONDS))

    # Asking providers

    def _ask(
        self, verification: Verification, phone: Phone, candidates: Sequence[Provider], base_url: str
    ) -> Verification:
        """Ask the provider of the current attempt, the first of `candidates`, and the others in turn when it fails.

        Raises ProviderRejected or ProviderUnavailable when none is left; the verification has then ended. Raises Busy,
        naming the verification, for which a call may have been made.
        """
        try:
            return self._ask_in_turn(verification, phone, candidates, base_url)
        except errors.Busy as busy:
            busy.verification_id = verification.id
            raise

    def _ask_in_turn(
        self, verification: Verification, phone: Phone, candidates: Sequence[Provider], base_url: str
    ) -> Verification:
        deadline = Deadline.after(VENDOR_SECONDS)
        provider, *others = candidates
        while True:
            outcome = self._start_call(provider, verification, phone, base_url, deadline, len(others))
            self._observer.provider_answered(verification, "start", outcome)
            self._judge_provider(provider.name, outcome)
            if outcome.code_differs:
                self._observer.count("CodeDiffers", provider=provider.name, method=provider.method)
            if outcome.result is Result.STARTED or _may_be_ringing(provider, outcome):
                return self._record_started(verification, provider, outcome)
            verification, next_providers = self._go_on(verification, phone, outcome, others)
            if not next_providers:
                return verification
            provider, *others = next_providers

    def _judge_provider(self, name: ProviderName, outcome: Outcome) -> None:
        """Keep count of a provider's failures in a row. A refusal of the number is none: its caller caused it.

        Where the count can't be kept, the start goes on without.
        """
        failed = outcome.result in (Result.UNAVAILABLE, Result.UNKNOWN)
        # Zeros too: the average is the share of starts that fail.
        self._observer.measure("ProviderFailures", failed, "Count", provider=name)
        with suppress(errors.Busy):
            if failed:
                self._failing.add(name)
                in_a_row = self._store.count_failure(name, rest=PROVIDER_REST_SECONDS, now=self.now())
                if in_a_row >= Breaker(name).failures:
                    self._observer.count("BreakerOpened", provider=name)
            elif outcome.result is Result.STARTED and name in self._failing:
                # Only who has seen it fail looks: a start that goes well should cost no further write.
                self._store.forget_failures(name)
                self._failing.discard(name)

    def _judge_interrupted(self, verification: Verification) -> None:
        """Count an attempt whose process died: it may have waited for its provider."""
        if verification.mode is Mode.LIVE and verification.attempt.outcome is Result.STARTING:
            self._judge_provider(verification.provider, INTERRUPTED)

    def _start_call(
        self,
        provider: Provider,
        verification: Verification,
        phone: Phone,
        base_url: str,
        deadline: Deadline,
        others: int,
    ) -> Outcome:
        number = verification.attempt.number
        flash = provider.method is Method.FLASH_CALL
        order = CallOrder(
            phone=phone,
            unique=f"{verification.id}-{number}",
            code=self._keys.code(verification.id, number) if flash else None,
            webhook_url=self._webhook_url(provider, verification.id, base_url),
        )
        tries = 2 if provider.resends_safely else 1
        outcome = self._timed(
            provider, "start", lambda: provider.start(order, deadline.within(deadline.remaining() / (others + tries)))
        )
        if outcome.result is Result.UNKNOWN and provider.resends_safely:
            again = self._timed(
                provider, "start", lambda: provider.start(order, deadline.within(deadline.remaining() / (others + 1)))
            )
            # Anything but a success would speak of the second sending alone: the first may be ringing.
            if again.result is Result.STARTED:
                return again
        return outcome

    def _timed[T](self, provider: Provider, action: str, ask: Callable[[], T]) -> T:
        began = self._clock()
        answer = ask()
        # CloudWatch sorts no negative values, which a clock that is set back would give.
        took = max(0, round((self._clock() - began) * 1000))
        self._observer.measure("VendorLatency", took, "Milliseconds", provider=provider.name, action=action)
        return answer

    def _webhook_url(self, provider: Provider, verification_id: str, base_url: str) -> str:
        base = self._policy.public_base_url or base_url
        path = provider.name.replace("_", "-")
        return f"{base}/webhooks/{path}/{verification_id}/{self._keys.webhook_token(verification_id)}"

    def _record_started(self, verification: Verification, provider: Provider, outcome: Outcome) -> Verification:
        started = outcome.result is Result.STARTED
        if started:
            self._observer.count("Started", provider=provider.name, method=provider.method)
        if provider.method is Method.FLASH_CALL:
            self._observer.count("PaidCalls", provider=provider.name)
        try:
            return self._store.record_started(
                verification,
                result=outcome.result,
                cause=outcome.cause,
                challenge=outcome.challenge or Challenge.enter_digits(),
                call_id=outcome.call_id,
                # Without the vendor's id there is nothing that a repeat could name.
                repeats_remaining=provider.free_repeats if outcome.call_id else 0,
                now=self.now(),
                cooldown=self._cooldown(verification),
            )
        except NotLive:
            return self._fresh(verification)

    def _go_on(
        self, verification: Verification, phone: Phone, outcome: Outcome, others: Sequence[Provider]
    ) -> tuple[Verification, Sequence[Provider]]:
        """Turn to the next provider that may still be asked, or end the verification and raise why."""
        now = self.now()
        failed = (outcome.result, outcome.cause)
        frees = self._frees(verification, outcome)
        given_back = self._given_back(verification, outcome, phone, verification.attempt.at)
        choices = _Choices(others if verification.attempt.number < MAX_ATTEMPTS else ())
        for provider, breaker in choices:
            # A reverse call that may be paid for already is followed by no flash call, which costs for certain.
            if outcome.result is Result.UNKNOWN and provider.method is not Method.REVERSE_CALL:
                continue
            attempt = Attempt(
                verification.attempt.number + 1,
                verification.step.number,
                provider.method,
                provider.name,
                Result.STARTING,
                now,
            )
            try:
                changed = self._store.begin_attempt(
                    verification,
                    attempt,
                    window=provider.window,
                    now=now,
                    failed=failed,
                    limits=[*self._limits_of(provider.method, verification, phone), *breaker],
                    poll_after=now + POLL_EVERY_SECONDS,
                    holds=provider.knows_calls_by_phone_alone,
                    frees=frees,
                    given_back=given_back,
                )
            except ProviderResting:
                choices.defer(provider)
                continue
            except LimitReached as reached:
                if reached.limit not in FLASH_LIMITS:
                    break
                continue
            except Held:
                continue
            except NotLive:
                return self._fresh(verification), ()
            return changed, [provider, *choices.left]
        rejected = outcome.result is Result.REJECTED
        error = _provider_error("provider_rejected" if rejected else "provider_unavailable", verification.id)
        try:
            self._store.end(
                verification,
                Status.FAILED,
                EndReason.PROVIDER_REJECTED if rejected else EndReason.PROVIDER_UNAVAILABLE,
                now=now,
                failed=failed,
                step_error=error.code,
                cooldown=self._cooldown(verification),
                frees=frees,
                limits=self._refused(verification) if rejected else (),
                given_back=given_back,
            )
        except NotLive:
            return self._fresh(verification), ()
        self._observer.count("Failed", provider=verification.provider, method=verification.method)
        raise error

    def _frees(self, verification: Verification, outcome: Outcome) -> bool:
        """Whether the provider of the current attempt holds the phone for it alone, and certainly waits for no call."""
        provider = self._providers().get(verification.provider)
        return (
            provider is not None
            and provider.knows_calls_by_phone_alone
            and outcome.result in NO_CALL
            and not any(
                attempt.provider is verification.provider and attempt.outcome not in NO_CALL
                for attempt in verification.attempts[:-1]
            )
        )

    # Idempotency

    def _idempotency(
        self, scope: str, idempotency_key: str | None, operation: str, body: str | None
    ) -> IdempotencyRecord | None:
        key = inputs.parse_idempotency_key(idempotency_key)
        if key is None:
            return None
        return IdempotencyRecord(
            key_hash=self._keys.hash_idempotency_key(scope, key),
            # A caller that retries may have moved to another network: it is the same request.
            body_hash=self._keys.hash_body(f"{operation}\n{inputs.canonical(body, without={'end_user_ip'})}"),
            verification_id="",
            step=1,
            former_hash=self._keys.hash_body(f"{operation}\n{inputs.canonical(body)}"),
        )

    def _replay_now(self, idempotency: IdempotencyRecord | None, body: str | None, base_url: str) -> Reply:
        """The answer after another request with this key came first."""
        reply = self._replay(idempotency, body, base_url) if idempotency else None
        if reply is None:
            raise errors.IdempotencyInProgress("A request with this Idempotency-Key is in progress.", retry_after=1)
        return reply

    def _replay(self, idempotency: IdempotencyRecord, body: str | None, base_url: str) -> Reply | None:
        """The first answer again, built from the verification; None for a key that is new.

        Raises what the first answer raised, IdempotencyKeyReused and IdempotencyInProgress.
        """
        now = self.now()
        known = self._store.idempotency_record(idempotency.key_hash, now)
        if known is None:
            return None
        hashes = (idempotency.body_hash, idempotency.former_hash)
        if not any(hmac.compare_digest(known.body_hash, body_hash) for body_hash in hashes):
            raise errors.IdempotencyKeyReused(
                "This Idempotency-Key was used with another request. Use a new key for a new request."
            )
        verification = self._store.get(known.verification_id, now)
        if verification is None:
            raise errors.NotFound("The verification of this Idempotency-Key is no longer kept.")
        self._observer.about(verification.id)
        step = verification.steps[known.step - 1]
        if step.kind is StepKind.START and verification.mode is Mode.LIVE:
            self._count_other_address(verification, body)
        if not step.done and step is verification.step and verification.is_live(now):
            wait = step.claimed_at + TAKE_OVER_AFTER_SECONDS - now
            if wait > 0:
                raise errors.IdempotencyInProgress(
                    "A request with this Idempotency-Key is in progress.", retry_after=wait
                )
            verification = self._resume(verification, body, base_url)
            step = verification.steps[known.step - 1]
        if step.error:
            error = _provider_error(step.error, verification.id)
            error.replayed = True
            raise error
        if step.kind is StepKind.START:
            return replace(self._started(verification, base_url), replayed=True)
        return Reply(verification, replayed=True)

    def _count_other_address(self, verification: Verification, body: str | None) -> None:
        try:
            address, first = inputs.end_user_ip(body), verification.address_hash
        except errors.InvalidRequest:  # judged after the key, and so not at all
            return
        if address and first and not hmac.compare_digest(self._keys.hash_address(address), first):
            self._observer.count("ReplayOtherAddress")

    def _resume(self, verification: Verification, body: str | None, base_url: str) -> Verification:
        """Finish a step whose process died. What it had sent is an unknown outcome, and is not sent again.

        By now more than 15 s have passed since the first sending, the time in which uCaller may be asked again.
        """
        try:
            verification = self._store.claim_step(verification, self.now())
        except NotLive:
            raise errors.IdempotencyInProgress(
                "A request with this Idempotency-Key is in progress.", retry_after=TAKE_OVER_AFTER_SECONDS
            ) from None
        self._judge_interrupted(verification)
        step = verification.step
        if step.kind is StepKind.REPEAT:
            return self._record_repeat(verification, error=None, repeats_remaining=verification.repeats_remaining)
        if verification.mode is Mode.TEST:
            return self._record_test_call(verification)
        if verification.method is Method.FLASH_CALL:
            provider = self._providers().get(verification.provider)
            if provider:
                return self._record_started(verification, provider, INTERRUPTED)
        if step.kind is StepKind.START:
            request = inputs.parse_start(body, methods=METHODS, return_origins=self._policy.return_origins)
            phone, candidates = self._parse_phone(request.phone), self._candidates(request)
        else:
            repeat = inputs.parse_repeat(body)
            phone = self._parse_phone(repeat.phone or "")
            candidates = [each for each in self._providers().values() if each.method is repeat.method]
        tried = {attempt.provider for attempt in verification.attempts if attempt.step == step.number}
        others = [provider for provider in candidates if provider.name not in tried]
        verification, next_providers = self._go_on(verification, phone, INTERRUPTED, others)
        return self._ask(verification, phone, next_providers, base_url) if next_providers else verification

    # Status

    def status(self, caller: Caller, verification_id: str) -> Verification:
        """The verification as it is now. A reverse call at a provider that can be asked is asked for, if it is due."""
        verification = self._visible(caller, verification_id, Scope.READ)
        now = self.now()
        if not verification.is_live(now):
            return verification
        if verification.mode is Mode.TEST:
            return self._answer_test_call(verification, now)
        if verification.method is not Method.REVERSE_CALL or verification.call_id is None:
            return verification  # nothing to ask: neither vendors nor their credentials are needed
        if now < verification.poll_after:
            return verification
        provider = self._providers().get(verification.provider)
        if provider is None or not provider.can_check:
            return verification
        claimed = self._store.claim_poll(verification, every=POLL_EVERY_SECONDS, now=now)
        return self._read_back(provider, claimed) if claimed else verification

    def _read_back(self, provider: Provider, verification: Verification) -> Verification:
        """Ask the provider by the id of our own start reply, and believe it only as far as it can be believed."""
        if verification.call_id is None:
            return verification
        call_id = verification.call_id
        report = self._timed(provider, "check", lambda: provider.check(call_id, Deadline.after(READ_BACK_SECONDS)))
        if report.verdict is CallVerdict.UNREADABLE:
            self._observer.count("VendorErrors", provider=provider.name, cause=Cause.UNREADABLE_ANSWER)
        if not self._proves(report, verification):
            return verification
        try:
            verified = self._store.verify(
                verification,
                evidence=Evidence.PROVIDER_READ_BACK,
                now=self.now(),
                holds=provider.knows_calls_by_phone_alone,
            )
        except NotLive:
            return self._fresh(verification)
        self._count_end("Verified", verified)
        return verified

    def _proves(self, report: CallReport, verification: Verification) -> bool:
        if report.call_id != verification.call_id or report.caller is None:
            return False
        callers = [self._keys.hash_phone(number) for number in readings(report.caller)]
        if not any(hmac.compare_digest(caller, verification.phone_hash) for caller in callers):
            self._observer.count("WrongCaller", provider=verification.provider, method=verification.method)
            return False
        if report.verdict is CallVerdict.UNSTATED:
            # A vendor that echoes the claimed phone while it waits must verify nobody.
            return verification.webhook_call_id == verification.call_id
        return report.verdict is CallVerdict.CONFIRMED

    # Check

    def check(self, caller: Caller, verification_id: str, body: str | None) -> Reply:
        """Compare a typed code. Reply.valid tells whether it was right.

        Judged in this order: the browser's address has room, a guess is spent, the code is compared. From then on
        nothing but the comparison decides the answer.
        Raises VerificationNotPending, MethodHasNoCode, RateLimited; InvalidRequest for what is no code, at no cost.
        """
        verification = self._visible(caller, verification_id, Scope.WRITE)
        code = inputs.parse_code(body)
        browser = self._browser_limits(caller, verification)
        guess_id = secrets.token_hex(8)
        while True:
            self._require_pending(verification)
            if verification.method is not Method.FLASH_CALL:
                raise errors.MethodHasNoCode("A reverse call has no code: the user calls the number of the challenge.")
            try:
                verification = self._store.spend_guess(
                    verification,
                    guess_id=guess_id,
                    phone_limit=self._policy.phone_guesses,
                    now=self.now(),
                    limits=[Unless(limit) for limit in browser],
                )
                break
            except NotLive:
                verification = self._changed(verification)
            except LimitReached as reached:
                raise _rate_limited(reached) from None
        if hmac.compare_digest(code, self._expected_code(verification)):
            verified = self._verify_by_code(verification, guess_id)
            if verified:
                return Reply(verified, valid=True)
        return Reply(self._judge_wrong(verification, browser), valid=False)

    def _expected_code(self, verification: Verification) -> str:
        if verification.mode is Mode.TEST:
            return TEST_CODE
        return self._keys.code(verification.id, verification.attempt.number)

    def _verify_by_code(self, verification: Verification, guess_id: str) -> Verification | None:
        """Write what a right code proves; None where a later attempt, of another code, has begun in between."""
        try:
            verified = self._store.verify(
                verification, evidence=Evidence.CODE_MATCHED, now=self.now(), guess_id=guess_id
            )
        except NotLive:
            fresh = self._fresh(verification)
            if fresh.is_live(self.now()):
                return None
            if verification.mode is Mode.LIVE:
                with suppress(errors.Busy):
                    self._store.return_guess(verification, guess_id)
            if fresh.evidence is not Evidence.CODE_MATCHED:
                raise self._not_pending(fresh) from None
            return fresh
        self._count_end("Verified", verified)
        return verified

    def _judge_wrong(self, verification: Verification, browser: Sequence[Limit]) -> Verification:
        """Count a wrong code, of the verification and of the browser. Whatever fails here, it was wrong."""
        with suppress(errors.Busy):
            verification = self._count_wrong(verification)
        with suppress(errors.Busy, LimitReached):
            self._store.count(browser, self.now())
        return verification

    def _count_wrong(self, verification: Verification) -> Verification:
        while True:
            try:
                judged = self._store.count_wrong(verification, self.now())
            except NotLive:
                verification = self._changed(verification)
                if verification.is_live(self.now()):
                    continue
                return verification
            if judged.status is Status.FAILED:
                self._count_end("Failed", judged)
            return judged

    def _browser_limits(self, caller: Caller, verification: Verification) -> list[RollingLimit]:
        """What a browser's wrong codes, repeats and other ways count against: its address at the gateway.

        Apart from the starts that its server makes for it.
        """
        if caller.kind is CallerKind.API_KEY or verification.mode is Mode.TEST:
            return []
        try:
            address = self._keys.hash_address(f"browser {inputs.network_of(caller.address or '')}")
        except ValueError:
            return []
        return [RollingLimit("browser_10m", address, self._policy.browser_10m, TEN_MINUTES)]

    # Repeat

    def repeat(
        self, caller: Caller, verification_id: str, body: str | None, *, idempotency_key: str | None, base_url: str
    ) -> Reply:
        """The provider's own repeat of a flash call (`{}`), or another way under the same id (`phone` and `method`)."""
        verification = self._visible(caller, verification_id, Scope.WRITE)
        scope = caller.key_id if caller.kind is CallerKind.API_KEY else verification.id
        idempotency = self._idempotency(scope, idempotency_key, f"repeat {verification.id}", body)
        if idempotency:
            if reply := self._replay(idempotency, body, base_url):
                return reply
            idempotency = replace(idempotency, verification_id=verification.id, step=len(verification.steps) + 1)
        request = inputs.parse_repeat(body)
        self._require_pending(verification)
        if verification.phone_mismatches >= MAX_PHONE_MISMATCHES:
            raise errors.RepeatExhausted(MISMATCHES_USED_UP)
        browser = self._browser_limits(caller, verification)
        address = verification.address_hash if caller.kind is CallerKind.API_KEY else None
        try:
            if request.method is None:
                return Reply(self._repeat_call(verification, address, browser, idempotency))
            return Reply(self._another_way(verification, request, address, browser, idempotency, base_url))
        except KeyTaken:
            return self._replay_now(idempotency, body, base_url)
        except LimitReached as reached:
            raise _rate_limited(reached) from None
        except NotLive:
            fresh = self._fresh(verification)
            self._require_pending(fresh)
            raise errors.RepeatTooSoon("Another request of this verification is in progress.", retry_after=1) from None

    def _repeat_call(
        self,
        verification: Verification,
        address: str | None,
        browser: Sequence[Limit],
        idempotency: IdempotencyRecord | None,
    ) -> Verification:
        now = self.now()
        test = verification.mode is Mode.TEST
        provider = None if test else self._providers().get(verification.provider)
        if verification.method is not Method.FLASH_CALL:
            raise errors.RepeatNotSupported("A reverse call has no repeat. Ask for another way, or start again.")
        if not test and provider is None:
            raise errors.NoProviderAvailable("The provider of this call is no longer configured.")
        if verification.repeats_remaining < 1:
            gone = verification.call_id is None or any(
                step.error == errors.RepeatNotSupported.code for step in verification.steps
            )
            if gone and not test:
                raise errors.RepeatNotSupported("The provider offers no repeat of this call. Ask for another way.")
            raise errors.RepeatExhausted("The provider's free repeats of this call are used up.")
        if provider is None:
            begun = self._store.begin_repeat(verification, now=now, idempotency=idempotency)
            return self._record_repeat(begun, error=None, repeats_remaining=begun.repeats_remaining)
        # One second more, because the vendor counts in fractions from a moment that we know by the second.
        wait = (verification.answered_at or verification.attempt.at) + provider.repeat_after + 1 - now
        if wait > 0:
            raise errors.RepeatTooSoon(
                f"The provider repeats a call {provider.repeat_after} s after it at the earliest.", retry_after=wait
            )
        begun = self._store.begin_repeat(
            verification,
            now=now,
            limits=[*browser, *self._limits(verification, verification.method, None, address)],
            idempotency=idempotency,
        )
        outcome = self._timed(
            provider, "repeat", lambda: provider.repeat(verification.call_id or "", Deadline.after(VENDOR_SECONDS))
        )
        self._observer.provider_answered(verification, "repeat", outcome)
        error = _repeat_error(verification, outcome)
        remaining = begun.repeats_remaining
        if isinstance(error, errors.RepeatNotSupported | errors.RepeatExhausted | errors.RepeatWindowClosed):
            remaining = 0
        elif error:
            remaining = verification.repeats_remaining
        repeated = self._record_repeat(
            begun,
            error=error.code if error else None,
            repeats_remaining=remaining,
            call_id=outcome.call_id,
            limits=self._refused(verification) if isinstance(error, errors.ProviderRejected) else (),
            given_back=self._given_back(verification, outcome, None, begun.step.claimed_at),
        )
        if error:
            raise error
        self._observer.count("Repeated", provider=provider.name, method=provider.method)
        return repeated

    def _record_repeat(
        self,
        verification: Verification,
        *,
        error: str | None,
        repeats_remaining: int,
        call_id: str | None = None,
        limits: Sequence[Limit] = (),
        given_back: Sequence[GivenBack] = (),
    ) -> Verification:
        if error is None and verification.mode is Mode.LIVE:
            self._observer.count("PaidCalls", provider=verification.provider)
        try:
            return self._store.record_repeat(
                verification,
                error=error,
                repeats_remaining=repeats_remaining,
                now=self.now(),
                call_id=call_id,
                cooldown=self._cooldown(verification) if verification.mode is Mode.LIVE else None,
                limits=limits,
                given_back=given_back,
            )
        except NotLive:
            return self._fresh(verification)

    def _another_way(
        self,
        verification: Verification,
        request: inputs.RepeatRequest,
        address: str | None,
        browser: Sequence[Limit],
        idempotency: IdempotencyRecord | None,
        base_url: str,
    ) -> Verification:
        if request.method is None or request.phone is None:
            raise errors.InvalidRequest("Another way needs both `phone` and `method`.")
        now = self.now()
        phone, verification = self._phone_of(verification, request.phone)
        if request.method not in verification.allowed_methods:
            allowed = ", ".join(verification.allowed_methods)
            raise errors.MethodNotAllowed(f"This verification was started for {allowed} alone (`allowed_methods`).")
        if len(verification.attempts) >= MAX_ATTEMPTS:
            raise errors.RepeatExhausted(f"A verification has at most {MAX_ATTEMPTS} attempts. Start another one.")
        if now >= verification.created_at + ANOTHER_WAY_SECONDS:
            raise errors.RepeatWindowClosed("Another way is open for 10 minutes from the start. Start another one.")
        if verification.mode is Mode.TEST:
            return self._another_way_in_test(verification, request.method, phone, idempotency)
        candidates = [provider for provider in self._providers().values() if provider.method is request.method]
        refusal: errors.CallverifyError | None = None
        choices = _Choices(candidates)
        for provider, breaker in choices:
            number = len(verification.attempts) + 1
            step = Step(len(verification.steps) + 1, StepKind.ANOTHER_WAY, claimed_at=now)
            try:
                begun = self._store.begin_attempt(
                    verification,
                    Attempt(number, step.number, provider.method, provider.name, Result.STARTING, now),
                    window=provider.window,
                    now=now,
                    step=step,
                    limits=[*browser, *self._limits(verification, provider.method, phone, address), *breaker],
                    idempotency=idempotency,
                    poll_after=now + POLL_EVERY_SECONDS,
                    holds=provider.knows_calls_by_phone_alone,
                )
            except ProviderResting:
                choices.defer(provider)
                continue
            except Held as held:
                refusal = refusal or _held(held, now)
                continue
            except LimitReached as reached:
                refusal = refusal or _rate_limited(reached)
                break
            self._observer.measure("Conversion", 0, "Count", provider=verification.provider)
            return self._ask(begun, phone, [provider, *choices.left], base_url)
        if refusal:
            raise refusal
        raise errors.NoProviderAvailable(f"No configured provider can do {request.method} for this phone now.")

    def _phone_of(self, verification: Verification, text: str) -> tuple[Phone, Verification]:
        """The phone that a repeat names, which must be the one of the verification, and the record as it is then.

        Counted before it is compared, so that of many at once no more than MAX_PHONE_MISMATCHES are.
        """
        phone = self._parse_test_phone(text, None)[0] if verification.mode is Mode.TEST else self._parse_phone(text)
        verification = self._count_mismatch(verification, 1)
        if not hmac.compare_digest(self._keys.hash_phone(phone.e164), verification.phone_hash):
            raise errors.PhoneMismatch("`phone` is not the number of this verification.")
        return phone, self._count_mismatch(verification, -1)

    def _count_mismatch(self, verification: Verification, by: int) -> Verification:
        steps = len(verification.steps)
        while True:
            if by > 0 and verification.phone_mismatches >= MAX_PHONE_MISMATCHES:
                raise errors.RepeatExhausted(MISMATCHES_USED_UP)
            try:
                return self._store.count_mismatch(verification, by, self.now())
            except NotLive:
                verification = self._changed(verification)
                if len(verification.steps) != steps or not verification.is_live(self.now()):
                    raise

    # Cancel

    def cancel(self, caller: Caller, verification_id: str, body: str | None) -> Verification:
        """End a pending verification. Raises VerificationNotPending."""
        verification = self._visible(caller, verification_id, Scope.WRITE, client_token=False)
        inputs.parse_nothing(body)
        while True:
            self._require_pending(verification)
            try:
                canceled = self._store.end(verification, Status.CANCELED, EndReason.CANCELED_BY_CLIENT, now=self.now())
            except NotLive:
                verification = self._changed(verification)
                continue
            self._count_end("Canceled", canceled)
            return canceled

    # Reports of providers

    def report(self, name: ProviderName, webhook: InboundWebhook) -> None:
        """Take a provider's webhook. Whatever has no bearing on a live verification is ignored.

        Raises NotFound, Forbidden, InvalidRequest.
        """
        provider = self._providers().get(name)
        if provider is None:
            raise errors.NotFound("No such webhook.")
        if webhook.verification_id and _ID.fullmatch(webhook.verification_id):
            self._observer.about(webhook.verification_id)
        try:
            report = provider.open_webhook(webhook)
        except (errors.NotFound, errors.Forbidden) as refused:
            self._count_forged(provider, "token" if isinstance(refused, errors.NotFound) else "signature")
            raise
        if report is None:
            self._observer.count("OtherWebhooks", provider=name, method=provider.method)
        elif report.evidence is None:
            self._hear_hint(provider, report)
        else:
            self._hear_proof(provider, report)

    def _hear_hint(self, provider: Provider, report: CallReport) -> None:
        now = self.now()
        verification = self._store.get(report.verification_id or "", now)
        if verification is None or not verification.is_live(now) or verification.provider is not provider.name:
            self._count_webhook("LateWebhooks", provider)
        elif report.call_id is None or verification.call_id not in (None, report.call_id):
            self._count_webhook("StrayWebhooks", provider)
        else:
            noted = self._store.note_webhook(verification, report.call_id, every=POLL_EVERY_SECONDS, now=now)
            if noted is None:
                self._count_webhook("DuplicateWebhooks", provider)
                noted = self._store.claim_poll(verification, every=POLL_EVERY_SECONDS, now=now)
            if noted and provider.can_check:
                self._read_back(provider, noted)

    def _hear_proof(self, provider: Provider, report: CallReport) -> None:
        now = self.now()
        verification = self._live_at(provider, report.caller or "", now)
        if verification is None:
            return self._count_webhook("LateWebhooks", provider)
        self._observer.about(verification.id)
        if report.occurred_at is None or not verification.attempt.at <= report.occurred_at <= verification.expires_at:
            self._count_forged(provider, "time")
            raise errors.Forbidden("The call's time lies outside the verification's window.")
        if report.evidence is None or report.verdict is not CallVerdict.CONFIRMED:
            return None
        try:
            verified = self._store.verify(
                verification,
                evidence=report.evidence,
                now=self.now(),
                signed_at=report.occurred_at,
                holds=provider.knows_calls_by_phone_alone,
            )
        except (NotLive, AlreadyUsed):
            return self._count_webhook("DuplicateWebhooks", provider)
        return self._count_end("Verified", verified)

    def _live_at(self, provider: Provider, caller: str, now: int) -> Verification | None:
        """The live verification at this provider of the phone that called."""
        for number in readings(caller):
            verification_id = self._store.live_verification_id(self._keys.hash_phone(number), now)
            verification = self._store.get(verification_id, now) if verification_id else None
            if verification and verification.is_live(now) and verification.provider is provider.name:
                return verification
        return None

    def _count_webhook(self, metric: str, provider: Provider) -> None:
        self._observer.count(metric, provider=provider.name, method=provider.method)

    def _count_forged(self, provider: Provider, cause: str) -> None:
        self._observer.count("ForgedWebhooks", provider=provider.name, cause=cause)

    # The end of the window

    def settle(self, verification_id: str, attempt: int) -> int | None:
        """Bring an attempt's window to its end when nobody asks any more: one last question, then `expired`.

        Returns the seconds until this has to be called again, or None when nothing is left to do. Safe to call twice,
        early, late, and for an attempt that is no longer the current one.
        """
        self._observer.about(verification_id)
        now = self.now()
        verification = self._store.get(verification_id, now)
        if verification is None or verification.status is not Status.PENDING or verification.attempt.number != attempt:
            return None
        if now < verification.expires_at - LAST_QUESTION_SECONDS:
            return verification.expires_at - LAST_QUESTION_SECONDS - now
        if now < verification.expires_at:
            if self._ask_once_more(verification, now).status is not Status.PENDING:
                return None
            return max(1, verification.expires_at - self.now())
        try:
            expired = self._store.end(verification, Status.EXPIRED, EndReason.WINDOW_ELAPSED, now=now)
        except NotLive:
            return None
        self._judge_interrupted(verification)
        self._count_end("Expired", expired)
        return None

    def _ask_once_more(self, verification: Verification, now: int) -> Verification:
        if verification.mode is Mode.TEST:
            return self._answer_test_call(verification, now)
        provider = self._providers().get(verification.provider)
        if provider is None or not provider.can_check:
            return verification
        return self._read_back(provider, verification)

    # Events

    def events(self, caller: Caller, after: str | None, limit: str | None) -> dict[str, Any]:
        """One page of what happened to verifications of the key's mode, in order and without a gap.

        `next` is what to pass as `after` for the following page; `has_more` says whether there is one already. Raises
        CursorUnknown for an `after` that can't be placed.
        """
        self._require(caller, Scope.READ)
        cursor = inputs.parse_cursor(after)
        most = inputs.parse_number("limit", limit, default=MAX_EVENTS, most=MAX_EVENTS, least=1)
        found, latest = self._store.events_after(caller.mode, cursor, limit=most, now=self.now())
        if cursor > latest:
            raise errors.CursorUnknown(inputs.UNKNOWN_CURSOR)
        last = found[-1][0] if found else latest
        return {
            "events": [json.loads(body) for _, body in found],
            "next": str(last),
            "has_more": bool(found) and last < latest,
        }

    # Test mode

    def _start_test(
        self, caller: Caller, request: inputs.StartRequest, idempotency: IdempotencyRecord | None, base_url: str
    ) -> Reply:
        phone, scenario = self._parse_test_phone(request.phone, request.method or _method_of(request.provider))
        method = scenario.method or request.method or _method_of(request.provider) or request.allowed_methods[0]
        if method not in request.allowed_methods:
            raise errors.InvalidPhone(f"This test number answers {method}, which `allowed_methods` leaves out.")
        verification = self._new_verification(caller, request, phone)
        provider = request.provider or self._test_provider(method)
        at = verification.created_at
        error = _provider_error("provider_rejected", verification.id) if scenario.refused else None
        verification = replace(
            verification,
            method=method,
            provider=provider,
            expires_at=at if scenario.expires_at_once else at + self._policy.windows[provider],
            attempts=(Attempt(1, 1, method, provider, Result.STARTED, at),),
            steps=(replace(verification.step, done=True),),
            challenge=_test_challenge(method),
            repeats_remaining=_test_repeats(method),
        )
        if error:
            verification = replace(
                verification,
                status=Status.FAILED,
                reason=EndReason.PROVIDER_REJECTED,
                attempts=(replace(verification.attempt, outcome=Result.REJECTED, reason=Cause.NUMBER_REFUSED),),
                steps=(replace(verification.step, error=error.code),),
                challenge=None,
                repeats_remaining=0,
            )
        record = replace(idempotency, verification_id=verification.id) if idempotency else None
        try:
            self._store.begin(verification, idempotency=record, takes_lock=False)
        except KeyTaken:
            return self._replay_now(idempotency, None, base_url)
        self._observer.about(verification.id)
        if error:
            raise error
        return self._started(verification, base_url)

    def _parse_test_phone(self, text: str, method: Method | None) -> tuple[Phone, Scenario]:
        try:
            phone = self._parse_phone(text)
        except errors.CountryNotAllowed:
            phone = None
        scenario = TEST_NUMBERS.get(phone.e164) if phone else None
        if phone is None or scenario is None:
            raise errors.InvalidPhone(f"A test key verifies test numbers alone: {', '.join(TEST_NUMBERS)}.")
        if method and scenario.method not in (None, method):
            raise errors.InvalidPhone(f"This test number answers {scenario.method}, not {method}.")
        return phone, scenario

    def _test_provider(self, method: Method) -> ProviderName:
        names: tuple[ProviderName, ...] = (*self._policy.provider_order, *ProviderName)
        return next(name for name in names if METHODS[name] is method)

    def _another_way_in_test(
        self, verification: Verification, method: Method, phone: Phone, idempotency: IdempotencyRecord | None
    ) -> Verification:
        self._parse_test_phone(phone.e164, method)
        now = self.now()
        provider = self._test_provider(method)
        step = Step(len(verification.steps) + 1, StepKind.ANOTHER_WAY, claimed_at=now)
        attempt = Attempt(len(verification.attempts) + 1, step.number, method, provider, Result.STARTING, now)
        begun = self._store.begin_attempt(
            verification, attempt, window=self._policy.windows[provider], now=now, step=step, idempotency=idempotency
        )
        return self._record_test_call(begun)

    def _record_test_call(self, verification: Verification) -> Verification:
        try:
            return self._store.record_started(
                verification,
                result=Result.STARTED,
                cause=None,
                challenge=_test_challenge(verification.method),
                call_id=None,
                repeats_remaining=_test_repeats(verification.method),
                now=self.now(),
            )
        except NotLive:
            return self._fresh(verification)

    def _answer_test_call(self, verification: Verification, now: int) -> Verification:
        if verification.method is not Method.REVERSE_CALL or now < verification.attempt.at + ANSWER_AFTER_SECONDS:
            return verification
        try:
            return self._store.verify(verification, evidence=Evidence.PROVIDER_READ_BACK, now=self.now())
        except NotLive:
            return self._fresh(verification)

    # Who may see what

    def _require(self, caller: Caller, scope: Scope) -> None:
        if caller.kind is not CallerKind.API_KEY or scope not in caller.scopes:
            raise errors.Forbidden(f"This needs an API key with the scope {scope}.")

    def _visible(
        self, caller: Caller, verification_id: str, scope: Scope, *, client_token: bool = True
    ) -> Verification:
        """The verification, if this caller may know of it. `client_token`: its own client token is enough."""
        if caller.kind is CallerKind.API_KEY:
            self._require(caller, scope)
        elif not client_token or caller.verification_id != verification_id:
            raise errors.Forbidden("This client token is good for its own verification: to read, check and repeat it.")
        elif self.now() >= caller.expires_at:
            raise errors.Unauthorized("The client token has expired.")
        verification = self._store.get(verification_id, self.now()) if _ID.fullmatch(verification_id) else None
        if verification is None or (caller.kind is CallerKind.API_KEY and verification.mode is not caller.mode):
            raise errors.NotFound("No such verification.")
        self._observer.about(verification.id)
        return verification

    def _require_pending(self, verification: Verification) -> None:
        if not verification.is_live(self.now()):
            raise self._not_pending(verification)

    def _not_pending(self, verification: Verification) -> errors.VerificationNotPending:
        status, _ = verification.status_at(self.now())
        return errors.VerificationNotPending(f"The verification has ended: it is {status}.")

    def _fresh(self, verification: Verification) -> Verification:
        fresh = self._store.get(verification.id, self.now())
        if fresh is None:
            raise errors.NotFound("No such verification.")
        return fresh

    def _changed(self, verification: Verification) -> Verification:
        """The record after a write of ours that came too late.

        Raises Busy where nothing has changed and it is live all the same: a record of another version, without what
        our conditions ask for, on which the write would fail for ever.
        """
        fresh = self._fresh(verification)
        if fresh == verification and fresh.is_live(self.now()):
            raise errors.busy()
        return fresh

    def _started(self, verification: Verification, base_url: str) -> Reply:
        """The answer to a start: with the client token, and the link to the page for the person being verified."""
        token = self._keys.client_token(verification.id, verification.created_at)
        told = {
            "id": verification.id,
            "token": token,
            "locale": verification.locale,
            "methods": ",".join(verification.allowed_methods),
        }
        # In the fragment, which browsers send to no server: no log and no referrer has it.
        fragment = urlencode({name: value for name, value in told.items() if value}, safe=",")
        return Reply(verification, token, f"{self._policy.public_base_url or base_url}/page#{fragment}")

    def _count_end(self, metric: str, verification: Verification) -> None:
        """Count how a call that was started ended. Those of test mode are nobody's."""
        if verification.mode is Mode.TEST:
            return
        provider, method = verification.provider, verification.method
        self._observer.count(metric, provider=provider, method=method)
        if verification.status is not Status.CANCELED:
            verified = verification.status is Status.VERIFIED
            self._observer.measure("Conversion", verified, "Count", provider=provider)
        if verification.verified_at is not None:
            took = verification.verified_at - verification.attempt.at
            self._observer.measure("SecondsToVerify", took, "Seconds", provider=provider, method=method)


class _Choices:
    """Providers in the order in which to ask them: those that rest come last, and are then asked all the same.

    Goes through (provider, the breaker to respect); `left` are those not gone through yet.
    """

    def __init__(self, providers: Sequence[Provider]) -> None:
        self.left = list(providers)
        self._deferred: list[Provider] = []

    def defer(self, provider: Provider) -> None:
        self.left.append(provider)
        self._deferred.append(provider)

    def __iter__(self) -> Iterator[tuple[Provider, tuple[Breaker, ...]]]:
        while self.left:
            provider = self.left.pop(0)
            respects = self.left and provider not in self._deferred
            yield provider, (Breaker(provider.name),) if respects else ()


def _new_id(mode: Mode) -> str:
    """130 random bits, in letters that are not mistaken for one another."""
    name = "".join(secrets.choice(_ID_ALPHABET) for _ in range(26))
    return f"vrf_test_{name}" if mode is Mode.TEST else f"vrf_{name}"


def _may_be_ringing(provider: Provider, outcome: Outcome) -> bool:
    return outcome.result is Result.UNKNOWN and provider.method is Method.FLASH_CALL


def _rate_limited(reached: LimitReached) -> errors.RateLimited:
    return errors.RateLimited(
        f"The limit {reached.limit} is reached. Try again after `retry_after` seconds.",
        limit=reached.limit,
        retry_after=reached.retry_after,
    )


def _held(held: Held, now: int) -> errors.NoProviderAvailable:
    return errors.NoProviderAvailable(
        "A call for an earlier verification of this phone may still arrive. Retry after `retry_after` seconds.",
        retry_after=max(1, held.until - now),
    )


def _provider_error(code: str, verification_id: str) -> errors.CallverifyError:
    """The error that a provider's failure is answered with, now and whenever the answer is replayed."""
    kind, detail = {
        "provider_rejected": (errors.ProviderRejected, "The provider refuses this number. No call was made."),
        "repeat_not_supported": (errors.RepeatNotSupported, "The provider repeats no calls. Ask for another way."),
        "repeat_exhausted": (errors.RepeatExhausted, "The provider's free repeats of this call are used up."),
        "repeat_window_closed": (errors.RepeatWindowClosed, "The provider repeats this call no longer."),
        "repeat_too_soon": (errors.RepeatTooSoon, "The provider will not repeat the call yet."),
    }.get(code, (errors.ProviderUnavailable, "The provider could not be used. See `attempts` of the verification."))
    return kind(detail, verification_id=verification_id)


def _repeat_error(verification: Verification, outcome: Outcome) -> errors.CallverifyError | None:
    """What a vendor's repeat failed with; None also when it may have been made."""
    if outcome.result in (Result.STARTED, Result.UNKNOWN):
        return None
    codes = {
        Cause.NOT_SUPPORTED: "repeat_not_supported",
        Cause.REPEATS_SPENT: "repeat_exhausted",
        Cause.REPEAT_TOO_LATE: "repeat_window_closed",
        Cause.REPEAT_TOO_EARLY: "repeat_too_soon",
    }
    fallback = "provider_rejected" if outcome.result is Result.REJECTED else "provider_unavailable"
    error = _provider_error(codes.get(outcome.cause, fallback) if outcome.cause else fallback, verification.id)
    if isinstance(error, errors.RepeatTooSoon):
        error.retry_after = POLL_EVERY_SECONDS
    return error


def _method_of(provider: ProviderName | None) -> Method | None:
    return METHODS[provider] if provider else None


def _test_challenge(method: Method) -> Challenge:
    return Challenge.enter_digits() if method is Method.FLASH_CALL else Challenge.call_number(TEST_NUMBER_TO_CALL)


def _test_repeats(method: Method) -> int:
    return TEST_REPEATS if method is Method.FLASH_CALL else 0
