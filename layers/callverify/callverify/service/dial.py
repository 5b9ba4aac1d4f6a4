"""The loop over routes: whose turn it is, what an attempt takes, and what becomes of its outcome.

Starts, switches and resumed steps all go through it. They differ in how the first attempt is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from callverify.domain import errors
from callverify.domain import verification as transitions
from callverify.domain.claims import Claim, TakeHold
from callverify.domain.limits import VENDOR_SECONDS
from callverify.domain.value import value
from callverify.domain.verification import Change, Verification
from callverify.domain.words import (
    CallOrder,
    CallOutcome,
    Challenge,
    Deadline,
    EndReason,
    Outcome,
    Phone,
    Reason,
    Status,
)
from callverify.providers.base import Line, Per
from callverify.service.claims import Failed
from callverify.service.context import Context
from callverify.service.lane import Lane
from callverify.store import Blocked, LimitReached, Stale, Taken

# The write of the first attempt at a line, and what it takes.
Opening = Callable[[Line], tuple[Change, Sequence[Claim]]]


LEAST_SECONDS, FIRST_SECONDS = 2.0, 4.0  # of the budget: for each route, and at most for the first of several


@value
class Skipped:
    """A route that was passed over without being asked, and why."""

    provider: str
    method: str
    reason: str


class Queue:
    """Lines in the order in which to ask them: those that rest come last, and are then asked all the same."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.left = list(lines)
        self.resting: list[Line] = []

    def defer(self, line: Line) -> None:
        self.left.append(line)
        self.resting.append(line)

    def drain(self) -> Sequence[Line]:
        """What is left, of which none is asked."""
        left, self.left = self.left, []
        return left

    def __iter__(self) -> Iterator[tuple[Line, bool]]:
        """Each line, and whether it is passed over while it rests."""
        while self.left:
            line = self.left.pop(0)
            yield line, bool(self.left) and line not in self.resting


class Dial:
    """One step: it may take several attempts, and makes at most one call that costs money.

    skipped: the routes that were passed over, once it has run. end_user_ip: of the person, where the request names it.
    """

    def __init__(
        self,
        ctx: Context,
        lane: Lane,
        phone: Phone,
        base_url: str,
        end_user_ip: str | None = None,
        deadline: Deadline | None = None,
    ) -> None:
        self.skipped: list[Skipped] = []
        self._ctx = ctx
        self._lane = lane
        self._phone = phone
        self._base_url = base_url
        self._end_user_ip = end_user_ip
        self._deadline = deadline or ctx.deadline(VENDOR_SECONDS)
        self._begun: str | None = None  # the verification whose first attempt is on record
        self._asked = False
        self._held_for = 0

    def run(self, lines: Sequence[Line], opening: Opening | None, failed: Failed | None = None) -> Verification:
        """The record after the first line that may have made the call. `failed`: the step goes on after this attempt.

        Raises ProviderRejected, ProviderUnavailable or NoProviderAvailable when none is left, the verification having
        ended; what the first attempt was refused with when none was begun; and Stale when the record moved on before
        that. Busy names the verification for which a call may have been made. What is raised to the caller tells the
        routes that were skipped.
        """
        self._begun = failed.record.id if failed else None
        queue = Queue(lines)
        try:
            return self._run(queue, opening, failed)
        except errors.CallverifyError as error:
            if isinstance(error, errors.Busy):
                error.verification_id = self._begun
            error.skipped = self.skipped
            raise
        finally:
            for line in queue.left:
                if line in queue.resting:
                    self._skip(line, "resting")

    def _run(self, queue: Queue, opening: Opening | None, failed: Failed | None) -> Verification:
        refusal: errors.CallverifyError | None = None
        for line, may_rest in queue:
            if reason := self._passes_over(line, failed):
                self._skip(line, reason)
                continue
            if may_rest and self._lane.breaker.rests(line.provider):
                queue.defer(line)
                continue
            change, claims = self._next(line, failed) if failed else opening(line)  # type: ignore[misc]
            if line.route.code and change.after.guesses >= change.after.guess_limit:
                self._skip(line, "limit")  # nobody could check its code
                continue
            try:
                # At the attempt's own time, by which what was counted is found again when it is given back.
                record = self._ctx.store.apply(change, change.after.attempt.at, claims)
            except LimitReached as reached:
                refusal = refusal or rate_limited(reached)
                self._skip(line, "limit")
                if not reached.limit.paid_only:
                    for other in queue.drain():
                        self._skip(other, "limit")
            except Blocked:
                raise blocked() from None
            except Taken as taken:
                if not isinstance(taken.claim, TakeHold):
                    raise
                refusal = refusal or held(taken, self._ctx.now())
                self._skip(line, "held")
            except Stale:
                if failed is None:
                    raise
                return self._ctx.fresh(failed.record)
            else:
                self._note_begun(record, left=None if failed else change.before)
                outcome = self._ask(line, record, others=len(queue.left))
                answered = self._answered(line, record, outcome)
                if isinstance(answered, Verification):
                    return answered
                failed = answered
        if failed is None:
            raise refusal or errors.NoProviderAvailable(
                "No configured provider can take this request now. For an API key, `skipped` says why."
            )
        return self._give_up(failed)

    def _skip(self, line: Line, reason: str) -> None:
        self.skipped.append(Skipped(line.provider, line.method, reason))

    def _passes_over(self, line: Line, failed: Failed | None) -> str | None:
        """Why a line is not asked, before anything is written."""
        if line.stopped:
            return "paid_stopped"
        if not line.serves(self._phone.region):
            return "country"
        if failed and line.route.paid and self._may_have_paid(failed):
            return "may_have_been_paid"
        if self._deadline.remaining() < LEAST_SECONDS:
            return "time"
        if line.route.code and not line.route.code.ours and self._lane.pools.is_predictable(line):
            self._lane.observer.count("PredictableCodes", provider=line.provider, method=line.method)
            return "predictable"
        return None

    def _may_have_paid(self, failed: Failed) -> bool:
        """Whether an attempt of this step may have cost money: after it, only what costs nothing is tried."""
        record, step = failed.record, failed.record.attempt.step
        unknown = [each for each in record.attempts[:-1] if each.step == step and each.outcome is Outcome.UNKNOWN]
        if failed.outcome.outcome is Outcome.UNKNOWN:
            unknown.append(record.attempt)
        lines = [self._lane.line(each.provider, each.method) for each in unknown]
        return any(line is None or line.route.paid for line in lines)

    def _note_begun(self, record: Verification, *, left: Verification | None) -> None:
        """`left`: the record before a switch, whose call is left for another."""
        self._begun = record.id
        self._ctx.observer.about(record.id)
        if left:
            self._lane.observer.measure("Conversion", 0, "Count", provider=left.provider, method=left.method)

    def _next(self, line: Line, failed: Failed) -> tuple[Change, Sequence[Claim]]:
        change = transitions.go_on(
            failed.record,
            failed.outcome,
            line.method,
            line.provider,
            window=line.window,
            checks=self._lane.claims.checks(line),
            now=self._ctx.now(),
        )
        return change, self._lane.claims.go_on(change, line, self._phone, failed)

    # Asking

    def _ask(self, line: Line, record: Verification, *, others: int) -> CallOutcome:
        share, began = self._share(others), self._ctx.clock()
        self._asked = True
        order = self._order(line, record)
        first = share.within(share.remaining() / 2) if line.route.resends_safely else share
        outcome = self._start(line, order, first)
        if outcome.outcome is Outcome.UNKNOWN and line.route.resends_safely:
            again = self._start(line, order, share)
            # Anything but a success would speak of the second sending alone: the first may be ringing.
            if again.outcome is Outcome.STARTED:
                outcome = again
        self._lane.observer.provider_answered(record, "start", outcome)
        self._lane.breaker.judge(line.provider, outcome)
        if outcome.code_differs:
            self._lane.observer.count("CodeDiffers", provider=line.provider, method=line.method)
        return replace(outcome, ms=max(0, round((self._ctx.clock() - began) * 1000)))

    def _order(self, line: Line, record: Verification) -> CallOrder:
        code = line.route.code
        return CallOrder(
            self._phone,
            line.method,
            unique=f"{record.id}-{record.attempt.number}",
            code=self._lane.code(record, code.digits) if code and code.ours else None,
            webhook_url=self._webhook_url(line, record.id),
            locale=record.locale,
            end_user_ip=self._end_user_ip,
        )

    def _share(self, others: int) -> Deadline:
        """What this route may use of the time that is left, the others' least share taken off."""
        left = self._deadline.remaining()
        if others == 0:
            return self._deadline
        most = left if self._asked else FIRST_SECONDS
        return self._deadline.within(max(LEAST_SECONDS, min(most, left - others * LEAST_SECONDS)))

    def _start(self, line: Line, order: CallOrder, deadline: Deadline) -> CallOutcome:
        return timed(self._ctx, self._lane, line.provider, "start", lambda: line.client.start(order, deadline))

    def _webhook_url(self, line: Line, verification_id: str) -> str | None:
        if line.route.webhook is None or line.route.webhook.per is Per.ACCOUNT:
            return None
        return self._ctx.webhook_url(line.provider, verification_id, self._base_url)

    # Outcomes

    def _answered(self, line: Line, record: Verification, outcome: CallOutcome) -> Verification | Failed:
        """The record with what the provider agreed to, or may have; else what failed."""
        ours = line.route.code is not None and line.route.code.ours
        if outcome.outcome is Outcome.STARTED or (outcome.outcome is Outcome.UNKNOWN and ours):
            try:
                return self.record_answer(line, record, outcome)
            except Taken as taken:
                # The number to dial, or the call's id, may still belong to an earlier verification of this phone.
                self._held_for = retry_after(taken, self._ctx.now())
                return Failed(record, CallOutcome(Outcome.UNAVAILABLE, Reason.HELD), line)
        if outcome.outcome is Outcome.UNKNOWN and line.route.paid:
            self._lane.observer.count("PaidCalls", provider=line.provider)
        return Failed(record, outcome, line)

    def record_answer(self, line: Line, record: Verification, outcome: CallOutcome) -> Verification:
        """Store that the provider agreed, or may have. A record that has moved on stays as it is.

        Raises Taken where the number to dial may still belong to an earlier verification of this phone, and NotFound
        where the record was erased meanwhile.
        """
        observer, code = self._lane.observer, line.route.code
        change = transitions.answer(
            record,
            outcome,
            outcome.challenge or Challenge.enter_digits(code.digits if code else 0),
            code_hash=self._ctx.keys.hash_code(record.id, record.attempt.number, outcome.code)
            if outcome.code
            else None,
            repeats=line.route.repeats,
            repeat_after=line.route.repeat_after,
            now=self._ctx.now(),
        )
        claims = [*self._lane.claims.started(change, line)]
        late = change.after.status is Status.EXPIRED
        if late:
            claims += self._lane.claims.ended(change)
        answered: Verification | None = None
        try:
            answered = self._ctx.store.apply(change, self._ctx.now(), claims)
        except Stale:
            pass  # the call is counted all the same
        else:
            if late:
                self._ctx.count_end("Expired", answered)
        if outcome.outcome is Outcome.STARTED:
            observer.count("Started", provider=line.provider, method=line.method)
        if line.route.paid:
            observer.count("PaidCalls", provider=line.provider)
        if outcome.code and (size := self._lane.pools.learn(line, outcome.code)) is not None:
            observer.measure("CodePool", size, "Count", provider=line.provider, method=line.method)
        return answered or self._ctx.fresh(record)

    def _give_up(self, failed: Failed) -> Verification:
        """End the verification, and raise why."""
        rejected = failed.outcome.outcome is Outcome.REJECTED
        error = provider_error("provider_rejected" if rejected else "provider_unavailable", failed.record.id)
        if failed.outcome.reason is Reason.HELD:
            error = provider_error("no_provider_available", failed.record.id)
            error.retry_after = self._held_for
        reason = EndReason.PROVIDER_REJECTED if rejected else EndReason.PROVIDER_UNAVAILABLE
        now = self._ctx.now()
        change = transitions.fail(failed.record, failed.outcome, reason, step_error=error.code, now=now)
        try:
            self._ctx.store.apply(change, now, self._lane.claims.failed(change, self._phone, failed))
        except Stale:
            return self._ctx.fresh(failed.record)
        observer = self._lane.observer
        observer.count("Failed", provider=failed.record.provider, method=failed.record.method)
        raise error


def timed[T](ctx: Context, lane: Lane, provider: str, action: str, ask: Callable[[], T]) -> T:
    began = ctx.clock()
    answer = ask()
    # CloudWatch sorts no negative values, which a clock that is set back would give.
    took = max(0, round((ctx.clock() - began) * 1000))
    lane.observer.measure("VendorLatency", took, "Milliseconds", provider=provider, action=action)
    return answer


def blocked() -> errors.PhoneBlocked:
    return errors.PhoneBlocked("This phone is blocked. No call is started for it until it is unblocked.")


def rate_limited(reached: LimitReached) -> errors.RateLimited:
    return errors.RateLimited(
        f"The limit {reached.limit.name} is reached. Retry after `retry_after` seconds.",
        limit=reached.limit.name,
        retry_after=reached.retry_after,
    )


NOT_REPEATED = "This call can't be repeated. Switch to another method, or to the same one again."
NO_REPEATS_LEFT = "No repeats of this call are left. Switch to another method, or to the same one again."
HELD = (
    "A call for an earlier verification of this phone may still arrive. Retry with a new Idempotency-Key, after "
    "`retry_after` seconds if it is given."
)


def held(taken: Taken, now: int) -> errors.NoProviderAvailable:
    return errors.NoProviderAvailable(HELD, retry_after=retry_after(taken, now))


def retry_after(taken: Taken, now: int) -> int:
    """Seconds until a hold ends."""
    return max(1, int(taken.item["expires_at"]) - now)


def provider_error(code: str, verification_id: str) -> errors.CallverifyError:
    """The error that a provider's failure is answered with, now and whenever the answer is replayed."""
    kind, detail = {
        "no_provider_available": (errors.NoProviderAvailable, HELD),
        "provider_rejected": (errors.ProviderRejected, "The provider refuses this number. No call was made."),
        "repeat_not_supported": (errors.RepeatNotSupported, NOT_REPEATED),
        "repeat_exhausted": (errors.RepeatExhausted, NO_REPEATS_LEFT),
        "repeat_window_closed": (
            errors.RepeatWindowClosed,
            "The provider no longer repeats this call. Switch to another method, or to the same one again.",
        ),
        "repeat_too_soon": (
            errors.RepeatTooSoon,
            "The provider does not repeat this call yet. Retry later, with a new Idempotency-Key.",
        ),
    }.get(
        code,
        (
            errors.ProviderUnavailable,
            "No provider confirmed the call. See `attempts` of the verification. Retry with a new Idempotency-Key.",
        ),
    )
    return kind(detail, verification_id=verification_id)
