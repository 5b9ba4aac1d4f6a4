"""The deaths and the overtakings that everybody asks about, one by one."""

from __future__ import annotations

import pytest

from callverify.domain import errors
from callverify.domain import verification as transitions
from callverify.domain.view import resource
from callverify.domain.words import CallOutcome, Challenge, Outcome, Reason, Status
from callverify.providers.sandbox import TEST_NUMBERS
from callverify.service.check import Checked
from callverify.service.service import Stepped
from callverify.service.started import Started
from callverify.store import Stale
from callverify.store.counters import FAILURES_IN_A_ROW
from tests.service.crashes.world import Answer, World
from tests.support.points import Crash, crash
from tests.support.routes import BY_PHONE, KINDS, OUR_CODE, READ_BACK, THEIR_CODE, At
from tests.support.vendors import Mood

FIRST, SECOND, PAID = READ_BACK, BY_PHONE, OUR_CODE  # the operator's order in these tests


@pytest.fixture
def world() -> World:
    return World(FIRST, SECOND, PAID)


def begun(answer: Answer) -> Started:
    assert isinstance(answer, Started), answer
    return answer


def stepped(answer: Answer) -> Stepped:
    assert isinstance(answer, Stepped), answer
    return answer


def is_right(answer: Answer) -> bool:
    assert isinstance(answer, Checked), answer
    return answer.valid


def outcomes(world: World) -> list[tuple[str, Outcome]]:
    return [(attempt.provider, attempt.outcome) for attempt in world.latest.attempts]


def paid(world: World) -> list[str]:
    return [unique for vendor in world.vendors for unique in vendor.paid]


def before(at: At, action: str = "start") -> str:
    return f"before {at.provider}.{action}"


def after(at: At, action: str = "start") -> str:
    return f"after {at.provider}.{action}"


# Test mode


@pytest.mark.parametrize("number", [number for number, scenario in TEST_NUMBERS.items() if scenario.method])
def test_a_switch_of_a_test_key_that_died_asks_no_vendor(world: World, number: str) -> None:
    world.test_with(number)
    method = begun(world.start()).verification.method
    assert isinstance(world.switch(world.latest.id, method, "key", at={"after transact_write_items": crash}), Crash)
    world.advance(16)
    again = stepped(world.switch(world.latest.id, method, "key"))
    assert (again.replayed, again.verification.step.done, len(again.verification.steps)) == (True, True, 2)
    assert again.verification.challenge is not None
    assert not any(vendor.asked for vendor in world.vendors)


# The vendor has answered, and nobody wrote it down


def test_an_attempt_whose_process_died_counts_as_a_failure_of_its_provider(world: World) -> None:
    for number in range(FAILURES_IN_A_ROW):
        key = f"key {number}"
        world.start(key, provider=FIRST.provider, at={after(FIRST): crash})
        world.advance(16)
        assert isinstance(world.start(key, provider=FIRST.provider), errors.ProviderUnavailable)
        assert isinstance(world.start(key, provider=FIRST.provider), errors.ProviderUnavailable)
        world.advance(20)
    assert [metric for metric, _ in world.observer.counts].count("BreakerOpened") == 1
    assert [attempt.provider for attempt in begun(world.start()).verification.attempts] == [SECOND.provider]


@pytest.mark.parametrize("at", [at for at in KINDS if at.route.code is None], ids=str)
def test_a_lost_reverse_call_is_not_ordered_again(at: At) -> None:
    world = World(at)
    assert isinstance(world.start("key", at={after(at): crash}), Crash)
    lost = world.latest

    early = world.start("key")
    assert isinstance(early, errors.IdempotencyInProgress)
    assert early.retry_after == 15
    world.advance(15)
    answer = world.start("key")

    assert isinstance(answer, errors.ProviderUnavailable)
    assert answer.verification_id == lost.id
    assert paid(world) == [f"{lost.id}-1"]
    assert outcomes(world) == [(at.provider, Outcome.UNKNOWN)]
    assert world.latest.attempt.reason is Reason.INTERRUPTED
    assert isinstance(world.start("key"), errors.ProviderUnavailable)
    world.judge.finish(publish=True)


def test_a_lost_reverse_call_is_followed_by_the_next_reverse_provider(world: World) -> None:
    world.start("key", at={after(FIRST): crash})
    lost = world.latest
    world.advance(15)
    resumed = begun(world.start("key"))
    assert resumed.verification.id == lost.id
    assert outcomes(world) == [(FIRST.provider, Outcome.UNKNOWN), (SECOND.provider, Outcome.STARTED)]
    assert len(world.latest.steps) == 1
    assert paid(world) == [f"{lost.id}-1", f"{lost.id}-2"]
    assert begun(world.start("key")).client_token == resumed.client_token
    world.judge.finish(publish=True)


def test_a_lost_flash_call_can_still_be_answered(world: World) -> None:
    """The phone is ringing: nothing is sent again, and the code that it shows is right."""
    world.start("key", provider=PAID.provider, at={after(PAID): crash})
    lost = world.latest
    world.advance(15)
    resumed = begun(world.start("key", provider=PAID.provider))
    assert (resumed.verification.id, resumed.verification.attempt.number) == (lost.id, 1)
    assert outcomes(world) == [(PAID.provider, Outcome.UNKNOWN)]
    assert world.vendor(PAID.provider).asked == 1
    assert is_right(world.check(lost.id, world.right_code()))
    assert world.latest.status is Status.VERIFIED
    world.judge.finish(publish=True)


@pytest.mark.parametrize("at", KINDS, ids=str)
def test_without_a_key_nothing_is_ordered_until_the_window_is_over(at: At) -> None:
    world = World(at, PAID)
    world.start(provider=at.provider, at={after(at): crash})
    lost = world.latest
    for moment in (0, 1, 15, 60, lost.expires_at - lost.created_at - 1):
        world.reach(lost.created_at + moment)
        assert isinstance(world.start(), errors.VerificationInProgress)
    assert len(paid(world)) == 1
    world.reach(lost.expires_at)
    assert begun(world.start(provider=PAID.provider)).verification.id != lost.id


# Written down, and no vendor was asked


@pytest.mark.parametrize("at", KINDS, ids=str)
def test_a_call_that_was_never_ordered_counts_as_perhaps_ordered(at: At) -> None:
    world = World(at)
    world.start("key", at={before(at): crash})
    world.advance(15)
    world.start("key")
    assert world.vendor(at.provider).asked == 0
    assert outcomes(world) == [(at.provider, Outcome.UNKNOWN)]
    world.judge.finish(publish=True)


@pytest.mark.parametrize("ends", ["the window", "a cancel", "a switch"])
def test_what_nobody_takes_over_is_shown_as_unknown(world: World, ends: str) -> None:
    world.start("key", at={before(FIRST): crash})
    world.advance(29)
    if ends == "a cancel":
        world.cancel(world.latest.id)
    elif ends == "a switch":
        stepped(world.switch(world.latest.id, PAID.method))
    else:
        world.reach(world.latest.expires_at)
    first = resource(world.latest, world.now)["attempts"][0]
    assert (first["outcome"], first["reason"]) == ("unknown", "interrupted")
    world.judge.finish(publish=True)


def test_the_one_who_takes_over_dies_as_well(world: World) -> None:
    world.start("key", at={after(FIRST): crash})
    world.advance(15)
    world.start("key", at={after(SECOND): crash})
    assert isinstance(world.start("key"), errors.IdempotencyInProgress)
    world.advance(15)
    begun(world.start("key"))
    # Both cost nothing, so that the flash call is the first that may be paid for.
    assert outcomes(world) == [
        (FIRST.provider, Outcome.UNKNOWN),
        (SECOND.provider, Outcome.UNKNOWN),
        (PAID.provider, Outcome.STARTED),
    ]
    world.judge.finish(publish=True)


def test_the_one_who_takes_over_a_call_that_may_have_been_paid_asks_for_no_other(world: World) -> None:
    world.only(THEIR_CODE, PAID, FIRST)
    world.start("key", at={after(THEIR_CODE): crash})
    world.advance(15)
    world.start("key", at={after(FIRST): crash})
    world.advance(15)
    assert isinstance(world.start("key"), errors.ProviderUnavailable)
    assert [outcome for _, outcome in outcomes(world)] == [Outcome.UNKNOWN, Outcome.UNKNOWN]
    assert world.vendor(PAID.provider).asked == 0
    world.judge.finish(publish=True)


# Overtaken


def test_a_vendors_answer_after_the_cancel_changes_nothing(world: World) -> None:
    def canceled() -> None:
        world.advance(3)
        world.cancel(world.latest.id)

    answer = begun(world.start("key", provider=FIRST.provider, at={after(FIRST): canceled}))
    assert answer.verification.status is Status.CANCELED
    assert answer.verification.challenge is None
    assert world.latest == answer.verification
    world.dial()
    world.deliver()
    assert world.latest == answer.verification
    again = begun(world.start("key", provider=FIRST.provider))
    assert (again.verification, again.client_token) == (answer.verification, answer.client_token)
    world.judge.finish(publish=True)


@pytest.mark.parametrize("mood", Mood)
def test_a_vendors_answer_after_the_take_over_changes_nothing(world: World, mood: Mood) -> None:
    """The first process was only slow: its own turn to the next provider, or its end, must not happen as well."""

    def taken_over() -> None:
        world.advance(15)
        world.vendor(FIRST.provider).mood = Mood.WELL
        begun(world.start("key"))

    world.vendor(FIRST.provider).mood = mood
    world.start("key", at={before(FIRST): taken_over})
    assert outcomes(world)[:2] == [(FIRST.provider, Outcome.UNKNOWN), (SECOND.provider, Outcome.STARTED)]
    assert len(world.latest.attempts) == 2
    assert world.vendor(SECOND.provider).asked == 1
    world.judge.finish(publish=True)


def test_an_end_that_was_read_is_not_replaced_by_a_late_failure(world: World) -> None:
    """A window shorter than the vendor's patience: expired is what everybody read meanwhile."""
    world.vendor(FIRST.provider).windows[FIRST.method] = 5

    def expired() -> None:
        world.vendor(FIRST.provider).mood = Mood.REFUSES
        world.advance(6)

    world.only(FIRST)
    answer = world.start("key", at={before(FIRST): expired})
    assert not isinstance(answer, Crash)
    assert world.latest.status_at(world.now)[0] is Status.EXPIRED
    world.vendor(FIRST.provider).windows[FIRST.method] = 120
    world.judge.finish(publish=True)


def test_a_switch_chosen_before_the_answer_was_read_does_not_undo_it(world: World) -> None:
    """A switch and the answer to the start at the same moment: the one that comes second has to look again."""
    world.start("key", provider=FIRST.provider, at={after(FIRST): crash})
    read_before, now = world.latest, int(world.now)
    answer = CallOutcome(Outcome.STARTED, call_id="1")
    told = transitions.answer(
        read_before, answer, Challenge.call_number("+74950000001"), repeats=0, repeat_after=0, now=now
    )
    started = world.store.apply(told, now)
    switch = transitions.switch(read_before, PAID.method, PAID.provider, window=300, checks=5, now=now)
    with pytest.raises(Stale):
        world.store.apply(switch, now)
    assert world.latest == started


def test_the_follow_up_of_an_earlier_attempt_is_over(world: World) -> None:
    first = begun(world.start(provider=FIRST.provider)).verification
    world.advance(30)
    stepped(world.switch(first.id, PAID.method))
    world.reach(first.expires_at)
    assert world.follow_up(first.id, 1) is None
    assert world.latest.status is Status.PENDING
    assert isinstance(world.follow_up(first.id, 2), int)


def test_an_attempt_is_counted_at_the_time_that_it_bears(world: World) -> None:
    """The phone's lock is given up while the start waits for it: what it gives back later is found by that time."""
    first = begun(world.start(provider=FIRST.provider)).verification.id
    world.advance(28)
    assert isinstance(world.start(provider=PAID.provider), errors.VerificationInProgress)
    # Of the one in progress: after it, only the phone's block is read.
    *_, last_read, _ = (number for number, name in enumerate(world.passed) if name == "before get_item")

    def canceled() -> None:
        world.advance(14)
        world.cancel(first)

    begun(world.start(provider=PAID.provider, at={last_read: canceled}))
    assert (world.latest.created_at, world.latest.attempt.at) == (int(world.now), int(world.now))
    world.judge.finish()


# The vendor's own repeat


@pytest.mark.parametrize("point", [before(PAID, "repeat"), after(PAID, "repeat")])
def test_a_repeat_that_died_is_not_made_again(world: World, point: str) -> None:
    world.start(provider=PAID.provider)
    world.advance(61)
    id = world.latest.id  # noqa: A001
    world.repeat(id, "repeat", at={point: crash})
    made = len(world.vendor(PAID.provider).repeated)
    assert isinstance(world.repeat(id, "repeat"), errors.IdempotencyInProgress)
    world.advance(15)
    answer = stepped(world.repeat(id, "repeat"))
    assert answer.replayed
    assert (answer.verification.id, answer.verification.repeats_remaining) == (id, 1)
    assert len(world.vendor(PAID.provider).repeated) == made
    # The second free repeat is another step, with its own wait.
    world.advance(20)
    stepped(world.repeat(id, "second repeat"))
    assert len(world.vendor(PAID.provider).repeated) == made + 1
    assert isinstance(world.repeat(id), errors.RepeatExhausted)
    assert is_right(world.check(id, world.right_code()))
    world.judge.finish(publish=True)


def test_a_repeat_that_died_without_a_key_uses_its_allowance_up(world: World) -> None:
    world.start(provider=PAID.provider)
    world.advance(61)
    id = world.latest.id  # noqa: A001
    world.repeat(id, at={after(PAID, "repeat"): crash})
    assert isinstance(world.repeat(id), errors.RateLimited)
    world.advance(28)
    assert stepped(world.repeat(id)).verification.repeats_remaining == 0
    assert len(world.vendor(PAID.provider).repeated) == 2
    world.advance(28)
    assert isinstance(world.repeat(id), errors.RepeatExhausted)


# A silent vendor


def test_a_vendor_that_takes_the_same_order_again_is_sent_it_again(world: World) -> None:
    vendor = world.vendor(PAID.provider)
    vendor.mood = Mood.SILENT
    begun(world.start(provider=PAID.provider))
    assert (vendor.asked, len(vendor.paid)) == (2, 1)
    assert outcomes(world) == [(PAID.provider, Outcome.UNKNOWN)]
    assert is_right(world.check(world.latest.id, world.right_code()))


@pytest.mark.parametrize("mood", [Mood.REFUSES, Mood.DOWN, Mood.DEAF])
def test_what_the_second_sending_is_answered_says_nothing_of_the_first(world: World, mood: Mood) -> None:
    """The first may be ringing: only a success speaks for both."""
    vendor = world.vendor(PAID.provider)
    vendor.mood = Mood.SILENT
    world.start(provider=PAID.provider)
    _, second = (number for number, name in enumerate(world.passed) if name == before(PAID))

    world = World(PAID)
    vendor = world.vendor(PAID.provider)
    vendor.mood = Mood.SILENT
    begun(world.start(provider=PAID.provider, at={second: lambda: setattr(vendor, "mood", mood)}))
    assert len(vendor.paid) == 1
    assert outcomes(world) == [(PAID.provider, Outcome.UNKNOWN)]
    assert is_right(world.check(world.latest.id, world.right_code()))


def test_a_paid_call_follows_no_call_that_may_have_been_made_however_long_ago(world: World) -> None:
    """The first may be ringing, though the second, which was asked after it, is not."""
    world.only(THEIR_CODE, SECOND, PAID)
    world.vendor(THEIR_CODE.provider).mood = Mood.SILENT
    world.vendor(SECOND.provider).mood = Mood.DOWN
    assert isinstance(world.start(), errors.ProviderUnavailable)
    assert outcomes(world) == [(THEIR_CODE.provider, Outcome.UNKNOWN), (SECOND.provider, Outcome.UNAVAILABLE)]
    assert world.vendor(PAID.provider).asked == 0


# Reports


def test_a_report_that_comes_twice_is_heard_once(world: World) -> None:
    world.start(provider=FIRST.provider)
    world.vendor(FIRST.provider).echoes_while_pending = True
    world.dial()
    first = world.deliver()
    assert world.latest.status is Status.VERIFIED  # an echo counts after the report
    assert world.deliver() == first
    assert world.latest.status is Status.VERIFIED


def test_a_report_that_comes_twice_before_it_is_confirmed_changes_nothing(world: World) -> None:
    world.start(provider=FIRST.provider)
    world.dial()
    for awaited in world.vendor(FIRST.provider).awaited.values():
        awaited.dialed = False
    for seconds in (0, 0, 2, 9):  # the last long after the others
        world.advance(seconds)
        world.deliver()
        assert (world.latest.status, world.latest.webhook_call_id) == (Status.PENDING, world.latest.call_id)
    assert [metric for metric, _ in world.observer.counts].count("DuplicateWebhooks") == 2
