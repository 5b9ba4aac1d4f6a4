"""Every transition of a verification out of every state: what it changes, or that it may not be written."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any, cast

import pytest

from callverify.domain import verification as transitions
from callverify.domain.steps import Attempt, Step, StepKind
from callverify.domain.verification import Guard, Verification
from callverify.domain.words import CallOutcome, EndReason, Evidence, Outcome, Reason, Status
from tests.support.guards import holds
from tests.support.states import (
    DIGITS,
    DONE,
    DOWN,
    EVENTS,
    FLASH,
    NOW,
    NUMBER,
    OPEN,
    OVER,
    PAST,
    PICKED,
    REVERSE,
    STARTED,
    STARTING,
    STATES,
    UNKNOWN,
)

SAME_STEP = Guard(same_step=True)
GUARDS = {
    "begin": Guard(),
    "go_on": SAME_STEP,
    "switch": SAME_STEP,
    "answer": Guard(unexpired=False, same_step=True),
    "claim_step": SAME_STEP,
    "count_mismatch": Guard(unchanged=("phone_mismatches",)),
    "begin_repeat": SAME_STEP,
    "answer_repeat": Guard(unexpired=False, same_step=True),
    "note_report": Guard(unchanged=("call_id",), news=True),
    "spend_guess": Guard(unchanged=("guesses",)),
    "judge_wrong": Guard(unchanged=("wrong",)),
    "verify": Guard(),
    "fail": SAME_STEP,
    "cancel": Guard(),
    "expire": Guard(unexpired=False, expired=True),
}

NOT_WRITTEN = None
type Row = dict[str, dict[str, Any] | None]


def of(states: Iterable[str], **changed: Any) -> Row:
    return dict.fromkeys(states, changed)


def refused(*states: str) -> Row:
    return dict.fromkeys(states, NOT_WRITTEN)


def first(outcome: Outcome, reason: Reason | None = None) -> Attempt:
    return Attempt(1, 1, FLASH, "first", outcome, NOW - 70, reason)


def judged(state: str) -> Attempt:
    """The attempt as the state has it."""
    return STATES[state].attempt


def attempt_of_second(step: int, before: Attempt, state: str) -> dict[str, Any]:
    """What a new attempt at the second provider changes: nothing of the first one's call is left."""
    left = {
        "starting": {},
        "started": {"challenge": None, "call_id": None, "answered_at": None, "repeats_remaining": 0, "repeat_at": None},
        "unknown": {"challenge": None, "answered_at": None},
        "picked": {"challenge": None, "call_id": None, "answered_at": None, "code_hash": None},
    }
    return {
        "method": REVERSE,
        "provider": "second",
        "attempts": (before, Attempt(2, step, REVERSE, "second", Outcome.STARTING, NOW)),
        "expires_at": NOW + 120,
        "guess_limit": 4,  # of the new attempt's route
        **cast("dict[str, Any]", left[state]),
    }


def code_gone(state: str) -> dict[str, Any]:
    """What an end changes where a vendor's code is known: nothing of it is kept."""
    return {"code_hash": None} if STATES[state].code_hash else {}


STEP = DONE[0]
ANSWERED = {
    "challenge": NUMBER,
    "call_id": "new call",
    "code_hash": "hash of another code",
    "answered_at": NOW,
    "repeats_remaining": 1,
    "repeat_at": NOW + 61,  # one more than the vendor asks for
    "attempts": (first(Outcome.STARTED),),
}
ANSWERED_AGAIN = {name: value for name, value in ANSWERED.items() if name != "attempts"}
ANSWERED_LATE = {name: value for name, value in ANSWERED_AGAIN.items() if name != "code_hash"} | {
    "status": Status.EXPIRED,
    "reason": EndReason.WINDOW_ELAPSED,
    "ended_at": NOW,
}
FAILED = {
    "status": Status.FAILED,
    "reason": EndReason.PROVIDER_REJECTED,
    "ended_at": NOW,
    "attempts": (first(Outcome.REJECTED, Reason.NUMBER_REFUSED),),
    "steps": (replace(STEP, error="provider_rejected"),),
}
REPEATED = (STEP, Step(2, StepKind.REPEAT, claimed_at=NOW))
SWITCHED = (STEP, Step(2, StepKind.SWITCH, claimed_at=NOW))
OPEN_STEP = STARTING.steps[0]

# What each transition changes in each state; NOT_WRITTEN where its guard does not hold.
ROWS: dict[str, Row] = {
    "begin": refused(*STATES),
    "go_on": {
        **{state: attempt_of_second(1, first(DOWN.outcome, DOWN.reason), state) for state in OPEN},
        **refused(*PAST, *OVER),
    },
    "switch": {
        "starting": attempt_of_second(2, judged("starting"), "starting")
        | {"steps": (OPEN_STEP, Step(2, StepKind.SWITCH, claimed_at=NOW))},
        "started": attempt_of_second(2, judged("started"), "started") | {"steps": SWITCHED},
        **{state: attempt_of_second(2, judged(state), state) | {"steps": SWITCHED} for state in ("unknown", "picked")},
        **refused(*PAST, *OVER),
    },
    # The answer belongs to the record even when it comes after the window, which it then ends.
    "answer": {
        "starting": ANSWERED | {"steps": DONE},
        "started": ANSWERED_AGAIN,
        "unknown": ANSWERED,
        "picked": ANSWERED_AGAIN,
        "past its window": ANSWERED_LATE,
        "picked, past its window": ANSWERED_LATE | {"code_hash": None},
        **refused(*OVER),
    },
    "claim_step": {
        "starting": {"steps": (replace(OPEN_STEP, claimed_at=NOW),)},
        **of(("started", "unknown", "picked"), steps=(replace(STEP, claimed_at=NOW),)),
        **refused(*PAST, *OVER),
    },
    "count_mismatch": of(OPEN, phone_mismatches=1) | refused(*PAST, *OVER),
    "begin_repeat": {
        "starting": {"steps": (OPEN_STEP, REPEATED[1]), "repeats_remaining": -1},  # never asked for: see `repeat`
        "started": {"steps": REPEATED, "repeats_remaining": 1},
        **of(("unknown", "picked"), steps=REPEATED, repeats_remaining=-1),
        **refused(*PAST, *OVER),
    },
    "answer_repeat": {
        "starting": {"steps": (replace(STEP, error="repeat_exhausted", call_id="again"),)},
        "started": {"steps": (replace(STEP, error="repeat_exhausted", call_id="again"),), "repeats_remaining": 0},
        **of(
            ("unknown", "picked", "picked, past its window"),
            steps=(replace(STEP, error="repeat_exhausted", call_id="again"),),
        ),
        "past its window": {
            "steps": (replace(STEP, error="repeat_exhausted", call_id="again"),),
            "repeats_remaining": 0,
        },
        **refused(*OVER),
    },
    "note_report": {
        # Without an answer there is nothing to ask about yet: its write brings that.
        **of(("starting", "unknown"), webhook_call_id="call", reported_at=NOW),
        **of(("started", "picked"), webhook_call_id="call", reported_at=NOW),
        **refused(*PAST, *OVER),
    },
    "spend_guess": {
        **of(("starting", "unknown"), guesses=1, checks=(0,)),
        "started": {"guesses": 3, "checks": (0,)},
        "picked": {"guesses": 2, "checks": (0,)},
        **refused(*PAST, *OVER),
    },
    "judge_wrong": {
        **of(("starting", "unknown"), wrong=1),
        "started": {"wrong": 3},
        "picked": {"wrong": 2},
        **refused(*PAST, *OVER),
    },
    "verify": {
        **{
            state: {
                "status": Status.VERIFIED,
                "evidence": Evidence.CODE_MATCHED,
                "verified_at": NOW,
                "ended_at": NOW,
                "guesses": STATES[state].guesses - 1,
                **code_gone(state),
            }
            for state in OPEN
        },
        **refused(*PAST, *OVER),
    },
    "fail": {**{state: FAILED | code_gone(state) for state in OPEN}, **refused(*PAST, *OVER)},
    "cancel": {
        **{
            state: {"status": Status.CANCELED, "reason": EndReason.CANCELED_BY_CLIENT, "ended_at": NOW}
            | code_gone(state)
            for state in OPEN
        },
        **refused(*PAST, *OVER),
    },
    "expire": {
        **refused(*OPEN, *OVER),
        **{
            state: {"status": Status.EXPIRED, "reason": EndReason.WINDOW_ELAPSED, "ended_at": NOW} | code_gone(state)
            for state in PAST
        },
    },
}
PAIRS = [(event, state) for event in ROWS for state in STATES]


def changed(before: Verification, after: Verification) -> dict[str, Any]:
    names = [field.name for field in fields(cast("Any", before))]
    return {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}


def test_every_transition_and_every_state_has_its_row() -> None:
    public = {
        name
        for name, function in inspect.getmembers(transitions, inspect.isfunction)
        if function.__module__ == transitions.__name__ and not name.startswith("_")
    } - {"field", "replace", "value"}
    assert public == set(EVENTS) == set(GUARDS) == set(ROWS)
    assert set(Status) == {record.status for record in STATES.values()}
    for row in ROWS.values():
        assert set(row) == set(STATES)


@pytest.mark.parametrize(("event", "state"), PAIRS)
def test_what_a_transition_changes(event: str, state: str) -> None:
    record, expected = STATES[state], ROWS[event][state]
    change = EVENTS[event](record)
    assert change.guard == GUARDS[event]
    assert holds(change, record, NOW) == (expected is not NOT_WRITTEN)
    if expected is not NOT_WRITTEN:
        assert change.before is record
        assert changed(record, change.after) == expected


def test_the_first_attempt() -> None:
    begun = EVENTS["begin"](STARTING)
    assert begun.before is None
    assert holds(begun, None, NOW)
    assert begun.after == replace(
        STARTING,
        method=REVERSE,
        provider="second",
        created_at=NOW,
        expires_at=NOW + 120,
        guess_limit=4,
        attempts=(Attempt(1, 1, REVERSE, "second", Outcome.STARTING, NOW),),
        steps=(Step(1, StepKind.START, claimed_at=NOW),),
    )


# What a row can't say


@pytest.mark.parametrize("event", ["go_on", "switch"])
def test_nothing_of_an_earlier_call_is_left_in_a_new_attempt(event: str) -> None:
    """A report of the earlier call would count as one of the new call."""
    reported = replace(STARTED, webhook_call_id="call")
    after = EVENTS[event](reported).after
    left = (after.challenge, after.call_id, after.answered_at, after.webhook_call_id, after.repeats_remaining)
    assert (*left, after.repeat_at) == (None, None, None, None, 0, None)
    assert (after.guesses, after.wrong) == (reported.guesses, reported.wrong)


def test_without_the_vendors_id_there_is_nothing_to_repeat() -> None:
    unknown = CallOutcome(Outcome.UNKNOWN, Reason.TIMEOUT)
    after = transitions.answer(STARTING, unknown, DIGITS, repeats=2, repeat_after=60, now=NOW).after
    assert changed(UNKNOWN, after) == {"answered_at": NOW}


def test_the_last_wrong_guess_ends_it() -> None:
    last = replace(STARTED, guesses=5, wrong=4)
    assert changed(last, transitions.judge_wrong(last, NOW).after) == {
        "wrong": 5,
        "status": Status.FAILED,
        "reason": EndReason.CHECKS_EXHAUSTED,
        "ended_at": NOW,
    }
    third = replace(PICKED, guesses=3, wrong=2)
    assert changed(third, transitions.judge_wrong(third, NOW).after) == {
        "wrong": 3,
        "status": Status.FAILED,
        "reason": EndReason.CHECKS_EXHAUSTED,
        "ended_at": NOW,
        "code_hash": None,
    }
    spent = replace(STARTED, guesses=5, wrong=3)  # the fifth is still being compared
    assert changed(spent, transitions.judge_wrong(spent, NOW).after) == {"wrong": 4}


def test_a_call_that_was_not_guessed_gives_no_guess_back() -> None:
    after = transitions.verify(STARTED, Evidence.PROVIDER_READ_BACK, now=NOW).after
    assert (after.guesses, after.evidence) == (STARTED.guesses, Evidence.PROVIDER_READ_BACK)


def test_a_mismatch_that_was_none_is_given_back() -> None:
    counted = replace(STARTED, phone_mismatches=2)
    assert changed(counted, transitions.count_mismatch(counted, -1).after) == {"phone_mismatches": 1}


def test_a_repeat_that_worked_ends_its_step() -> None:
    begun = transitions.begin_repeat(STARTED, NOW).after
    done = transitions.answer_repeat(begun, error=None, repeats_remaining=begun.repeats_remaining, call_id="again")
    assert changed(begun, done.after) == {"steps": (STEP, replace(REPEATED[1], done=True, call_id="again"))}


@pytest.mark.parametrize("state", STATES)
def test_what_it_is_at_a_time(state: str) -> None:
    record = STATES[state]
    live = record.is_live(NOW)
    assert live == (state in OPEN)
    status, reason = record.status_at(NOW)
    assert (status, reason) == (
        (Status.EXPIRED, EndReason.WINDOW_ELAPSED) if state in PAST else (record.status, record.reason)
    )
    if record.status is Status.PENDING:
        assert record.status_at(record.expires_at - 1)[0] is Status.PENDING
        assert record.status_at(record.expires_at)[0] is Status.EXPIRED


@pytest.mark.parametrize(
    ("kinds", "mismatches", "left"),
    [("", 0, 2), ("r", 0, 2), ("s", 0, 1), ("srs", 0, 0), ("", 2, 2), ("", 3, 0)],
)
def test_switches_remaining(kinds: str, mismatches: int, left: int) -> None:
    words = {"r": StepKind.REPEAT, "s": StepKind.SWITCH}
    steps = [STEP, *(Step(number, words[kind], claimed_at=NOW) for number, kind in enumerate(kinds, 2))]
    record = replace(STARTED, steps=tuple(steps), phone_mismatches=mismatches)
    assert record.switches_remaining == left
    assert record.switch_until == record.created_at + 600
