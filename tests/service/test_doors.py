"""What a front door's caller is told of a success, they are told once, however many ask at the same moment."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from callverify.domain import errors
from callverify.domain import verification as transitions
from callverify.domain.words import Caller, CallerKind, Evidence, Method, Mode, Scope
from callverify.service import check
from callverify.service.doors import Door
from tests.service.test_routes import OURS, PHONE, SPOKEN, manifest, reverse
from tests.support.service import BASE_URL, LIVE, Parts
from tests.support.twilio_verify import OTHER_SERVICE
from tests.support.twilio_verify import SERVICE as OWNER

DIALLED = manifest("dialled", reverse())


def door(parts: Parts, owner: str = OWNER) -> Door:
    return parts.service.door(LIVE, owner, BASE_URL)


def test_of_two_that_ask_at_the_same_moment_one_is_told_of_the_call() -> None:
    parts = Parts(manifests=[DIALLED])
    begun = door(parts).start(PHONE, Method.REVERSE_CALL, "sna", {}).verification
    change = transitions.verify(begun, Evidence.PROVIDER_READ_BACK, now=int(parts.now))
    parts.store.apply(change, int(parts.now))
    first, second = (door(parts).of_id(begun.id) for _ in range(2))  # both have read it before either is told
    assert door(parts).approve(first).valid
    with pytest.raises(errors.NotFound):
        door(parts).approve(second)


@pytest.mark.parametrize("once", [True, False])
def test_of_two_right_codes_at_the_same_moment_a_door_is_told_of_one(once: bool) -> None:
    parts = Parts(manifests=[OURS])
    begun = door(parts).start(PHONE, Method.FLASH_CALL, "call", {}).verification
    code = parts.vendor("ours").last_code(PHONE)
    context = parts.service._ctx
    spent = parts.store.apply(transitions.spend_guess(begun), int(parts.now))
    assert door(parts).check(begun, str(code)).valid
    if once:
        with pytest.raises(errors.VerificationNotPending):
            check._verify(context, context.lane(Mode.LIVE), spent, "guess", once=once)
    else:
        assert check._verify(context, context.lane(Mode.LIVE), spent, "guess", once=once)


def test_no_number_leads_to_a_reverse_call_nor_to_one_of_another_owner() -> None:
    parts = Parts(manifests=[OURS, DIALLED])
    door(parts).start(PHONE, Method.REVERSE_CALL, "sna", {})
    with pytest.raises(errors.NotFound):
        door(parts).of_phone(PHONE)
    other = "+79000000022"
    begun = door(parts).start(other, Method.FLASH_CALL, "sms", {}).verification
    assert door(parts).of_phone(other).id == begun.id
    another_key = Caller(CallerKind.API_KEY, key_id="another", scopes=frozenset(Scope))
    for stranger in (door(parts, OTHER_SERVICE), parts.service.door(another_key, OWNER, BASE_URL)):
        with pytest.raises(errors.NotFound):
            stranger.of_phone(other)


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("flash", [True, False])
def test_a_voice_call_is_made_where_the_key_allows_it_and_no_flash_call_is_offered(allowed: bool, flash: bool) -> None:
    parts = Parts(manifests=[OURS, SPOKEN] if flash else [SPOKEN])
    caller = replace(LIVE, voice_calls=allowed)
    opened = parts.service.door(caller, OWNER, BASE_URL)
    if not (flash or allowed):
        with pytest.raises(errors.NoProviderAvailable):
            opened.start(PHONE, Method.FLASH_CALL, "sms", {})
        return
    begun = opened.start(PHONE, Method.FLASH_CALL, "sms", {}).verification
    assert (begun.method, begun.channel) == (Method.FLASH_CALL if flash else Method.VOICE_CALL, "sms")
    assert begun.allowed_methods == (begun.method,)
    assert opened.check(begun, str(parts.vendor(begun.provider).last_code(PHONE))).valid


def test_our_own_start_is_of_no_owner() -> None:
    parts = Parts(manifests=[OURS])
    started = parts.service.start(LIVE, json.dumps({"phone": PHONE}), idempotency_key=None, base_url=BASE_URL)
    for owner in (OWNER, ""):
        with pytest.raises(errors.NotFound):
            door(parts, owner).of_id(started.verification.id)
