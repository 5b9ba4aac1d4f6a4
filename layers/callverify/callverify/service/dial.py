"""The loop over routes: whose turn it is, what an attempt takes, and what becomes of its outcome.

Starts, switches and resumed steps all go through it. They differ in how the first attempt is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from callverify.domain import errors
from callverify.domain import verification as transitions
from callverify.domain.claims import Claim, TakeHold
from callverify.domain.limits import VENDOR_SECONDS
from callverify.domain.verification import Change, Verification
from callverify.domain.words import CallOrder, CallOutcome, Challenge, Deadline, EndReason, Outcome, Phone
from callverify.providers.base import Line, Per
from callverify.service.claims import Failed
from callverify.service.context import Context
from callverify.service.lane import Lane
from callverify.store import LimitReached, Resting, Stale, Taken

# The write of the first attempt at a line, and what it takes.
Opening = Callable[[Line], tuple[Change, Sequence[Claim]]]


class Queue:
    """Lines in the order in which to ask them: those that rest come last, and are then asked all the same."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.left = list(lines)
        self._deferred: list[Line] = []

    def defer(self, line: Line) -> None:
        self.left.append(line)
        self._deferred.append(line)

    def __iter__(self) -> Iterator[tuple[Line, bool]]:
        """Each line, and whether it is passed over while it rests."""
        while self.left:
            line = self.left.pop(0)
            yield line, bool(self.left) and line not in self._deferred


class Dial:
    """One step: it may take several attempts, and makes at most one call that costs money."""

    def __init__(self, ctx: Context, lane: Lane, phone: Phone, base_url: str) -> None:
        self._ctx = ctx
        self._lane = lane
        self._phone = phone
        self._base_url = base_url
        self._deadline = ctx.deadline(VENDOR_SECONDS)
        self._begun: str | None = None  # the verification whose first attempt is on record

    def run(self, lines: Sequence[Line], opening: Opening | None, failed: Failed | None = None) -> Verification:
        """The record after the first line that may have made the call. `failed`: the step goes on after this attempt.

        Raises ProviderRejected or ProviderUnavailable when none is left, the verification having ended; what the first
        attempt was refused with when none was begun; and Stale when the record moved on before that. Busy names the
        verification for which a call may have been made.
        """
        self._begun = failed.record.id if failed else None
        try:
            return self._run(lines, opening, failed)
        except errors.Busy as busy:
            busy.verification_id = self._begun
            raise

    def _run(self, lines: Sequence[Line], opening: Opening | None, failed: Failed | None) -> Verification:
        refusal: errors.CallverifyError | None = None
        queue = Queue(lines)
        for line, may_rest in queue:
            # After a call that may have been made, only what costs nothing is tried.
            if failed and failed.step_may_have_called and line.route.paid:
                continue
            change, claims = self._next(line, failed) if failed else opening(line)  # type: ignore[misc]
            try:
                awake = self._lane.claims.awake(line) if may_rest else ()
                # At the attempt's own time, by which what was counted is found again when it is given back.
                record = self._ctx.store.apply(change, change.after.attempt.at, [*claims, *awake])
            except Resting:
                queue.defer(line)
            except LimitReached as reached:
                refusal = refusal or rate_limited(reached)
                if not reached.limit.paid_only:
                    break
            except Taken as taken:
                if not isinstance(taken.claim, TakeHold):
                    raise
                refusal = refusal or held(taken, self._ctx.now())
            except Stale:
                if failed is None:
                    raise
                return self._ctx.fresh(failed.record)
            else:
                self._note_begun(record, left=None if failed else change.before)
                outcome = self._ask(line, record, others=len(queue.left))
                if outcome.outcome is Outcome.STARTED or _may_be_ringing(line, outcome):
                    return self.record_answer(line, record, outcome)
                failed = Failed(record, outcome, line)
        if failed is None:
            raise refusal or errors.NoProviderAvailable("No configured provider can verify this phone now.")
        return self._give_up(failed)

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
            poll_every=self._lane.poll_every,
            now=self._ctx.now(),
        )
        return change, self._lane.claims.go_on(change, line, self._phone, failed)

    # Asking

    def _ask(self, line: Line, record: Verification, *, others: int) -> CallOutcome:
        number = record.attempt.number
        code = self._lane.code(record, line.route.code.digits) if line.route.code else None
        order = CallOrder(self._phone, line.method, f"{record.id}-{number}", code, self._webhook_url(line, record.id))
        tries = 2 if line.route.resends_safely else 1
        outcome = self._start(line, order, self._share(others + tries))
        if outcome.outcome is Outcome.UNKNOWN and line.route.resends_safely:
            again = self._start(line, order, self._share(others + 1))
            # Anything but a success would speak of the second sending alone: the first may be ringing.
            if again.outcome is Outcome.STARTED:
                outcome = again
        self._lane.observer.provider_answered(record, "start", outcome)
        self._lane.breaker.judge(line.provider, outcome)
        if outcome.code_differs:
            self._lane.observer.count("CodeDiffers", provider=line.provider, method=line.method)
        return outcome

    def _share(self, claims: int) -> Deadline:
        """What is left, divided by the sendings that may still come."""
        return self._deadline.within(self._deadline.remaining() / claims)

    def _start(self, line: Line, order: CallOrder, deadline: Deadline) -> CallOutcome:
        return timed(self._ctx, self._lane, line.provider, "start", lambda: line.client.start(order, deadline))

    def _webhook_url(self, line: Line, verification_id: str) -> str | None:
        if line.route.webhook is None or line.route.webhook.per is Per.ACCOUNT:
            return None
        base = self._ctx.policy.public_base_url or self._base_url
        token = self._ctx.keys.webhook_token(verification_id)
        return f"{base}/webhooks/{line.provider}/{verification_id}/{token}"

    # Outcomes

    def record_answer(self, line: Line, record: Verification, outcome: CallOutcome) -> Verification:
        """Store that the provider agreed, or may have. A record that has moved on stays as it is."""
        observer = self._lane.observer
        if outcome.outcome is Outcome.STARTED:
            observer.count("Started", provider=line.provider, method=line.method)
        if line.route.paid:
            observer.count("PaidCalls", provider=line.provider)
        digits = line.route.code.digits if line.route.code else 4
        change = transitions.answer(
            record,
            outcome,
            outcome.challenge or Challenge.enter_digits(digits),
            repeats=line.route.repeats,
            repeat_after=line.route.repeat_after,
            now=self._ctx.now(),
        )
        try:
            return self._ctx.store.apply(change, self._ctx.now(), self._lane.claims.answered(change))
        except Stale:
            return self._ctx.fresh(record)

    def _give_up(self, failed: Failed) -> Verification:
        """End the verification, and raise why."""
        rejected = failed.outcome.outcome is Outcome.REJECTED
        error = provider_error("provider_rejected" if rejected else "provider_unavailable", failed.record.id)
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


def _may_be_ringing(line: Line, outcome: CallOutcome) -> bool:
    return outcome.outcome is Outcome.UNKNOWN and line.route.code is not None


def timed[T](ctx: Context, lane: Lane, provider: str, action: str, ask: Callable[[], T]) -> T:
    began = ctx.clock()
    answer = ask()
    # CloudWatch sorts no negative values, which a clock that is set back would give.
    took = max(0, round((ctx.clock() - began) * 1000))
    lane.observer.measure("VendorLatency", took, "Milliseconds", provider=provider, action=action)
    return answer


def rate_limited(reached: LimitReached) -> errors.RateLimited:
    return errors.RateLimited(
        f"The limit {reached.limit.name} is reached. Retry after `retry_after` seconds.",
        limit=reached.limit.name,
        retry_after=reached.retry_after,
    )


def held(taken: Taken, now: int) -> errors.NoProviderAvailable:
    return errors.NoProviderAvailable(
        "A call for an earlier verification of this phone may still arrive. Retry after `retry_after` seconds.",
        retry_after=max(1, int(taken.item["expires_at"]) - now),
    )


def provider_error(code: str, verification_id: str) -> errors.CallverifyError:
    """The error that a provider's failure is answered with, now and whenever the answer is replayed."""
    kind, detail = {
        "provider_rejected": (errors.ProviderRejected, "The provider refuses this number. No call was made."),
        "repeat_not_supported": (errors.RepeatNotSupported, "The provider repeats no calls. Switch to another method."),
        "repeat_exhausted": (errors.RepeatExhausted, "The provider's free repeats of this call are used up."),
        "repeat_window_closed": (errors.RepeatWindowClosed, "The provider no longer repeats this call."),
        "repeat_too_soon": (errors.RepeatTooSoon, "The provider will not repeat the call yet."),
    }.get(code, (errors.ProviderUnavailable, "The provider could not be used. See `attempts` of the verification."))
    return kind(detail, verification_id=verification_id)
