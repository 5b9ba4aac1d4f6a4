"""Seeded faults: each one line of the layer made wrong, in a way that somebody could make it wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """file: below the layer's package. `right` stands there once, and becomes `wrong`."""

    name: str
    file: str
    right: str
    wrong: str


DOMAIN, STORE = "domain/verification.py", "store/verifications.py"
CLAIMS, DIAL, COUNTERS = "service/claims.py", "service/dial.py", "store/counters.py"

FAULTS = [
    # The record and its guards
    Fault("go on whatever the step has become", DOMAIN, "_SAME_STEP = Guard(same_step=True)", "_SAME_STEP = Guard()"),
    Fault(
        "an answer overwrites a take-over",
        DOMAIN,
        "was shorter than the wait for it.\n    return Change(before, after, Guard(unexpired=False, same_step=True))",
        "was shorter than the wait for it.\n    return Change(before, after, Guard(unexpired=False))",
    ),
    Fault(
        "an answer after the window is lost",
        DOMAIN,
        "was shorter than the wait for it.\n    return Change(before, after, Guard(unexpired=False, same_step=True))",
        "was shorter than the wait for it.\n    return Change(before, after, Guard(same_step=True))",
    ),
    Fault("two guesses are spent as one", DOMAIN, 'Guard(unchanged=("guesses",))', "Guard()"),
    Fault("two wrong guesses are judged as one", DOMAIN, 'Guard(unchanged=("wrong",))', "Guard()"),
    Fault(
        "the sixth wrong guess ends it", DOMAIN, "after.wrong >= before.guess_limit", "after.wrong > before.guess_limit"
    ),
    Fault(
        "expired before the window is over", DOMAIN, "Guard(unexpired=False, expired=True)", "Guard(unexpired=False)"
    ),
    Fault("the window's last second reads as over", DOMAIN, "now >= self.expires_at", "now >= self.expires_at - 1"),
    Fault(
        "a new attempt keeps the old call",
        DOMAIN,
        "        call_id=None,\n        answered_at=None,",
        "        answered_at=None,",
    ),
    Fault("a new attempt keeps the old report", DOMAIN, "        webhook_call_id=None,\n", ""),
    Fault("the right guess is not given back", DOMAIN, "before.guesses - gives_back", "before.guesses"),
    Fault("a repeat costs no allowance", DOMAIN, "before.repeats_remaining - 1", "before.repeats_remaining"),
    # The store
    Fault("a write asks for no attempt", STORE, 'same = ["attempt_number", "provider"]', 'same = ["provider"]'),
    Fault("a write asks for no open window", STORE, "if guard.unexpired:", "if False:"),
    Fault("a report is news each time", STORE, "if guard.news:", "if False:"),
    Fault("two ask the provider at a time", STORE, "if guard.poll_due:", "if False:"),
    Fault(
        "an end frees another one's phone",
        STORE,
        '    condition = "attribute_not_exists(pk) OR verification_id = :id"\n    return forms.get(pk)',
        '    condition = "attribute_exists(pk) OR verification_id <> :id"\n    return forms.get(pk)',
    ),
    Fault("a lock can be taken over while it lives", STORE, "OR expires_at <= :now OR", "OR expires_at > :now OR"),
    Fault(
        "given back as often as asked",
        COUNTERS,
        '"n >= :one AND (attribute_not_exists(returned) OR returned < :count)"',
        '"n >= :one"',
    ),
    Fault(
        "one more than the limit",
        COUNTERS,
        'oldest = f"starts[{limit.count - 1}]"\n    is_open',
        'oldest = f"starts[{limit.count}]"\n    is_open',
    ),
    Fault("the phone's guesses never end", COUNTERS, "(ends > :now AND n < :limit)", "(ends > :now)"),
    Fault(
        "a right guess counts against the phone",
        COUNTERS,
        '"SET n = n - :one, ends = ends_before',
        '"SET ends = ends_before',
    ),
    # The use cases
    Fault("no hold is taken", CLAIMS, "if line.route.identifies is not Identifies.BY_PHONE:", "if True:"),
    Fault("a hold ends with the window", CLAIMS, "record.expires_at + HOLD_SECONDS", "record.expires_at"),
    Fault(
        "a hold goes although a call may come",
        CLAIMS,
        "    return [] if waits else [ReleaseHold(failed.line.provider)]",
        "    return [ReleaseHold(failed.line.provider)]",
    ),
    Fault(
        "an unknown outcome is given back",
        CLAIMS,
        "return self.outcome.outcome in (Outcome.REJECTED, Outcome.UNAVAILABLE)",
        "return self.outcome.outcome is not Outcome.STARTED",
    ),
    Fault(
        "an earlier unknown call is forgotten",
        CLAIMS,
        "return Outcome.UNKNOWN in (self.outcome.outcome, *earlier)",
        "return self.outcome.outcome is Outcome.UNKNOWN",
    ),
    Fault(
        "a paid call after one that may ring",
        DIAL,
        "if failed and failed.step_may_have_called and",
        "if False and",
    ),
    Fault(
        "an unknown flash call is followed by another",
        DIAL,
        "return outcome.outcome is Outcome.UNKNOWN and line.route.code is not None",
        "return False",
    ),
    Fault(
        "all that is sent is sent twice",
        DIAL,
        "outcome.outcome is Outcome.UNKNOWN and line.route.resends_safely",
        "outcome.outcome is Outcome.UNKNOWN",
    ),
    Fault(
        "the second sending's answer speaks for both",
        DIAL,
        "            if again.outcome is Outcome.STARTED:\n                outcome = again",
        "            outcome = again",
    ),
    Fault("a take-over at once", "service/steps.py", "TAKE_OVER_AFTER_SECONDS = 15", "TAKE_OVER_AFTER_SECONDS = 0"),
    Fault("a step that died is asked for again", "service/steps.py", "if line and line.route.code:", "if False:"),
    Fault(
        "an echo verifies",
        "service/read.py",
        "return verification.webhook_call_id == verification.call_id",
        "return True",
    ),
    Fault(
        "a stranger's call verifies",
        "service/read.py",
        "        return False\n    if report.verdict is Verdict.UNSTATED",
        "    if report.verdict is Verdict.UNSTATED",
    ),
    Fault(
        "a call of another time verifies",
        "service/webhooks.py",
        "not verification.attempt.at <= heard.occurred_at <= verification.expires_at",
        "False",
    ),
    Fault(
        "the follow-up of an earlier attempt ends the later one",
        "service/follow_up.py",
        " or verification.attempt.number != attempt:",
        ":",
    ),
    Fault(
        "a test key dials the live lane",
        "service/start.py",
        "self._lane = ctx.lane(caller.mode)",
        "self._lane = next(iter(ctx.lanes.values()))",
    ),
    Fault(
        "a switch of a test key dials the live lane when taken over",
        "service/steps.py",
        "ctx, lane = self._ctx, self._ctx.lane(verification.mode)",
        "ctx, lane = self._ctx, next(iter(self._ctx.lanes.values()))",
    ),
]
