"""The deaths and the overtakings that everybody asks about, one by one."""

from __future__ import annotations

import pytest

from callverify import errors
from callverify.models import Attempt, Cause, Challenge, Method, ProviderName, Result, Status, Step, StepKind
from callverify.resource import resource
from callverify.service import Reply
from callverify.store import Breaker, NotLive
from tests.service.crashes.points import Crash, Plan, crash
from tests.service.crashes.vendors import FakeSmsc, Mood, Vendor
from tests.service.crashes.world import PHONE, Answer, World


def reply(answer: Answer) -> Reply:
    assert isinstance(answer, Reply), answer
    return answer


def outcomes(world: World) -> list[tuple[str, Result]]:
    return [(attempt.provider, attempt.outcome) for attempt in world.latest.attempts]


# A call for an earlier session, at a vendor that knows calls by phone alone


class FourthVendor(FakeSmsc):
    """Whoever declares it is held, whatever the name."""

    name = ProviderName.TELEFON_IP


def fourth(world: World) -> FourthVendor:
    vendor = FourthVendor(world, world.points)
    world.vendors = [vendor, world.ucaller]
    world.restart()
    return vendor


def calls(world: World, vendor: FakeSmsc) -> None:
    world.webhooks += [(vendor.name, webhook) for webhook in vendor.dial(PHONE)]
    world.deliver()


@pytest.mark.parametrize("ended", ["canceled", "expired", "begun by a process that died"])
def test_a_late_call_does_not_verify_the_next_session(world: World, ended: str) -> None:
    vendor = fourth(world)
    at: Plan = {f"after {vendor.name}.start": crash} if ended.startswith("begun") else {}
    world.start(provider=vendor.name, at=at)
    first = world.latest
    world.advance(28 if ended == "canceled" else vendor.window)
    if ended == "canceled":
        world.cancel(first.id)
    refused = world.start(provider=vendor.name)
    assert isinstance(refused, errors.NoProviderAvailable)
    assert refused.retry_after == first.expires_at + 600 - int(world.now)
    second = reply(world.start(provider="ucaller")).verification
    vendor.waiting[PHONE] = world.now + 600
    calls(world, vendor)
    assert world.record(second.id).status is Status.PENDING


def test_a_redial_does_not_verify_the_next_session(world: World) -> None:
    vendor = fourth(world)
    world.start(provider=vendor.name)
    world.advance(30)
    calls(world, vendor)
    assert world.latest.status is Status.VERIFIED
    assert isinstance(world.start(provider=vendor.name), errors.NoProviderAvailable)
    world.advance(120)
    assert isinstance(world.start(provider=vendor.name), Reply)


def test_a_vendor_that_declares_nothing_is_not_held_whatever_its_name(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeSmsc, "knows_calls_by_phone_alone", False)
    world.cancel(reply(world.start(provider="smsc")).verification.id)
    world.advance(28)
    assert isinstance(world.start(provider="smsc"), Reply)


# Test mode


@pytest.mark.parametrize("number", ["+79000000101", "+79000000103"])
def test_another_way_of_a_test_key_that_died_asks_no_vendor(world: World, number: str) -> None:
    world.test_with(number)
    method = reply(world.start()).verification.method
    assert isinstance(
        world.another_way(world.latest.id, method, "key", at={"after transact_write_items": crash}), Crash
    )
    world.advance(16)
    again = reply(world.another_way(world.latest.id, method, "key"))
    assert (again.replayed, again.verification.step.done, again.verification.attempt.number) == (True, True, 2)
    assert again.verification.challenge is not None
    assert not any(vendor.asked for vendor in world.vendors)
    assert not world.observed.metrics


# The vendor has answered, and nobody wrote it down


def test_an_attempt_whose_process_died_counts_as_a_failure_of_its_provider(world: World) -> None:
    for number in range(Breaker(ProviderName.TELEFON_IP).failures):
        key = f"key {number}"
        world.start(key, provider="telefon_ip", at={"after telefon_ip.start": crash})
        world.advance(16)
        assert isinstance(world.start(key, provider="telefon_ip"), errors.ProviderUnavailable)
        assert isinstance(world.start(key, provider="telefon_ip"), errors.ProviderUnavailable)
        world.advance(20)
    assert world.observed.metrics["BreakerOpened"] == 1
    assert [attempt.provider for attempt in reply(world.start()).verification.attempts] == ["smsc"]


@pytest.mark.parametrize("provider", ["telefon_ip", "smsc"])
def test_a_lost_reverse_call_is_not_ordered_again(world: World, provider: str) -> None:
    world.only(provider)
    assert isinstance(world.start("key", at={f"after {provider}.start": crash}), Crash)
    lost = world.latest

    early = world.start("key")
    assert isinstance(early, errors.IdempotencyInProgress)
    assert early.retry_after == 15
    world.advance(15)
    answer = world.start("key")

    assert isinstance(answer, errors.ProviderUnavailable)
    assert answer.verification_id == lost.id
    assert world.paid() == {f"{lost.id}-1": 1}
    assert outcomes(world) == [(provider, Result.UNKNOWN)]
    assert world.latest.attempt.reason is Cause.INTERRUPTED
    assert isinstance(world.start("key"), errors.ProviderUnavailable)
    world.finish(publish=True)


def test_a_lost_reverse_call_is_followed_by_the_next_reverse_provider(world: World) -> None:
    world.start("key", at={"after telefon_ip.start": crash})
    lost = world.latest
    world.advance(15)
    resumed = reply(world.start("key"))
    assert resumed.verification.id == lost.id
    assert outcomes(world) == [("telefon_ip", Result.UNKNOWN), ("smsc", Result.STARTED)]
    assert len(world.latest.steps) == 1
    assert world.paid() == {f"{lost.id}-1": 1, f"{lost.id}-2": 1}
    assert reply(world.start("key")).client_token == resumed.client_token
    world.finish(publish=True)


def test_a_lost_flash_call_can_still_be_answered(world: World) -> None:
    """The phone is ringing: nothing is sent again, and the code that it shows is right."""
    world.start("key", provider="ucaller", at={"after ucaller.start": crash})
    lost = world.latest
    world.advance(15)
    resumed = reply(world.start("key", provider="ucaller"))
    assert (resumed.verification.id, resumed.verification.attempt.number) == (lost.id, 1)
    assert outcomes(world) == [("ucaller", Result.UNKNOWN)]
    assert world.ucaller.asked == 1
    assert reply(world.check(lost.id, world.right_code())).valid
    assert world.latest.status is Status.VERIFIED
    world.finish(publish=True)


@pytest.mark.parametrize("provider", ["telefon_ip", "smsc", "ucaller"])
def test_without_a_key_nothing_is_ordered_until_the_window_is_over(world: World, provider: str) -> None:
    world.start(provider=provider, at={f"after {provider}.start": crash})
    lost = world.latest
    for moment in (0, 1, 15, 60, lost.expires_at - lost.created_at - 1):
        world.reach(lost.created_at + moment)
        assert isinstance(world.start(), errors.VerificationInProgress)
    assert sum(world.paid().values()) == 1
    world.reach(lost.expires_at)
    assert reply(world.start(provider="ucaller")).verification.id != lost.id


# Written down, and no vendor was asked


@pytest.mark.parametrize("provider", ["telefon_ip", "smsc", "ucaller"])
def test_a_call_that_was_never_ordered_counts_as_perhaps_ordered(world: World, provider: str) -> None:
    vendor: Vendor = getattr(world, provider)
    world.only(provider)
    world.start("key", at={f"before {provider}.start": crash})
    assert vendor.asked == 0
    world.advance(15)
    world.start("key")
    assert vendor.asked == 0
    assert outcomes(world) == [(provider, Result.UNKNOWN)]
    world.finish(publish=True)


@pytest.mark.parametrize("ends", ["the window", "a cancel", "another way"])
def test_what_nobody_takes_over_is_shown_as_unknown(world: World, ends: str) -> None:
    world.start("key", at={"before telefon_ip.start": crash})
    world.advance(29)
    if ends == "a cancel":
        world.cancel(world.latest.id)
    elif ends == "another way":
        reply(world.another_way(world.latest.id, Method.FLASH_CALL))
    else:
        world.reach(world.latest.expires_at)
    first = resource(world.latest, world.now)["attempts"][0]
    assert (first["outcome"], first["reason"]) == ("unknown", "interrupted")
    world.finish(publish=True)


def test_the_one_who_takes_over_dies_as_well(world: World) -> None:
    world.start("key", at={"after telefon_ip.start": crash})
    world.advance(15)
    world.start("key", at={"after smsc.start": crash})
    assert isinstance(world.start("key"), errors.IdempotencyInProgress)
    world.advance(15)
    answer = world.start("key")
    assert isinstance(answer, errors.ProviderUnavailable)  # no flash call after what may have been paid for twice
    assert outcomes(world) == [("telefon_ip", Result.UNKNOWN), ("smsc", Result.UNKNOWN)]
    assert world.ucaller.asked == 0
    world.finish(publish=True)


# Overtaken


def test_a_vendors_answer_after_the_cancel_changes_nothing(world: World) -> None:
    def canceled() -> None:
        world.advance(3)
        world.cancel(world.latest.id)

    answer = reply(world.start("key", provider="telefon_ip", at={"after telefon_ip.start": canceled}))
    assert answer.verification.status is Status.CANCELED
    assert answer.verification.challenge is None
    assert world.latest == answer.verification
    world.dial()
    world.deliver()
    assert world.latest == answer.verification
    again = reply(world.start("key", provider="telefon_ip"))
    assert (again.verification, again.client_token) == (answer.verification, answer.client_token)
    world.finish(publish=True)


@pytest.mark.parametrize("mood", Mood)
def test_a_vendors_answer_after_the_take_over_changes_nothing(world: World, mood: Mood) -> None:
    """The first process was only slow: its own turn to the next provider, or its end, must not happen as well."""

    def taken_over() -> None:
        world.advance(15)
        world.telefon_ip.mood = Mood.WELL
        reply(world.start("key"))

    world.telefon_ip.mood = mood
    world.start("key", at={"before telefon_ip.start": taken_over})
    assert outcomes(world)[:2] == [("telefon_ip", Result.UNKNOWN), ("smsc", Result.STARTED)]
    assert len(world.latest.attempts) == 2
    assert world.smsc.asked == 1
    world.finish(publish=True)


def test_an_end_that_was_read_is_not_replaced_by_a_late_failure(world: World) -> None:
    """A window shorter than the vendor's patience: expired is what everybody read meanwhile."""
    world.telefon_ip.window = 5

    def expired() -> None:
        world.telefon_ip.mood = Mood.REFUSES
        world.advance(6)

    world.only("telefon_ip")
    answer = world.start("key", at={"before telefon_ip.start": expired})
    assert not isinstance(answer, Crash)
    assert world.latest.status_at(world.now)[0] is Status.EXPIRED
    world.telefon_ip.window = 120
    world.finish(publish=True)


def test_a_way_chosen_before_the_answer_was_read_does_not_undo_it(world: World) -> None:
    """Another way and the answer to the start at the same moment: the one that comes second has to look again."""
    world.start("key", provider="telefon_ip", at={"after telefon_ip.start": crash})
    read_before = world.latest
    started = world.store.record_started(
        read_before,
        result=Result.STARTED,
        cause=None,
        challenge=Challenge.call_number("+74950000001"),
        call_id="1",
        repeats_remaining=0,
        now=int(world.now),
    )
    now = int(world.now)
    with pytest.raises(NotLive):
        world.store.begin_attempt(
            read_before,
            Attempt(2, 2, Method.FLASH_CALL, ProviderName.UCALLER, Result.STARTING, now),
            window=300,
            now=now,
            step=Step(2, StepKind.ANOTHER_WAY, claimed_at=now),
        )
    assert world.latest == started


# The vendor's own repeat


@pytest.mark.parametrize("point", ["before ucaller.repeat", "after ucaller.repeat"])
def test_a_repeat_that_died_is_not_made_again(world: World, point: str) -> None:
    world.start(provider="ucaller")
    world.advance(61)
    id = world.latest.id  # noqa: A001
    world.repeat(id, "repeat", at={point: crash})
    made = len(world.ucaller.repeated)
    assert isinstance(world.repeat(id, "repeat"), errors.IdempotencyInProgress)
    world.advance(15)
    answer = reply(world.repeat(id, "repeat"))
    assert answer.replayed
    assert (answer.verification.id, answer.verification.repeats_remaining) == (id, 1)
    assert len(world.ucaller.repeated) == made
    # The second free repeat is another step, with its own wait.
    world.advance(20)
    reply(world.repeat(id, "second repeat"))
    assert len(world.ucaller.repeated) == made + 1
    assert isinstance(world.repeat(id), errors.RepeatExhausted)
    assert reply(world.check(id, world.right_code())).valid
    world.finish(publish=True)


def test_a_repeat_that_died_without_a_key_uses_its_allowance_up(world: World) -> None:
    world.start(provider="ucaller")
    world.advance(61)
    id = world.latest.id  # noqa: A001
    world.repeat(id, at={"after ucaller.repeat": crash})
    assert isinstance(world.repeat(id), errors.RateLimited)
    world.advance(28)
    assert reply(world.repeat(id)).verification.repeats_remaining == 0
    assert len(world.ucaller.repeated) == 2
    world.advance(28)
    assert isinstance(world.repeat(id), errors.RepeatExhausted)


# A silent vendor


def test_ucaller_is_sent_the_same_again_while_it_takes_it_for_the_same(world: World) -> None:
    world.ucaller.mood = Mood.SILENT
    reply(world.start(provider="ucaller"))
    assert world.ucaller.asked == 2
    assert len(world.ucaller.paid) == 1
    assert outcomes(world) == [("ucaller", Result.UNKNOWN)]
    assert reply(world.check(world.latest.id, world.right_code())).valid
