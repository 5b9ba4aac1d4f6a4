"""The store's conditions mean what the guards say: judged by the table in memory, whatever was written in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from callverify.domain import verification as transitions
from callverify.domain.verification import Verification
from callverify.store import Stale, Store
from callverify.store.items import attributes, serialized, verification_of
from tests.support.dynamodb import MemoryDynamoDb
from tests.support.guards import holds
from tests.support.service import TABLE
from tests.support.states import AGREED, DIGITS, DOWN, EVENTS, FLASH, NEXT, NOW, STARTING, STATES

# What another process may have made of the record between reading and writing.
MEANWHILE: dict[str, Callable[[Verification], Verification | None]] = {
    "nothing": lambda read: read,
    "gone": lambda _: None,
    "the next attempt": lambda read: transitions.go_on(read, DOWN, **NEXT, now=NOW - 1).after,
    "the next attempt, whose vendor picked its code": lambda read: (
        transitions.answer(
            transitions.go_on(read, DOWN, **NEXT, now=NOW - 1).after,
            AGREED,
            DIGITS,
            repeats=0,
            repeat_after=0,
            now=NOW - 1,
            code_hash="hash of the next code",
        ).after
    ),
    "another provider": lambda read: replace(read, provider="third"),
    "a switch": lambda read: transitions.switch(read, **NEXT, now=NOW - 1).after,
    "a switch by the same way": lambda read: (
        transitions.switch(read, FLASH, "first", window=300, checks=5, now=NOW - 1).after
    ),
    "an answer": lambda read: transitions.answer(read, AGREED, DIGITS, repeats=0, repeat_after=0, now=NOW - 1).after,
    "an answer with a code of the vendor's": lambda read: (
        transitions.answer(
            read, AGREED, DIGITS, repeats=0, repeat_after=0, now=NOW - 1, code_hash="hash of a code"
        ).after
    ),
    "other checks": lambda read: replace(read, guess_limit=1),
    "a take-over": lambda read: transitions.claim_step(read, NOW - 1).after,
    "a repeat": lambda read: transitions.begin_repeat(read, NOW - 1).after,
    "a guess": lambda read: transitions.spend_guess(read).after,
    "a wrong guess": lambda read: transitions.judge_wrong(read, NOW - 1).after,
    "a mismatch": lambda read: transitions.count_mismatch(read, 1).after,
    "this report": lambda read: transitions.note_report(read, "call", now=NOW - 1).after,
    "this report, long ago": lambda read: transitions.note_report(read, "call", now=NOW - 9).after,
    "another report": lambda read: transitions.note_report(read, "other call", now=NOW - 1).after,
    "the end of the window": lambda read: replace(read, expires_at=NOW),
    "a later window": lambda read: replace(read, expires_at=NOW + 1),
    "an end": lambda read: transitions.cancel(read, NOW - 1).after,
}


def put(dynamodb: MemoryDynamoDb, record: Verification | None) -> None:
    rows = dynamodb.tables[TABLE]
    rows.clear()
    if record:
        pk = f"verification#{record.id}"
        rows[pk] = serialized({"pk": pk, "ttl": NOW + 9_999, **attributes(record)})


@pytest.mark.parametrize("meanwhile", MEANWHILE)
@pytest.mark.parametrize("event", EVENTS)
def test_the_store_writes_what_the_guard_allows(
    store: Store, dynamodb: MemoryDynamoDb, event: str, meanwhile: str
) -> None:
    for state, read in STATES.items():
        stored, change = MEANWHILE[meanwhile](read), EVENTS[event](read)
        put(dynamodb, stored)
        try:
            written = store.apply(change, NOW)
        except Stale:
            written = None
        assert (written is not None) == holds(change, stored, NOW), state
        found = store.get(STARTING.id, NOW)
        assert found == (written or stored), state
        if written and stored == read:
            assert replace(written, revision=1) == change.after, state


@pytest.mark.parametrize("state", STATES)
def test_a_record_is_read_as_it_was_written(state: str) -> None:
    assert verification_of(attributes(STATES[state])) == STATES[state]
