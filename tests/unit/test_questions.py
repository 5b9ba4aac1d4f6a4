"""When a provider is asked, and what is sent for it."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import pytest

from callverify.domain.questions import planned
from callverify.domain.verification import Verification
from callverify.domain.words import Mode, Outcome
from callverify.edge.queues import FollowUps
from callverify.events.telemetry import Telemetry
from callverify.runtime import wiring
from callverify.store.items import attributes, serialized
from tests.support.records import NOW, flash, reverse


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (120, [5, 10, 15, 25, 35, 45, 55, 70, 85, 100, 110, 115]),
        (20, [5, 10, 15]),
        (8, [3, 5]),
        (4, []),
        (0, []),
    ],
)
def test_a_provider_is_asked_often_at_first_and_before_the_end(window: int, expected: list[int]) -> None:
    record = replace(reverse(), expires_at=NOW + window)
    assert [time - NOW for time in planned(record)] == expected


def test_a_lost_report_costs_at_most_15_s() -> None:
    times = [0, *(time - NOW for time in planned(replace(reverse(), expires_at=NOW + 900)))]
    assert max(later - earlier for earlier, later in pairwise(times)) == 15
    assert times[-2:] == [890, 895]


def image(record: Verification) -> dict[str, Any]:
    return serialized({"pk": f"verification#{record.id}", **attributes(record)})


def sent(before: Verification | None, after: Verification) -> list[tuple[int, Any]]:
    """What is sent for a change: seconds until it is due, and the times to ask at; None for the end of the window."""
    found: list[tuple[int, Any]] = []
    follow_ups = FollowUps(
        service=lambda: pytest.fail("not asked"),
        questions=wiring._questions,
        send=lambda text, delay: found.append((delay, json.loads(text).get("ask_at"))),
        clock=lambda: NOW + 1,
        telemetry=cast("Telemetry", SimpleNamespace(detail=lambda *_, **__: None)),
        put_aside=pytest.fail,
    )
    images = {"NewImage": image(after)} | ({"OldImage": image(before)} if before else {})
    follow_ups.schedule({"Records": [{"dynamodb": images}]})
    return found


STARTING = replace(
    reverse(), provider="telefon_ip", expires_at=NOW + 20, call_id=None, challenge=None, answered_at=None
)
STARTING = replace(STARTING, attempts=(replace(STARTING.attempt, provider="telefon_ip", outcome=Outcome.STARTING),))
STARTED = replace(STARTING, call_id="7", attempts=(replace(STARTING.attempt, outcome=Outcome.STARTED),))


def test_a_new_attempt_gets_its_end_and_its_questions() -> None:
    assert sent(None, STARTING) == [(19, None), (4, [NOW + 5, NOW + 10, NOW + 15])]
    assert sent(None, replace(flash(), provider="ucaller")) == [(299, None)]
    test = replace(STARTING, mode=Mode.TEST, id="vrf_test_" + STARTING.id.removeprefix("vrf_"))
    assert sent(None, test) == [(19, None), (1, [NOW + 2, NOW + 3, NOW + 5])]


def test_a_report_that_came_before_the_answer_is_acted_on_when_the_answer_is_written() -> None:
    reported = replace(STARTING, webhook_call_id="7", reported_at=NOW)
    answered = replace(STARTED, webhook_call_id="7", reported_at=NOW)
    assert sent(reported, answered) == [(0, [NOW + 1, NOW + 2, NOW + 4, NOW + 9])]
    assert sent(STARTING, STARTED) == []
    assert sent(reported, replace(answered, webhook_call_id="8")) == []  # of another call
    assert sent(STARTED, answered) == []  # reported after the answer, and asked about at once
