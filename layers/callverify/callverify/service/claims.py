"""What starts, repeats, checks and ends take beside the record: the phone's lock, holds and limits."""

from __future__ import annotations

from collections.abc import Sequence

from callverify.domain.claims import (
    Claim,
    CoolDown,
    Counted,
    KnowCall,
    MoveLock,
    ReleaseHold,
    ReleaseLock,
    ReturnGuess,
    ShortenHold,
    SpendGuess,
    TakeHold,
    TakeLock,
    Unblocked,
    Unless,
    UseCall,
)
from callverify.domain.keys import Keys
from callverify.domain.limits import CalendarLimit
from callverify.domain.value import value
from callverify.domain.verification import Change, Verification
from callverify.domain.words import Caller, CallOutcome, Outcome, Phone, Status
from callverify.providers.base import Identifies, Line
from callverify.service.limits import Limits
from callverify.service.policy import HOLD_SECONDS, VERIFIED_HOLD_SECONDS, Policy


class Claims:
    """Claims of each change, in the order in which they are judged. This one takes nothing: of the test lane.

    Where a call is asked for, it only asks that the phone is not blocked. A start is noted for an erasure to know.
    cooldown: how many seconds after a provider's answer a phone may be called again.
    """

    cooldown = 0

    def __init__(self, policy: Policy, keys: Keys) -> None:
        self._policy = policy
        self._limits = Limits(policy, keys)

    def checks(self, line: Line) -> int:
        """How many codes of an attempt may be wrong before the verification fails."""
        return self._limits.checks(line)

    def search(self, caller: Caller) -> Sequence[CalendarLimit]:  # noqa: ARG002
        """A search by phone."""
        return ()

    def erasure(self, caller: Caller) -> Sequence[CalendarLimit]:  # noqa: ARG002
        """An erasure by phone."""
        return ()

    def start(self, change: Change, line: Line, phone: Phone, dead: str | None) -> Sequence[Claim]:  # noqa: ARG002
        """`dead`: a verification that has ended, whose lock may be taken over."""
        return [Unblocked(notes_start=True)]

    def go_on(self, change: Change, line: Line, phone: Phone, failed: Failed) -> Sequence[Claim]:  # noqa: ARG002
        return ()

    def switch(self, change: Change, line: Line, phone: Phone, caller: Caller) -> Sequence[Claim]:  # noqa: ARG002
        return [Unblocked()]

    def repeat(self, change: Change, line: Line, caller: Caller) -> Sequence[Claim]:  # noqa: ARG002
        return [Unblocked()]

    def started(self, change: Change, line: Line) -> Sequence[Claim]:  # noqa: ARG002
        """The provider agreed to a start, or may have."""
        return ()

    def repeated(self, change: Change) -> Sequence[Claim]:  # noqa: ARG002
        """The provider agreed to a repeat, or may have."""
        return ()

    def repeat_refused(self, change: Change, line: Line, outcome: CallOutcome) -> Sequence[Claim]:  # noqa: ARG002
        return ()

    def failed(self, change: Change, phone: Phone, failed: Failed) -> Sequence[Claim]:  # noqa: ARG002
        """No provider could make the call: the verification ends."""
        return ()

    def ended(self, change: Change) -> Sequence[Claim]:  # noqa: ARG002
        """Canceled, expired, or out of checks."""
        return ()

    def check(self, change: Change, caller: Caller, guess_id: str) -> Sequence[Claim]:  # noqa: ARG002
        """A guess is spent."""
        return ()

    def wrong(self, change: Change, caller: Caller) -> Sequence[Claim]:  # noqa: ARG002
        """A guess was compared, and is wrong. It may have been the last."""
        return ()

    def return_guess(self, change: Change, guess_id: str) -> Sequence[Claim]:  # noqa: ARG002
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
    """Of the live lane."""

    def __init__(self, policy: Policy, keys: Keys) -> None:
        super().__init__(policy, keys)
        self.cooldown = policy.phone_cooldown

    def search(self, caller: Caller) -> Sequence[CalendarLimit]:
        return [self._limits.search(caller)]

    def erasure(self, caller: Caller) -> Sequence[CalendarLimit]:
        return [self._limits.erasure(caller)]

    def start(self, change: Change, line: Line, phone: Phone, dead: str | None) -> Sequence[Claim]:
        limits = self._limits.of(change.after, line, phone, change.after.address_hash)
        return [TakeLock(dead), *limits, *_hold(change.after, line)]

    def go_on(self, change: Change, line: Line, phone: Phone, failed: Failed) -> Sequence[Claim]:
        limits = self._limits.of_line(change.after, line, phone)
        return [MoveLock(), *limits, *self._after_no_call(failed, phone), *_hold(change.after, line)]

    def switch(self, change: Change, line: Line, phone: Phone, caller: Caller) -> Sequence[Claim]:
        return [MoveLock(), *self._limits.asked_by(caller, change.after, line, phone), *_hold(change.after, line)]

    def repeat(self, change: Change, line: Line, caller: Caller) -> Sequence[Claim]:
        return self._limits.asked_by(caller, change.after, line, None)

    def started(self, change: Change, line: Line) -> Sequence[Claim]:
        record = change.after
        claims: list[Claim] = [CoolDown(self.cooldown)]
        if line.route.identifies is Identifies.BY_PHONE or record.challenge is None or not record.challenge.number:
            return claims
        until = record.expires_at + HOLD_SECONDS
        claims.append(TakeHold(line.provider, until, record.challenge.number))
        if record.call_id:
            claims.append(KnowCall(line.provider, record.call_id, until))
        return claims

    def repeated(self, change: Change) -> Sequence[Claim]:  # noqa: ARG002
        return [CoolDown(self.cooldown)]

    def repeat_refused(self, change: Change, line: Line, outcome: CallOutcome) -> Sequence[Claim]:
        failed = Failed(change.after, outcome, line)
        refused = self._limits.refused(change.after) if outcome.outcome is Outcome.REJECTED else ()
        return [*self.repeated(change), *refused, *self._given_back(failed, None, change.after.step.claimed_at)]

    def failed(self, change: Change, phone: Phone, failed: Failed) -> Sequence[Claim]:
        refused = self._limits.refused(failed.record) if failed.outcome.outcome is Outcome.REJECTED else ()
        return [*self.repeated(change), ReleaseLock(), *refused, *self._after_no_call(failed, phone)]

    def ended(self, change: Change) -> Sequence[Claim]:  # noqa: ARG002
        return [ReleaseLock()]

    def check(self, change: Change, caller: Caller, guess_id: str) -> Sequence[Claim]:
        full = [Unless(limit) for limit in self._limits.browser(caller)]
        return [*full, *(SpendGuess(guess_id, count, name) for name, count in self._limits.guesses(change.after))]

    def wrong(self, change: Change, caller: Caller) -> Sequence[Claim]:
        counted: list[Claim] = [Counted(limit) for limit in self._limits.browser(caller)]
        return [*self.ended(change), *counted] if change.after.status is Status.FAILED else counted

    def return_guess(self, change: Change, guess_id: str) -> Sequence[Claim]:
        record = change.before or change.after
        return [ReturnGuess(guess_id, name) for name, _ in self._limits.guesses(record)]

    def verified(
        self, change: Change, line: Line | None, *, guess_id: str | None = None, occurred_at: int | None = None
    ) -> Sequence[Claim]:
        verified_at = change.after.verified_at or 0
        claims: list[Claim] = [ReleaseLock()]
        if occurred_at is not None:
            claims.append(UseCall(occurred_at))
        if line and line.route.code is None:
            by_phone = line.route.identifies is Identifies.BY_PHONE
            number = None if by_phone or change.after.challenge is None else change.after.challenge.number
            if by_phone or number:
                claims.append(ShortenHold(line.provider, verified_at + VERIFIED_HOLD_SECONDS, number))
        return [*claims, *(self.return_guess(change, guess_id) if guess_id else ())]

    def _after_no_call(self, failed: Failed, phone: Phone) -> list[Claim]:
        return [*self._given_back(failed, phone, failed.record.attempt.at), *_released(failed)]

    def _given_back(self, failed: Failed, phone: Phone | None, at: int) -> list[Claim]:
        """What a call that was counted at `at` gives back by its outcome."""
        if failed.line is None or not failed.line.route.paid or not failed.made_no_call:
            return []
        return self._limits.given_back(failed.record, phone, at)


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
