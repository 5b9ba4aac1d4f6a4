"""The one DynamoDB table: every item, every condition, every transaction. Nothing else knows DynamoDB.

Items, by the prefix of `pk`; each but one carries `ttl`, which only sweeps, and is ignored once its own end has passed:

    verification#<id>            the record
    phone#<hash>                 which live verification a phone has: lock and pointer
    <provider>#<hash>            that a provider which knows calls by phone alone may still report a call of this phone
    guesses#<hash>               wrong guesses against this phone, until 24 h after the last
    limit#<name>#<subject>       a limit of starts
    idempotency#<hash>           which verification and step an Idempotency-Key started
    signed_call#<hash>#<ts>      an SMSC callback that has been used
    breaker#<provider>           that a provider keeps failing, and until when it is asked last
    events#<mode>                the number of the latest event, and until when it is kept; without `ttl`
    pepper                       the fingerprint of the pepper behind all hashes; without a ttl
    event#<mode>#<number>        an event, and event_id#<id> that it has been numbered

A verification's life, each arrow one conditional write:

    begin ──► record_started ──► verify
      │            ├───────────► end (failed, canceled, expired)
      │            └──► begin_repeat ──► record_repeat
      └──► begin_attempt (another provider or method) ──► record_started …
"""

from __future__ import annotations

import random
import re
import secrets
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from callverify import aws
from callverify.errors import busy
from callverify.frozen import dataclass
from callverify.items import Item, attributes, deserialized, difference, serialized, verification_of
from callverify.keys import CLIENT_TOKEN_SECONDS
from callverify.models import (
    Attempt,
    Cause,
    Challenge,
    EndReason,
    Event,
    Evidence,
    Mode,
    ProviderName,
    Result,
    Status,
    Step,
    StepKind,
    Verification,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

DAY = 24 * 60 * 60
HOLD_SECONDS = 10 * 60  # beyond the window, where a call may come late (decision 20)
VERIFIED_HOLD_SECONDS = 2 * 60  # after a verified call, where the user may redial
CONFLICT_RETRIES = 40
CONFLICTS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
BUSY_SECONDS = 4.0  # for which a transaction is sent again, beyond what the client does by itself
# The operating system's: of the module's own, containers that start from one snapshot have the same.
_JITTER = random.SystemRandom().uniform
EVENTS_AT_ONCE = 25  # two items each, and a transaction takes 100


class Lost(Exception):
    """A condition of a write did not hold; subclasses say which. `item` is the item that stood in the way, if any."""

    def __init__(self, item: Item | None = None) -> None:
        super().__init__(type(self).__name__)
        self.item = item or {}


class NotLive(Lost):
    """The verification has ended, or it is at another attempt, or another process changed it in between."""


class PhoneLocked(Lost):
    """Another verification of this phone holds the lock; `verification_id` says which."""

    @property
    def verification_id(self) -> str:
        return str(self.item["verification_id"])


class Held(Lost):
    """A call for an earlier verification of this phone may still arrive at this provider."""

    @property
    def until(self) -> int:
        return int(self.item["expires_at"])


class KeyTaken(Lost):
    """The Idempotency-Key is in use."""


class AlreadyUsed(Lost):
    """The signed callback has verified before."""


class ProviderResting(Lost):
    """The provider keeps failing and is to be asked last."""


class AlreadyNumbered(Lost):
    """The event has its number."""


class NumberTaken(Lost):
    """Another event has this number though the counter says that it is free."""


class EventRefused(Exception):
    """DynamoDB will never take this event as it is."""


class LimitReached(Lost):
    """A limit has tripped. `limit` is its name, `retry_after` the seconds until it gives way."""

    def __init__(self, limit: str, retry_after: int) -> None:
        super().__init__()
        self.limit = limit
        self.retry_after = max(1, retry_after)


class _Outdated(Lost):
    """The item's state asks for another form of the same write."""


@dataclass(frozen=True, slots=True)
class RollingLimit:
    """At most `count` starts in any `window` seconds, exactly: the times of the last starts are kept, newest first."""

    name: str
    subject: str
    count: int
    window: int


@dataclass(frozen=True, slots=True)
class SealedLimit:
    """A RollingLimit whose times no reader of the table learns: they would tell which start counted for the subject.

    seal, unseal: encrypt the times, and read them again.
    """

    name: str
    subject: str
    count: int
    window: int
    seal: Callable[[bytes], str]
    unseal: Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class CalendarLimit:
    """At most `count` starts in each period of `window` seconds by the clock: for counts too large to list."""

    name: str
    subject: str
    count: int
    window: int


@dataclass(frozen=True, slots=True)
class Unless:
    """No start while `limit`, which is counted elsewhere, is reached."""

    limit: RollingLimit | CalendarLimit


@dataclass(frozen=True, slots=True)
class Counted:
    """One more for `limit`, even beyond it: what is counted has happened."""

    limit: RollingLimit | CalendarLimit


@dataclass(frozen=True, slots=True)
class GivenBack:
    """One less for `limit`, of a start that counted at `at`: no call was made.

    At most as often as the limit in its window: else refused starts could go on for ever.
    """

    limit: SealedLimit | CalendarLimit
    at: int


@dataclass(frozen=True, slots=True)
class Cooldown:
    """No start for `seconds` after the vendor's reply; until that reply, for `seconds` + `reply_within`."""

    phone_hash: str
    seconds: int
    reply_within: int = 8
    name: str = "phone_cooldown"


@dataclass(frozen=True, slots=True)
class GuessLimit:
    """No flash call while the phone's wrong guesses are spent."""

    phone_hash: str
    count: int
    name: str = "phone_guesses"


@dataclass(frozen=True, slots=True)
class Breaker:
    """No start at a provider that has failed `failures` times in a row and rests."""

    provider: ProviderName
    failures: int = 5


Limit = RollingLimit | SealedLimit | CalendarLimit | Unless | Counted | Cooldown | GuessLimit | Breaker


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """What an Idempotency-Key stands for: `body_hash` of its request, and the step that it began.

    former_hash: of the same request, as version 1 hashed it; not stored.
    """

    key_hash: str
    body_hash: str
    verification_id: str
    step: int
    former_hash: str = ""


@dataclass(frozen=True, slots=True)
class _Write:
    """One write of a transaction; `lost` turns the item that made its condition fail into the reason."""

    operation: str
    request: dict[str, Any]
    lost: Callable[[Item], Lost]


class Store:
    """All state. Times are arguments, in whole epoch seconds. A record, with all that its Idempotency-Keys stand
    for, is kept until 30 minutes and `retention` seconds after `created_at`.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table_name: str,
        *,
        retention: int = DAY,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._table = table_name
        self._retention = retention
        self._sleep = sleep
        self._monotonic = monotonic

    # Reading

    def connect(self) -> None:
        """Open the connection that the first request will use, by a read."""
        self._read("pepper")

    def knows_pepper(self, fingerprint: str) -> bool:
        """Whether this is the fingerprint of the table's pepper, which the first caller sets."""
        item = self._read("pepper")
        if item is None:
            write = self._put_new("pepper", {"fingerprint": fingerprint})
            try:
                self._ask(self._client.put_item, TableName=self._table, **write.request)
                return True
            except self._client.exceptions.ConditionalCheckFailedException:
                item = self._read("pepper") or {}
        return item.get("fingerprint") == fingerprint

    def get(self, verification_id: str, now: int) -> Verification | None:
        """The verification, unless its retention is over. One consistent read."""
        item = self._read(f"verification#{verification_id}")
        return verification_of(item) if item and item["ttl"] > now else None

    def live_verification_id(self, phone_hash: str, now: int) -> str | None:
        """The verification that holds this phone's lock. The record decides whether it is live."""
        item = self._read(f"phone#{phone_hash}")
        return str(item["verification_id"]) if item and item["expires_at"] > now else None

    def idempotency_record(self, key_hash: str, now: int) -> IdempotencyRecord | None:
        item = self._read(f"idempotency#{key_hash}")
        if not item or item["ttl"] <= now:
            return None
        return IdempotencyRecord(key_hash, item["body_hash"], item["verification_id"], int(item["step"]))

    def _read(self, pk: str) -> Item | None:
        answer = self._ask(
            self._client.get_item, TableName=self._table, Key=serialized({"pk": pk}), ConsistentRead=True
        )
        return deserialized(answer["Item"]) if "Item" in answer else None

    # Starting

    def begin(
        self,
        verification: Verification,
        *,
        limits: Sequence[Limit] = (),
        idempotency: IdempotencyRecord | None = None,
        dead_lock: str | None = None,
        takes_lock: bool = True,
        holds: bool = False,
    ) -> None:
        """Write the intention to ask a provider, the phone's lock and what is counted: all of it, or nothing.

        dead_lock: a verification known to have ended, whose lock may be taken over. holds: the provider knows calls by
        phone alone. Raises KeyTaken, PhoneLocked, LimitReached, Held, judged in this order.
        """
        now = verification.created_at

        def writes(forms: Mapping[str, _Write]) -> Iterator[_Write]:
            if idempotency:
                yield self._put_idempotency(idempotency, verification, now)
            yield self._put_new(
                f"verification#{verification.id}", {**attributes(verification), "ttl": self._kept_until(verification)}
            )
            if takes_lock:
                yield self._take_lock(verification, now, dead_lock)
            yield from self._count(limits, now, forms)
            if holds:
                yield self._hold_provider(verification, verification.expires_at + HOLD_SECONDS, now)

        self._transact_adapting(writes)

    def begin_attempt(
        self,
        verification: Verification,
        attempt: Attempt,
        *,
        window: int,
        now: int,
        step: Step | None = None,
        failed: tuple[Result, Cause | None] | None = None,
        limits: Sequence[Limit] = (),
        idempotency: IdempotencyRecord | None = None,
        poll_after: int = 0,
        holds: bool = False,
        frees: bool = False,
        given_back: Sequence[GivenBack] = (),
    ) -> Verification:
        """Replace the current attempt by another one: provider, method, challenge and `expires_at` in one write.

        step: given when a caller asked for it, left out when the service itself goes on to the next provider.
        failed: what became of the attempt that is replaced. holds: the provider knows calls by phone alone. frees: that
        of the replaced attempt does, and waits for no call. given_back: what the replaced attempt was counted by, and
        made no call for. Raises NotLive, KeyTaken, LimitReached, Held.
        """
        expires_at = attempt.at + window
        attempts = verification.attempts
        if failed:
            attempts = (*attempts[:-1], replace(attempts[-1], outcome=failed[0], reason=failed[1]))
        changed = replace(
            verification,
            method=attempt.method,
            provider=attempt.provider,
            attempts=(*attempts, attempt),
            steps=(*verification.steps, step) if step else verification.steps,
            expires_at=expires_at,
            challenge=None,
            call_id=None,
            answered_at=None,
            webhook_call_id=None,
            repeats_remaining=0,
            poll_after=poll_after,
        )

        def writes(forms: Mapping[str, _Write]) -> Iterator[_Write]:
            if idempotency:
                yield self._put_idempotency(idempotency, verification, now)
            yield self._update_verification(
                verification,
                now,
                changes=difference(verification, changed),
                same_step=True,
            )
            if verification.mode is Mode.LIVE:
                yield self._move_lock(verification, expires_at)
            yield from self._count(limits, now, forms, given_back)
            if frees:
                yield self._free_provider(verification)
            if holds:
                yield self._hold_provider(changed, expires_at + HOLD_SECONDS, now)

        self._transact_adapting(writes)
        return changed

    def record_started(
        self,
        verification: Verification,
        *,
        result: Result,
        cause: Cause | None,
        challenge: Challenge,
        call_id: str | None,
        repeats_remaining: int,
        now: int,
        cooldown: Cooldown | None = None,
    ) -> Verification:
        """Store a provider's answer, or that none came, and end the step. Raises NotLive."""
        changed = replace(
            verification,
            attempts=_with_outcome(verification, result, cause),
            steps=_with_step_done(verification, None),
            challenge=challenge,
            call_id=call_id,
            answered_at=now,
            repeats_remaining=repeats_remaining,
        )
        changes = difference(verification, changed)
        # No `expires_at > now` here: the answer belongs to the record even when the window was shorter than the wait.
        write = self._update_verification(verification, now, changes=changes, unexpired=False, same_step=True)
        self._transact([write, *self._cool_down(cooldown, now)])
        return changed

    def begin_repeat(
        self,
        verification: Verification,
        *,
        now: int,
        limits: Sequence[Limit] = (),
        idempotency: IdempotencyRecord | None = None,
    ) -> Verification:
        """Write the intention to ask for the vendor's own repeat. Raises NotLive, KeyTaken, LimitReached."""
        step = Step(len(verification.steps) + 1, StepKind.REPEAT, claimed_at=now)
        changed = replace(
            verification,
            steps=(*verification.steps, step),
            repeats_remaining=verification.repeats_remaining - 1,
        )

        def writes(forms: Mapping[str, _Write]) -> Iterator[_Write]:
            if idempotency:
                yield self._put_idempotency(idempotency, verification, now)
            yield self._update_verification(
                verification,
                now,
                changes=difference(verification, changed),
                same_step=True,
            )
            yield from self._count(limits, now, forms)

        self._transact_adapting(writes)
        return changed

    def record_repeat(
        self,
        verification: Verification,
        *,
        error: str | None,
        repeats_remaining: int,
        now: int,
        call_id: str | None = None,
        cooldown: Cooldown | None = None,
        limits: Sequence[Limit] = (),
        given_back: Sequence[GivenBack] = (),
    ) -> Verification:
        """Store what came of a vendor's repeat; the verification itself goes on. Raises NotLive."""
        changed = replace(
            verification, steps=_with_step_done(verification, error, call_id), repeats_remaining=repeats_remaining
        )
        changes = difference(verification, changed)
        write = self._update_verification(verification, now, changes=changes, unexpired=False, same_step=True)
        writes = [write, *self._cool_down(cooldown, now)]
        self._transact_adapting(lambda forms: [*writes, *self._count(limits, now, forms, given_back)])
        return changed

    def claim_step(self, verification: Verification, now: int) -> Verification:
        """Take over a step whose process seems to have died. Raises NotLive when another one took it first."""
        changed = replace(verification, steps=(*verification.steps[:-1], replace(verification.step, claimed_at=now)))
        changes = difference(verification, changed)
        self._transact([self._update_verification(verification, now, changes=changes, same_step=True)])
        return changed

    def count_mismatch(self, verification: Verification, by: int, now: int) -> Verification:
        """Count a repeat that may name another phone (1), or give it back (-1). Raises NotLive."""
        changed = replace(verification, phone_mismatches=verification.phone_mismatches + by)
        write = self._update_verification(
            verification,
            now,
            changes=difference(verification, changed),
            # Not there in a record of version 1: see `verification_of`.
            conditions=("(attribute_not_exists(phone_mismatches) OR phone_mismatches = :mismatches_before)",),
            values={":mismatches_before": verification.phone_mismatches},
        )
        if self._update_alone(write) is None:
            raise NotLive
        return changed

    def count(self, limits: Sequence[Limit], now: int) -> None:
        """Count limits on their own. Raises LimitReached."""
        self._transact_adapting(lambda forms: self._count(limits, now, forms))

    # Asking and hearing the provider

    def claim_poll(self, verification: Verification, *, every: int, now: int) -> Verification | None:
        """The right to ask the provider now, for one caller in `every` seconds: the fresh record, or None."""
        write = self._update_verification(
            verification,
            now,
            changes={"poll_after": now + every},
            conditions=("poll_after <= :now",),
        )
        return self._update_alone(write)

    def note_webhook(self, verification: Verification, call_id: str, *, every: int, now: int) -> Verification | None:
        """Remember that the provider reported `call_id`: the fresh record when this is news, else None.

        The caller then asks the provider at once, so that the next poll waits; while the start's own answer is still
        out there is nothing to ask about, and the next read asks.
        """
        asks_now = verification.call_id is not None
        write = self._update_verification(
            verification,
            now,
            changes={"webhook_call_id": call_id, "poll_after": now + every if asks_now else now},
            conditions=("(attribute_not_exists(webhook_call_id) OR webhook_call_id <> :webhook_call_id)",),
        )
        return self._update_alone(write)

    # Guessing

    def spend_guess(
        self, verification: Verification, *, guess_id: str, phone_limit: int, now: int, limits: Sequence[Limit] = ()
    ) -> Verification:
        """Take one guess from the verification and from the phone, before anything is compared.

        limits: what has to have room first. Raises LimitReached, and NotLive (also when another guess came in between).
        """
        if verification.guesses >= verification.guess_limit:
            # Others are still being compared: the last wrong one would have ended the verification.
            raise LimitReached("verification_guesses", 1)
        changed = replace(verification, guesses=verification.guesses + 1)

        def writes(forms: Mapping[str, _Write]) -> Iterator[_Write]:
            yield from self._count(limits, now, forms)
            yield self._update_verification(
                verification,
                now,
                changes=difference(verification, changed),
                conditions=("(attribute_not_exists(guesses) OR guesses = :guesses_before)",),
                values={":guesses_before": verification.guesses},
            )
            if verification.mode is Mode.LIVE:
                key = f"guesses#{verification.phone_hash}"
                yield forms.get(key) or self._spend_phone_guess(key, guess_id, phone_limit, now)

        self._transact_adapting(writes)
        return changed

    def count_wrong(self, verification: Verification, now: int) -> Verification:
        """Count a guess that was compared and wrong. The last of all guesses ends the verification.

        Raises NotLive (also when another one was counted in between).
        """
        changed = replace(verification, wrong_guesses=verification.wrong_guesses + 1)
        exhausted = changed.wrong_guesses >= verification.guess_limit
        if exhausted:
            changed = replace(changed, status=Status.FAILED, reason=EndReason.ATTEMPTS_EXHAUSTED, ended_at=now)
        write = self._update_verification(
            verification,
            now,
            changes=difference(verification, changed),
            # Not there in a record of version 1: see `verification_of`.
            conditions=("(attribute_not_exists(wrong_guesses) OR wrong_guesses = :wrong_before)",),
            values={":wrong_before": verification.wrong_guesses},
        )
        if exhausted:
            self._end_with([write], verification)
        else:
            self._transact([write])
        return changed

    def return_guess(self, verification: Verification, guess_id: str) -> None:
        """Give a right guess back to the phone when another request has ended the verification."""
        for write in self._give_back(verification, guess_id):
            try:
                self._transact([write])
            except Lost:
                continue
            return

    # Ending

    def verify(
        self,
        verification: Verification,
        *,
        evidence: Evidence,
        now: int,
        guess_id: str | None = None,
        signed_at: int | None = None,
        holds: bool = False,
    ) -> Verification:
        """Write `verified`, the one time that it can be written.

        guess_id: the right guess, which is given back. signed_at: the time in a signed callback, consumed here. holds:
        the provider knows calls by phone alone. Raises NotLive, AlreadyUsed.
        """
        guesses = verification.guesses - 1 if guess_id else verification.guesses
        changed = replace(
            verification, status=Status.VERIFIED, evidence=evidence, verified_at=now, ended_at=now, guesses=guesses
        )
        update = self._update_verification(verification, now, changes=difference(verification, changed))
        extra: list[_Write] = []
        if signed_at is not None:
            extra.append(
                self._put_new(
                    f"signed_call#{verification.phone_hash}#{signed_at}",
                    {"ttl": verification.expires_at + DAY},
                    AlreadyUsed,
                )
            )
        if holds:
            extra.append(self._hold_provider(verification, now + VERIFIED_HOLD_SECONDS, now))
        give_backs: list[_Write | None] = [None]
        if guess_id and verification.mode is Mode.LIVE:
            give_backs = [*self._give_back(verification, guess_id), None]
        for give_back in give_backs:
            try:
                self._end_with([update, *extra, *([give_back] if give_back else [])], verification)
                return changed
            except _Outdated:
                continue
        raise AssertionError("the last form has no condition that can be outdated")

    def end(
        self,
        verification: Verification,
        status: Status,
        reason: EndReason,
        *,
        now: int,
        failed: tuple[Result, Cause | None] | None = None,
        step_error: str | None = None,
        cooldown: Cooldown | None = None,
        frees: bool = False,
        limits: Sequence[Limit] = (),
        given_back: Sequence[GivenBack] = (),
    ) -> Verification:
        """Write `failed`, `canceled` or `expired`. Raises NotLive.

        failed, step_error: what became of the last attempt and of its step, where that is why it ends. frees: its
        provider knows calls by phone alone, and waits for no call.
        """
        changed = replace(verification, status=status, reason=reason, ended_at=now)
        if failed:
            changed = replace(
                changed,
                attempts=_with_outcome(verification, *failed),
                steps=_with_step_done(verification, step_error),
            )
        update = self._update_verification(
            verification,
            now,
            changes=difference(verification, changed),
            unexpired=status is not Status.EXPIRED,
            same_step=failed is not None,
            conditions=("expires_at <= :now",) if status is Status.EXPIRED else (),
        )
        freed = [self._free_provider(verification)] if frees else []
        self._end_with(
            [update, *freed, *self._cool_down(cooldown, now)],
            verification,
            lambda forms: self._count(limits, now, forms, given_back),
        )
        return changed

    def _end_with(
        self,
        writes: list[_Write],
        verification: Verification,
        counts: Callable[[Mapping[str, _Write]], Iterator[_Write]] = lambda _: iter(()),
    ) -> None:
        if verification.mode is Mode.TEST:
            return self._transact(writes)
        lock = self._delete_if_of(f"phone#{verification.phone_hash}", verification.id, PhoneLocked)
        try:
            self._transact_adapting(lambda forms: [*writes, lock, *counts(forms)])
        except PhoneLocked:
            # The lock already names a later verification, whose it is to remove.
            self._transact_adapting(lambda forms: [*writes, *counts(forms)])

    # The single writes

    def _put_new(self, pk: str, attributes: Item, lost: Callable[[Item], Lost] = NotLive) -> _Write:
        request = {"Item": serialized({"pk": pk, **attributes}), "ConditionExpression": "attribute_not_exists(pk)"}
        return _Write("Put", request, lost)

    def _kept_until(self, verification: Verification) -> int:
        return verification.ttl or verification.created_at + CLIENT_TOKEN_SECONDS + self._retention

    def _put_idempotency(self, record: IdempotencyRecord, verification: Verification, now: int) -> _Write:
        item = {
            "pk": f"idempotency#{record.key_hash}",
            "body_hash": record.body_hash,
            "verification_id": record.verification_id,
            "step": record.step,
            "ttl": self._kept_until(verification),
        }
        return _Write(
            "Put",
            {
                "Item": serialized(item),
                "ConditionExpression": "attribute_not_exists(pk) OR #ttl <= :now",
                "ExpressionAttributeNames": {"#ttl": "ttl"},
                "ExpressionAttributeValues": serialized({":now": now}),
            },
            KeyTaken,
        )

    def _take_lock(self, verification: Verification, now: int, dead_lock: str | None) -> _Write:
        return self._hold(
            f"phone#{verification.phone_hash}", verification, verification.expires_at, now, dead_lock, PhoneLocked
        )

    def _hold_provider(self, verification: Verification, until: int, now: int) -> _Write:
        """Keep every other verification of this phone from the provider; a later attempt of this one goes on."""
        return self._hold(_hold_key(verification), verification, until, now, verification.id, Held)

    def _free_provider(self, verification: Verification) -> _Write:
        return self._delete_if_of(_hold_key(verification), verification.id, NotLive)

    def _hold(
        self,
        pk: str,
        verification: Verification,
        until: int,
        now: int,
        overtaken: str | None,
        lost: Callable[[Item], Lost],
    ) -> _Write:
        """Have `pk` name this verification until then, unless it names another one than `overtaken`."""
        item = {"pk": pk, "verification_id": verification.id, "expires_at": until, "ttl": until}
        return _Write(
            "Put",
            {
                "Item": serialized(item),
                "ConditionExpression": "attribute_not_exists(pk) OR expires_at <= :now OR verification_id = :overtaken",
                "ExpressionAttributeValues": serialized({":now": now, ":overtaken": overtaken or "-"}),
            },
            lost,
        )

    def _move_lock(self, verification: Verification, expires_at: int) -> _Write:
        return self._update(
            f"phone#{verification.phone_hash}",
            {"expires_at": expires_at, "ttl": expires_at},
            "verification_id = :id",
            {":id": verification.id},
            NotLive,
        )

    def _delete_if_of(self, pk: str, verification_id: str, lost: Callable[[Item], Lost]) -> _Write:
        return _Write(
            "Delete",
            {
                "Key": serialized({"pk": pk}),
                "ConditionExpression": "attribute_not_exists(pk) OR verification_id = :id",
                "ExpressionAttributeValues": serialized({":id": verification_id}),
            },
            lost,
        )

    def _update_verification(
        self,
        verification: Verification,
        now: int,
        *,
        changes: Item,
        conditions: Sequence[str] = (),
        values: Item | None = None,
        unexpired: bool = True,
        same_step: bool = False,
    ) -> _Write:
        """A change of a pending verification, tied to the attempt and the provider that it speaks of.

        same_step: and to the latest step and its outcome as they were read, so that of two processes at one step only
        one goes on.
        """
        same_step_clauses = [f"{name} = :{name}_now" for name in ("steps_count", "step_claimed_at", "attempt_outcome")]
        clauses = [
            "#status = :pending",
            "attempt_number = :attempt_number_now",
            "provider = :provider_now",
            *(["expires_at > :now"] if unexpired else []),
            *(same_step_clauses if same_step else []),
            *conditions,
        ]
        return self._update(
            f"verification#{verification.id}",
            changes,
            " AND ".join(clauses),
            {
                ":pending": Status.PENDING,
                ":attempt_number_now": verification.attempt.number,
                ":provider_now": verification.provider,
                ":steps_count_now": len(verification.steps),
                ":step_claimed_at_now": verification.step.claimed_at,
                ":attempt_outcome_now": verification.attempt.outcome,
                ":now": now,
                **(values or {}),
            },
            NotLive,
        )

    def _update(self, pk: str, changes: Item, condition: str, values: Item, lost: Callable[[Item], Lost]) -> _Write:
        """SET what has a value and REMOVE what is None. A change of `x` is `:x` in the condition too."""
        sets = [f"#{name} = :{name}" for name, value in changes.items() if value is not None]
        removes = [f"#{name}" for name, value in changes.items() if value is None]
        expression = f"SET {', '.join(sets)}" if sets else ""
        if removes:
            expression += f" REMOVE {', '.join(removes)}"
        names = {f"#{name}": name for name in changes}
        names |= {f"#{name}": name for name in ("status", "ttl") if f"#{name}" in condition}
        values = {f":{name}": value for name, value in changes.items() if value is not None} | values
        return _Write(
            "Update",
            {
                "Key": serialized({"pk": pk}),
                "UpdateExpression": expression.strip(),
                "ConditionExpression": condition,
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": serialized(
                    {name: value for name, value in values.items() if _mentions(name, expression, condition)}
                ),
            },
            lost,
        )

    # Limits

    def _count(
        self,
        limits: Sequence[Limit],
        now: int,
        forms: Mapping[str, _Write],
        given_back: Sequence[GivenBack] = (),
    ) -> Iterator[_Write]:
        back = {_limit_key(each.limit, each.at): each for each in given_back}
        for limit in limits:
            match limit:
                case (RollingLimit() as rolling) | Counted(RollingLimit() as rolling):
                    key = _limit_key(rolling, now)
                    yield forms.get(key) or self._count_rolling(key, rolling, now, refuses=rolling is limit)
                case SealedLimit():
                    key = _limit_key(limit, now)
                    moved = back.pop(key, None)
                    yield forms.get(key) or self._count_sealed(key, limit, now, moved.at if moved else None)
                case (CalendarLimit() as calendar) | Counted(CalendarLimit() as calendar):
                    # What one attempt gives back and the next one takes, in one period, stays as it is.
                    if back.pop(_limit_key(calendar, now), None) is None:
                        yield self._count_calendar(calendar, now, refuses=calendar is limit)
                case Unless():
                    yield self._check_limit(limit.limit, now)
                case Cooldown():
                    yield self._start_cooldown(limit, now)
                case GuessLimit():
                    yield self._check_guesses(limit, now)
                case Breaker():
                    yield self._check_breaker(limit, now)
        for key, each in back.items():
            match each.limit:
                case SealedLimit() as sealed:
                    yield forms.get(key) or self._give_sealed_back(key, sealed, each.at, now)
                case CalendarLimit() as calendar:
                    yield forms.get(key) or self._give_calendar_back(key, calendar, each.at, now)

    def _count_rolling(self, key: str, limit: RollingLimit, now: int, *, refuses: bool = True) -> _Write:
        oldest = f"starts[{limit.count - 1}]"
        open_ = f"(attribute_not_exists({oldest}) OR {oldest} <= :before) AND " if refuses else ""
        longest = 2 * limit.count + 10

        def lost(item: Item) -> Lost:
            starts = [int(start) for start in item.get("starts", ())]
            if refuses and (reached := _reached(limit, starts, now)):
                return reached
            return _OutdatedForm(key, self._restart_rolling(key, limit, now, starts))

        return _Write(
            "Update",
            {
                "Key": serialized({"pk": key}),
                "UpdateExpression": "SET starts = list_append(:now_list, if_not_exists(starts, :none)), #ttl = :ttl",
                # The second clause makes the write fail once the list has grown long, so that it is cut: see `lost`.
                "ConditionExpression": f"{open_}(attribute_not_exists(starts) OR size(starts) < :longest)",
                "ExpressionAttributeNames": {"#ttl": "ttl"},
                "ExpressionAttributeValues": serialized(
                    {
                        ":now_list": [now],
                        ":none": [],
                        ":ttl": now + limit.window,
                        ":longest": longest,
                        **({":before": now - limit.window} if refuses else {}),
                    }
                ),
            },
            lost,
        )

    def _restart_rolling(self, key: str, limit: RollingLimit, now: int, starts: list[int]) -> _Write:
        kept = [start for start in starts[: limit.count] if start > now - limit.window]
        return self._update(
            key,
            {"starts": [now, *kept], "ttl": now + limit.window},
            "size(starts) = :size AND starts[0] = :newest",
            {":size": len(starts), ":newest": starts[0] if starts else 0},
            lambda _: _OutdatedForm(key, None),
        )

    def _count_sealed(self, key: str, limit: SealedLimit, now: int, moved: int | None) -> _Write:
        """Count a start; in place of the one at `moved`, which was no call."""

        def next_form(item: Item) -> Lost:
            starts, returned = _unsealed(limit, item)
            if moved in starts:
                starts.remove(moved)
            if reached := _reached(limit, starts, now):
                return reached
            return _OutdatedForm(key, self._put_sealed(key, limit, [now, *starts], returned, now, item, next_form))

        return self._put_sealed(key, limit, [now], [], now, None, next_form)

    def _give_sealed_back(self, key: str, limit: SealedLimit, at: int, now: int) -> _Write:
        def next_form(item: Item) -> Lost:
            starts, returned = _unsealed(limit, item)
            if at not in starts or _reached(limit, returned, now):
                return _OutdatedForm(key, _NOTHING)
            starts.remove(at)
            return _OutdatedForm(key, self._put_sealed(key, limit, starts, [now, *returned], now, item, next_form))

        # What it holds is only known once it is read: by a condition that fails where there is an item.
        request = {"Key": serialized({"pk": key}), "ConditionExpression": "attribute_not_exists(pk)"}
        return _Write("ConditionCheck", request, next_form)

    def _put_sealed(
        self,
        key: str,
        limit: SealedLimit,
        starts: Sequence[int],
        returned: Sequence[int],
        now: int,
        seen: Item | None,
        lost: Callable[[Item], Lost],
    ) -> _Write:
        """Write the item, if it is still as it was seen. Neither its size nor its `ttl` says how many, or when."""
        times = [[*each[: limit.count], *[0] * (limit.count - len(each))] for each in (starts, returned)]
        sealed = limit.seal(struct.pack(f">{2 * limit.count}I", *times[0], *times[1]))
        item = {"pk": key, "sealed": sealed, "ttl": -(-(now + limit.window) // DAY) * DAY}
        request: dict[str, Any] = {"Item": serialized(item), "ConditionExpression": "attribute_not_exists(pk)"}
        if seen:
            request["ConditionExpression"] = "sealed = :seen"
            request["ExpressionAttributeValues"] = serialized({":seen": seen["sealed"]})
        return _Write("Put", request, lost)

    def _count_calendar(self, limit: CalendarLimit, now: int, *, refuses: bool = True) -> _Write:
        end = (now // limit.window + 1) * limit.window
        request = {
            "Key": serialized({"pk": _limit_key(limit, now)}),
            "UpdateExpression": "SET n = if_not_exists(n, :zero) + :one, #ttl = :end",
            "ExpressionAttributeNames": {"#ttl": "ttl"},
        }
        values = {":zero": 0, ":one": 1, ":end": end}
        if refuses:
            request["ConditionExpression"] = "attribute_not_exists(n) OR n < :count"
            values[":count"] = limit.count
        request["ExpressionAttributeValues"] = serialized(values)
        return _Write("Update", request, lambda _: LimitReached(limit.name, end - now))

    def _give_calendar_back(self, key: str, limit: CalendarLimit, at: int, now: int) -> _Write:
        if at // limit.window != now // limit.window:
            return _NOTHING
        return _Write(
            "Update",
            {
                "Key": serialized({"pk": key}),
                "UpdateExpression": "SET n = n - :one, returned = if_not_exists(returned, :zero) + :one",
                "ConditionExpression": "n >= :one AND (attribute_not_exists(returned) OR returned < :count)",
                "ExpressionAttributeValues": serialized({":zero": 0, ":one": 1, ":count": limit.count}),
            },
            lambda _: _OutdatedForm(key, _NOTHING),
        )

    def _check_limit(self, limit: RollingLimit | CalendarLimit, now: int) -> _Write:
        if isinstance(limit, RollingLimit):
            oldest = f"starts[{limit.count - 1}]"
            condition = f"attribute_not_exists({oldest}) OR {oldest} <= :before"
            values = {":before": now - limit.window}
        else:
            condition, values = "attribute_not_exists(n) OR n < :count", {":count": limit.count}

        def lost(item: Item) -> Lost:
            if isinstance(limit, RollingLimit):
                return LimitReached(limit.name, int(item["starts"][limit.count - 1]) + limit.window - now)
            return LimitReached(limit.name, (now // limit.window + 1) * limit.window - now)

        request = {
            "Key": serialized({"pk": _limit_key(limit, now)}),
            "ConditionExpression": condition,
            "ExpressionAttributeValues": serialized(values),
        }
        return _Write("ConditionCheck", request, lost)

    def _start_cooldown(self, cooldown: Cooldown, now: int) -> _Write:
        until = now + cooldown.seconds + cooldown.reply_within
        return self._update(
            f"limit#{cooldown.name}#{cooldown.phone_hash}",
            {"until": until, "ttl": until},
            "attribute_not_exists(#until) OR #until <= :now",
            {":now": now},
            lambda item: LimitReached(cooldown.name, int(item["until"]) - now),
        )

    def _cool_down(self, cooldown: Cooldown | None, now: int) -> list[_Write]:
        if cooldown is None:
            return []
        until = now + cooldown.seconds
        pk = f"limit#{cooldown.name}#{cooldown.phone_hash}"
        item = {"pk": pk, "until": until, "ttl": until}
        return [_Write("Put", {"Item": serialized(item)}, NotLive)]

    def _check_guesses(self, limit: GuessLimit, now: int) -> _Write:
        return _Write(
            "ConditionCheck",
            {
                "Key": serialized({"pk": f"guesses#{limit.phone_hash}"}),
                "ConditionExpression": "attribute_not_exists(pk) OR ends <= :now OR n < :count",
                "ExpressionAttributeValues": serialized({":now": now, ":count": limit.count}),
            },
            lambda item: LimitReached(limit.name, int(item["ends"]) - now),
        )

    def _check_breaker(self, breaker: Breaker, now: int) -> _Write:
        return _Write(
            "ConditionCheck",
            {
                "Key": serialized({"pk": f"breaker#{breaker.provider}"}),
                "ConditionExpression": "attribute_not_exists(pk) OR rests_until <= :now OR n < :failures",
                "ExpressionAttributeValues": serialized({":now": now, ":failures": breaker.failures}),
            },
            ProviderResting,
        )

    # Guesses of a phone: `n` of them, counted until `ends`, 24 h after the last wrong one

    def _spend_phone_guess(self, key: str, guess_id: str, limit: int, now: int) -> _Write:
        ends = now + DAY

        def lost(item: Item) -> Lost:
            if item["ends"] > now:
                return LimitReached("phone_guesses", int(item["ends"]) - now)
            restart = self._update(
                key,
                {"n": 1, "ends": ends, "ends_before": 0, "last_guess": guess_id, "ttl": ends},
                "ends = :ends_seen",
                {":ends_seen": item["ends"]},
                lambda _: _OutdatedForm(key, None),
            )
            return _OutdatedForm(key, restart)

        return _Write(
            "Update",
            {
                "Key": serialized({"pk": key}),
                "UpdateExpression": (
                    "SET n = if_not_exists(n, :zero) + :one, ends_before = if_not_exists(ends, :zero),"
                    " ends = :ends, last_guess = :guess, #ttl = :ends"
                ),
                "ConditionExpression": "attribute_not_exists(pk) OR (ends > :now AND n < :limit)",
                "ExpressionAttributeNames": {"#ttl": "ttl"},
                "ExpressionAttributeValues": serialized(
                    {":zero": 0, ":one": 1, ":ends": ends, ":guess": guess_id, ":now": now, ":limit": limit}
                ),
            },
            lost,
        )

    def _give_back(self, verification: Verification, guess_id: str) -> Iterator[_Write]:
        """The forms of giving a right guess back: when it is the phone's latest its time goes too, else only itself."""
        for also, condition in ((", ends = ends_before REMOVE last_guess", "last_guess = :guess"), ("", "n >= :one")):
            values = {":one": 1} | ({":guess": guess_id} if ":guess" in condition else {})
            yield _Write(
                "Update",
                {
                    "Key": serialized({"pk": f"guesses#{verification.phone_hash}"}),
                    "UpdateExpression": f"SET n = n - :one{also}",
                    "ConditionExpression": condition,
                    "ExpressionAttributeValues": serialized(values),
                },
                _Outdated,
            )

    # Providers that fail

    def count_failure(self, provider: ProviderName, *, rest: int, now: int) -> int:
        """Count one more failure in a row, and say which it is; the provider rests `rest` seconds from the latest."""
        for n, condition in (("n + :one", "rests_until > :long_ago"), (":one", "NOT rests_until > :long_ago")):
            write: Any = {
                "Key": serialized({"pk": f"breaker#{provider}"}),
                "UpdateExpression": f"SET n = {n}, rests_until = :until, #ttl = :ttl",
                "ConditionExpression": condition,
                "ExpressionAttributeNames": {"#ttl": "ttl"},
                "ExpressionAttributeValues": serialized(
                    {":one": 1, ":until": now + rest, ":long_ago": now - 10 * rest, ":ttl": now + DAY}
                ),
            }
            try:
                answer = self._ask(self._client.update_item, TableName=self._table, ReturnValues="UPDATED_NEW", **write)
            except self._client.exceptions.ConditionalCheckFailedException:
                continue
            return int(deserialized(answer["Attributes"])["n"])
        return 1

    def forget_failures(self, provider: ProviderName) -> None:
        self._ask(self._client.delete_item, TableName=self._table, Key=serialized({"pk": f"breaker#{provider}"}))

    # Events

    def number_events(self, mode: Mode, events: Sequence[Event], now: int) -> None:
        """Give each event the next number of its mode and keep it, those that have one already left as they are.

        Raises EventRefused where DynamoDB will never take these events as they are.
        """
        left = list(events)
        beyond = 0
        for _ in range(CONFLICT_RETRIES + len(events)):
            if not left:
                return
            counter = self._read(f"events#{mode}")
            # A counter is born with a number that no event had before, should it have been lost.
            latest = int(counter["n"]) if counter else now * 1000
            first = max(latest, beyond) + 1
            batch = left[:EVENTS_AT_ONCE]
            try:
                self._transact([*self._number(mode, batch, counter, first, now)])
            except AlreadyNumbered as known:
                left = [event for event in left if event.id != known.item["id"]]
            except NumberTaken:
                beyond = max(now * 1000, first + EVENTS_AT_ONCE)
            except _Outdated:
                continue
            except ClientError as error:
                reasons = {reason.get("Code") for reason in _cancellation_reasons(error)}
                if {"ValidationException", "ValidationError"} & {error.response["Error"]["Code"], *reasons}:
                    raise EventRefused from error
                raise
            else:
                left = left[EVENTS_AT_ONCE:]
        if left:
            raise busy() from TimeoutError("the number of the latest event kept changing")

    def _number(
        self, mode: Mode, events: Sequence[Event], counter: Item | None, first: int, now: int
    ) -> Iterator[_Write]:
        """The counter's write comes first: where it holds, a number that is taken is no other publisher's doing."""
        before = counter or {}
        # Kept at least as long as the event before: the events that are kept are the latest ones, whatever becomes of
        # the retention. Version 1 kept the counter itself a day longer than that.
        ttl = max(now + self._retention, int(before.get("until", int(before.get("ttl", DAY)) - DAY)))
        yield self._update(
            f"events#{mode}",
            {"n": first + len(events) - 1, "until": ttl, "ttl": None},
            "n = :latest" if counter else "attribute_not_exists(pk)",
            {":latest": before.get("n")},
            _Outdated,
        )
        for number, event in enumerate(events, first):
            yield self._put_new(f"event_id#{event.id}", {"id": event.id, "ttl": ttl}, AlreadyNumbered)
            yield self._put_new(f"event#{mode}#{number}", {"body": event.body, "ttl": ttl}, NumberTaken)

    def events_after(self, mode: Mode, cursor: int, *, limit: int, now: int) -> tuple[list[tuple[int, str]], int]:
        """(number, JSON) of up to `limit` events after `cursor`, without those no longer kept; and the latest one's."""
        latest = self._latest_event(mode)
        start = cursor + 1
        if start <= latest and not self._events(mode, [start], now):
            start = self._first_kept_event(mode, start, latest, now)
        numbers = range(start, min(start + limit, latest + 1))
        return self._events(mode, numbers, now), latest

    def _latest_event(self, mode: Mode) -> int:
        item = self._read(f"events#{mode}")
        return int(item["n"]) if item else 0

    def _first_kept_event(self, mode: Mode, low: int, latest: int, now: int) -> int:
        """Events end in the order of their numbers (`_number`), so the first one kept is found by halving.

        TTL deletes in any order, but only what is not counted as kept any more.
        """
        high = latest + 1
        while low < high:
            middle = (low + high) // 2
            if self._events(mode, [middle], now):
                high = middle
            else:
                low = middle + 1
        return low

    def _events(self, mode: Mode, numbers: Sequence[int], now: int) -> list[tuple[int, str]]:
        keys = [serialized({"pk": f"event#{mode}#{number}"}) for number in numbers]
        found: dict[str, str] = {}
        while keys:
            request: Any = {self._table: {"Keys": keys, "ConsistentRead": True}}
            answer: Any = self._ask(self._client.batch_get_item, RequestItems=request)
            for raw in answer["Responses"].get(self._table, []):
                item = deserialized(raw)
                if item["ttl"] > now:
                    found[item["pk"]] = item["body"]
            keys = list(answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", []))
        return [(number, found[f"event#{mode}#{number}"]) for number in numbers if f"event#{mode}#{number}" in found]

    # Running requests

    def _ask(self, operation: Callable[..., Any], **request: Any) -> Any:
        """DynamoDB's answer. Raises Busy where it throttles, fails, or gives none.

        A single write that meets a transaction is refused by that alone, so it is tried again.
        """
        for turn in range(CONFLICT_RETRIES):
            try:
                return operation(**request)
            except Exception as error:
                if aws.is_busy(error):
                    raise busy() from error
                if not CONFLICTS.intersection(reason.get("Code") for reason in _cancellation_reasons(error)):
                    raise
            self._sleep(_JITTER(0, min(0.4, 0.01 * 2**turn)))
        raise busy() from TimeoutError("the write kept meeting transactions")

    def _update_alone(self, write: _Write) -> Verification | None:
        """Run an update on its own: the record after it, or None when its condition did not hold."""
        try:
            answer = self._ask(self._client.update_item, TableName=self._table, ReturnValues="ALL_NEW", **write.request)
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        return verification_of(deserialized(answer["Attributes"]))

    def _transact_adapting(self, writes: Callable[[Mapping[str, _Write]], Iterable[_Write]]) -> None:
        """Run a transaction, and again with another form of a write where an item's state asks for it."""
        forms: dict[str, _Write] = {}
        for _ in range(CONFLICT_RETRIES):
            try:
                return self._transact([write for write in writes(forms) if write is not _NOTHING])
            except _OutdatedForm as outdated:
                if outdated.form:
                    forms[outdated.key] = outdated.form
                else:
                    forms.pop(outdated.key, None)
        raise busy() from TimeoutError("an item kept changing under this transaction")

    def _transact(self, writes: list[_Write]) -> None:
        """All writes or none. Raises the reason of the first write, in this order, whose condition did not hold.

        A conflict with another transaction says nothing about the conditions, and neither does an answer that is busy
        or does not come: it is sent again. Raises Busy where that goes on.
        """
        if not writes:
            return
        request: Any = [
            {
                write.operation: {
                    "TableName": self._table,
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    **write.request,
                }
            }
            for write in writes
        ]
        # One token for all sendings: one that was carried out though its answer was lost is not carried out again.
        token = secrets.token_hex(16)
        gives_up_at = self._monotonic() + BUSY_SECONDS
        failure: Exception = TimeoutError("the transaction kept meeting others")
        for turn in range(CONFLICT_RETRIES):
            try:
                self._client.transact_write_items(TransactItems=request, ClientRequestToken=token)
                return
            except Exception as error:
                reasons = _cancellation_reasons(error)
                for write, reason in zip(writes, reasons, strict=False):
                    if reason.get("Code") == "ConditionalCheckFailed":
                        raise write.lost(deserialized(reason.get("Item", {}))) from None
                if aws.is_busy(error):
                    failure = error
                    if self._monotonic() >= gives_up_at:
                        break
                elif not CONFLICTS.intersection(reason.get("Code") for reason in reasons):
                    raise
            self._sleep(_JITTER(0, min(0.4, 0.01 * 2**turn)))
        raise busy() from failure


def _cancellation_reasons(error: Exception) -> list[dict[str, Any]]:
    """Why each write of a transaction was not carried out; empty where the error says nothing of them."""
    if not isinstance(error, ClientError):
        return []
    if error.response["Error"]["Code"] == "TransactionConflictException":
        return [{"Code": "TransactionConflict"}]
    reasons: list[Any] = error.response.get("CancellationReasons", [])
    return reasons


class _OutdatedForm(_Outdated):
    def __init__(self, key: str, form: _Write | None) -> None:
        super().__init__()
        self.key = key
        self.form = form


_NOTHING = _Write("", {}, _Outdated)  # the form of a write that there is no need of


def _limit_key(limit: RollingLimit | SealedLimit | CalendarLimit, at: int) -> str:
    key = f"limit#{limit.name}#{limit.subject}"
    return f"{key}#{at // limit.window}" if isinstance(limit, CalendarLimit) else key


def _reached(limit: RollingLimit | SealedLimit, times: Sequence[int], now: int) -> LimitReached | None:
    """What refuses one more beside those at `times`, newest first."""
    if len(times) < limit.count or times[limit.count - 1] <= now - limit.window:
        return None
    return LimitReached(limit.name, times[limit.count - 1] + limit.window - now)


def _unsealed(limit: SealedLimit, item: Item) -> tuple[list[int], list[int]]:
    """The times of the last starts, and of what was given back, newest first."""
    content = limit.unseal(item["sealed"])
    times = struct.unpack(f">{len(content) // 4}I", content)
    starts, returned = times[: len(times) // 2], times[len(times) // 2 :]
    return [time for time in starts if time], [time for time in returned if time]


def _hold_key(verification: Verification) -> str:
    return f"{verification.provider}#{verification.phone_hash}"


def _mentions(name: str, *expressions: str) -> bool:
    return any(re.search(re.escape(name) + r"\b", expression) for expression in expressions)


def _with_outcome(verification: Verification, result: Result, cause: Cause | None) -> tuple[Attempt, ...]:
    return (*verification.attempts[:-1], replace(verification.attempt, outcome=result, reason=cause))


def _with_step_done(verification: Verification, error: str | None, call_id: str | None = None) -> tuple[Step, ...]:
    return (*verification.steps[:-1], replace(verification.step, done=True, error=error, call_id=call_id))
