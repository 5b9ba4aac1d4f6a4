"""What starts, repeats, checks and ends take beside the record: the phone's lock, holds and limits."""

from __future__ import annotations

from collections.abc import Sequence

from callverify.domain.addresses import network_of
from callverify.domain.claims import (
    Awake,
    Claim,
    CoolDown,
    Counted,
    GiveBack,
    MoveLock,
    ReleaseHold,
    ReleaseLock,
    ReturnGuess,
    ShortenHold,
    SpendGuess,
    TakeHold,
    TakeLock,
    Unless,
    UseCall,
)
from callverify.domain.keys import Keys
from callverify.domain.limits import CalendarLimit, Cooldown, GuessLimit, RollingLimit, SealedLimit
from callverify.domain.value import value
from callverify.domain.verification import Change, Verification
from callverify.domain.words import DAY, HOUR, TEN_MINUTES, Caller, CallOutcome, Outcome, Phone, Status
from callverify.providers.base import Identifies, Line
from callverify.service.policy import HOLD_SECONDS, VERIFIED_HOLD_SECONDS, Policy


class Claims:
    """Claims of each change, in the order in which they are judged. This one takes nothing: of the test lane."""

    def awake(self, line: Line) -> Sequence[Claim]:  # noqa: ARG002
        """That a line does not rest."""
        return ()

    def start(self, change: Change, line: Line, phone: Phone, dead: str | None) -> Sequence[Claim]:  # noqa: ARG002
        """`dead`: a verification that has ended, whose lock may be taken over."""
        return ()

    def go_on(self, change: Change, line: Line, phone: Phone, failed: Failed) -> Sequence[Claim]:  # noqa: ARG002
        return ()

    def switch(self, change: Change, line: Line, phone: Phone, caller: Caller) -> Sequence[Claim]:  # noqa: ARG002
        return ()

    def repeat(self, change: Change, line: Line, caller: Caller) -> Sequence[Claim]:  # noqa: ARG002
        return ()

    def answered(self, change: Change) -> Sequence[Claim]:  # noqa: ARG002
        """The provider agreed to a start or a repeat, or may have."""
        return ()

    def repeat_refused(self, change: Change, line: Line, outcome: CallOutcome) -> Sequence[Claim]:  # noqa: ARG002
        return ()

    def failed(self, change: Change, phone: Phone, failed: Failed) -> Sequence[Claim]:  # noqa: ARG002
        """No provider could make the call: the verification ends."""
        return ()

    def ended(self, change: Change) -> Sequence[Claim]:  # noqa: ARG002
        """Canceled, expired, or out of checks."""
        return ()

    def check(self, caller: Caller, guess_id: str) -> Sequence[Claim]:  # noqa: ARG002
        """A guess is spent."""
        return ()

    def wrong(self, change: Change, caller: Caller) -> Sequence[Claim]:  # noqa: ARG002
        """A guess was compared, and is wrong. It may have been the last."""
        return ()

    def return_guess(self, guess_id: str) -> Sequence[Claim]:  # noqa: ARG002
        """A guess was right, and another request has ended the verification."""
        return ()

    def verified(
        self,
        change: Change,  # noqa: ARG002
        line: Line | None,  # noqa: ARG002
        *,
        guess_id: str | None = None,  # noqa: ARG002
        occurred_at: int | None = None,  # noqa: ARG002
    ) -> Sequence[Claim]:
        """`guess_id`: the guess that was right. `occurred_at`: the time in a signed report."""
        return ()


@value
class Failed:
    """An attempt that is over, and by what. line: None where it is no longer configured."""

    record: Verification
    outcome: CallOutcome
    line: Line | None

    @property
    def made_no_call(self) -> bool:
        """For certain."""
        return self.outcome.outcome in (Outcome.REJECTED, Outcome.UNAVAILABLE)


class LiveClaims(Claims):
    def __init__(self, policy: Policy, keys: Keys) -> None:
        self._policy = policy
        self._keys = keys

    def awake(self, line: Line) -> Sequence[Claim]:
        return [Awake(line.provider)]

    def start(self, change: Change, line: Line, phone: Phone, dead: str | None) -> Sequence[Claim]:
        limits = self._limits(change.after, line, phone, change.after.address_hash)
        return [TakeLock(dead), *limits, *_hold(change.after, line)]

    def go_on(self, change: Change, line: Line, phone: Phone, failed: Failed) -> Sequence[Claim]:
        limits = self._limits_of(change.after, line, phone)
        return [MoveLock(), *limits, *self._after_no_call(failed, phone), *_hold(change.after, line)]

    def switch(self, change: Change, line: Line, phone: Phone, caller: Caller) -> Sequence[Claim]:
        return [MoveLock(), *self._asked_by(caller, change.after, line, phone), *_hold(change.after, line)]

    def repeat(self, change: Change, line: Line, caller: Caller) -> Sequence[Claim]:
        return self._asked_by(caller, change.after, line, None)

    def answered(self, change: Change) -> Sequence[Claim]:  # noqa: ARG002
        return [CoolDown(self._policy.phone_cooldown)]

    def repeat_refused(self, change: Change, line: Line, outcome: CallOutcome) -> Sequence[Claim]:
        failed = Failed(change.after, outcome, line)
        refused = self._refused(change.after) if outcome.outcome is Outcome.REJECTED else ()
        return [*self.answered(change), *refused, *self._given_back(failed, None, change.after.step.claimed_at)]

    def failed(self, change: Change, phone: Phone, failed: Failed) -> Sequence[Claim]:
        refused = self._refused(failed.record) if failed.outcome.outcome is Outcome.REJECTED else ()
        return [*self.answered(change), ReleaseLock(), *refused, *self._after_no_call(failed, phone)]

    def ended(self, change: Change) -> Sequence[Claim]:  # noqa: ARG002
        return [ReleaseLock()]

    def check(self, caller: Caller, guess_id: str) -> Sequence[Claim]:
        full = [Unless(limit) for limit in self._browser_limits(caller)]
        return [*full, SpendGuess(guess_id, self._policy.phone_guesses)]

    def wrong(self, change: Change, caller: Caller) -> Sequence[Claim]:
        counted: list[Claim] = [Counted(limit) for limit in self._browser_limits(caller)]
        return [*self.ended(change), *counted] if change.after.status is Status.FAILED else counted

    def return_guess(self, guess_id: str) -> Sequence[Claim]:
        return [ReturnGuess(guess_id)]

    def verified(
        self, change: Change, line: Line | None, *, guess_id: str | None = None, occurred_at: int | None = None
    ) -> Sequence[Claim]:
        verified_at = change.after.verified_at or 0
        claims: list[Claim] = [ReleaseLock()]
        if occurred_at is not None:
            claims.append(UseCall(occurred_at))
        if line and line.route.identifies is Identifies.BY_PHONE:
            claims.append(ShortenHold(line.provider, verified_at + VERIFIED_HOLD_SECONDS))
        if guess_id:
            claims.append(ReturnGuess(guess_id))
        return claims

    # Limits

    def _asked_by(self, caller: Caller, record: Verification, line: Line, phone: Phone | None) -> list[Claim]:
        """A browser is counted by its own address, and not by the one that the start named."""
        address = record.address_hash if caller.is_key else None
        return [*self._browser_limits(caller), *self._limits(record, line, phone, address)]

    def _limits(self, record: Verification, line: Line, phone: Phone | None, address: str | None) -> list[Claim]:
        """What one more start or repeat is counted against. phone: None for a vendor's repeat, which names none."""
        policy = self._policy
        limits: list[Claim] = [
            Cooldown(record.phone_hash, policy.phone_cooldown),
            RollingLimit("phone_10m", record.phone_hash, policy.phone_10m, TEN_MINUTES),
        ]
        if address:
            limits.append(RollingLimit("ip_10m", address, policy.ip_10m, TEN_MINUTES))
            limits.append(Unless(self._refused_limit(address)))
        if address and record.address_block_hash:
            limits.append(RollingLimit("ip_block_10m", record.address_block_hash, policy.ip_block_10m, TEN_MINUTES))
        return [*limits, *self._limits_of(record, line, phone)]

    def _limits_of(self, record: Verification, line: Line, phone: Phone | None) -> list[Claim]:
        """What one more call of this line is counted against, besides what every start is."""
        policy = self._policy
        if not line.route.paid:
            return [CalendarLimit("key_free_hour", record.key_id, policy.key_free_hour, HOUR)]
        return [
            RollingLimit("phone_day", record.phone_hash, policy.phone_day, DAY, paid_only=True),
            *self._paid_limits(record, phone),
            Unless(self._key_refused_limit(record)),
            GuessLimit(record.phone_hash, policy.phone_guesses),
        ]

    def _paid_limits(self, record: Verification, phone: Phone | None) -> list[SealedLimit | CalendarLimit]:
        """What a paid call is counted by, and given back to where it was certainly not made."""
        policy, keys = self._policy, self._keys
        limits: list[SealedLimit | CalendarLimit] = [
            CalendarLimit("key_paid_day", record.key_id, policy.key_paid_day, DAY, paid_only=True),
            CalendarLimit("stack_paid_hour", "stack", policy.stack_paid_hour, HOUR, paid_only=True),
        ]
        if phone is None:
            return limits
        block = keys.hash_block(phone.e164)
        return [SealedLimit("prefix_10m", block, policy.prefix_10m, TEN_MINUTES, keys.seal, keys.unseal), *limits]

    def _after_no_call(self, failed: Failed, phone: Phone) -> list[Claim]:
        return [*self._given_back(failed, phone, failed.record.attempt.at), *_released(failed)]

    def _given_back(self, failed: Failed, phone: Phone | None, at: int) -> list[Claim]:
        """What a call that was counted at `at` gives back by its outcome."""
        if failed.line is None or not failed.line.route.paid or not failed.made_no_call:
            return []
        return [GiveBack(limit, at) for limit in self._paid_limits(failed.record, phone)]

    def _refused(self, record: Verification) -> list[Claim]:
        """What a start counts against that a provider refused as a number."""
        counted: list[Claim] = [Counted(self._key_refused_limit(record))]
        if record.address_hash:
            counted.append(Counted(self._refused_limit(record.address_hash)))
        return counted

    def _refused_limit(self, address: str) -> RollingLimit:
        return RollingLimit("ip_refused_10m", address, self._policy.ip_refused_10m, TEN_MINUTES)

    def _key_refused_limit(self, record: Verification) -> CalendarLimit:
        return CalendarLimit("key_refused_hour", record.key_id, self._policy.key_refused_hour, HOUR, paid_only=True)

    def _browser_limits(self, caller: Caller) -> list[RollingLimit]:
        """What a browser's wrong codes, repeats and switches count against: its address at the gateway.

        Apart from the starts that its server makes for it.
        """
        if caller.is_key:
            return []
        try:
            address = self._keys.hash_address(f"browser {network_of(caller.address or '')}")
        except ValueError:
            return []
        return [RollingLimit("browser_10m", address, self._policy.browser_10m, TEN_MINUTES)]


def _hold(record: Verification, line: Line) -> list[Claim]:
    """Keep every other session of this phone from a line that knows calls by phone alone."""
    if line.route.identifies is not Identifies.BY_PHONE:
        return []
    return [TakeHold(line.provider, record.expires_at + HOLD_SECONDS)]


def _released(failed: Failed) -> list[Claim]:
    """The hold of a line that certainly waits for no call of this verification."""
    if failed.line is None or failed.line.route.identifies is not Identifies.BY_PHONE or not failed.made_no_call:
        return []
    earlier = [each.outcome for each in failed.record.attempts[:-1] if each.provider == failed.line.provider]
    waits = any(outcome not in (Outcome.REJECTED, Outcome.UNAVAILABLE) for outcome in earlier)
    return [] if waits else [ReleaseHold(failed.line.provider)]
