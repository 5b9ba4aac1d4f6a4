"""Blocks: nothing is started for a phone, by any door, until it is unblocked."""

from __future__ import annotations

from typing import Any

import pytest

from callverify.domain.verification import Verification
from callverify.edge.cognito.triggers import PHONE_NOT_ALLOWED, WORDS
from callverify.service.dial import Dial
from tests.support.gateway import PHONE, Api, load_event
from tests.support.handlers import Answer
from tests.support.surroundings import LIVE_KEY, OTHER_LIVE_KEY, READ_KEY, TEST_KEY, THREE_ROUTES, WRITE_KEY, items
from tests.support.twilio_verify import Client

PARAMETERS = THREE_ROUTES
TEST_FLASH = "+79000000101"


def block(api: Api, phone: object = PHONE, credential: str = LIVE_KEY) -> Answer:
    return api.send("block", body={"phone": phone}, credential=credential)


def unblock(api: Api, phone: object = PHONE, credential: str = LIVE_KEY) -> Answer:
    return api.send("unblock", body={"phone": phone}, credential=credential)


def is_blocked(answer: Answer) -> bool:
    return (answer.status, answer["code"]) == (403, "phone_blocked")


def the_item(api: Api) -> dict[str, object]:
    name = f"limit#phone_10m#{api.keys.hash_phone(PHONE)}"
    return next(item for item in items() if item["pk"] == name)


@pytest.mark.parametrize("written", [PHONE, "8 900 000-00-11", "tel:+79000000011"])
def test_no_start_until_it_is_unblocked(api: Api, written: str) -> None:
    answer = block(api, written)
    assert (answer.status, answer.body) == (204, "")
    for credential in (LIVE_KEY, OTHER_LIVE_KEY):
        for fields in ({}, {"method": "flash_call"}, {"method": "reverse_call"}):
            assert is_blocked(api.start(credential=credential, **fields))
    assert api.start("+79000000012").status == 201
    assert len(api.requests()) == 1
    api.advance(30 * 24 * 3600)
    assert is_blocked(api.start())
    assert unblock(api, written).status == 204
    assert api.start().status == 201
    api.assert_nothing_leaked()


def test_blocking_and_unblocking_twice_changes_nothing(api: Api) -> None:
    assert [unblock(api).status, block(api).status, block(api).status] == [204] * 3
    assert is_blocked(api.start())
    assert [unblock(api).status, unblock(api).status] == [204] * 2
    assert api.start().status == 201


def test_a_block_stays_without_an_end_and_limits_stand_when_it_goes(api: Api) -> None:
    started = api.start()
    api.cancel(started.id)
    before = the_item(api)
    assert "ttl" in before
    block(api)
    assert "ttl" not in the_item(api)
    unblock(api)
    after = the_item(api)
    assert after["ttl"] > before["ttl"]  # type: ignore[operator]
    assert {**after, "ttl": 0} == {**before, "ttl": 0}
    assert api.start()["limit"] == "phone_cooldown"


@pytest.mark.parametrize("method", ["flash_call", "reverse_call"])
def test_a_block_between_a_start_and_its_answer_stays(api: Api, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cooldown is written when the vendor has answered."""
    record_answer = Dial.record_answer

    def blocking(*dialled: Any) -> Verification:
        block(api)
        return record_answer(*dialled)

    with monkeypatch.context() as patched:
        patched.setattr(Dial, "record_answer", blocking)
        started = api.start(method=method)
    assert started.status == 201
    assert "ttl" not in the_item(api)
    api.cancel(started.id)
    api.advance(24 * 3600)
    assert is_blocked(api.start())


def test_switches_and_repeats_are_refused_and_the_pending_call_can_still_verify(api: Api) -> None:
    started = api.start(allowed_methods=["reverse_call", "flash_call"], method="reverse_call")
    block(api)
    api.advance(30)
    for credential in (LIVE_KEY, started["client_token"]):
        assert is_blocked(api.switch(started.id, PHONE, "flash_call", credential=credential))
    api.dial(started, PHONE)
    assert api.status(started.id)["status"] == "verified"


def test_a_repeat_is_refused_and_the_code_still_counts(api: Api) -> None:
    started = api.start(provider="ucaller", method="flash_call")
    block(api)
    api.advance(61)
    assert is_blocked(api.repeat(started.id))
    assert api.paid_calls() == 1
    assert api.check(started.id, api.code(PHONE))["valid"]


def test_the_order_of_judgement(api: Api) -> None:
    """Credential, idempotency, validation, country, block, in progress, limits, provider."""
    key = {"Idempotency-Key": "click-1"}
    first = api.start(headers=key, reference="r")
    block(api)
    assert api.start(credential=READ_KEY)["code"] == "forbidden"
    assert api.start(headers=key, reference="r").replayed
    assert api.start(headers=key)["code"] == "idempotency_key_reused"
    assert api.start(colour="red")["code"] == "invalid_request"
    assert api.start("+4915112345678")["code"] == "country_not_allowed"
    assert is_blocked(api.start(reference="r"))  # in progress, and cooling down
    api.cancel(first.id)
    assert is_blocked(api.start())
    api.set_credentials({})
    assert is_blocked(api.start())
    unblock(api)
    assert api.start()["code"] == "no_provider_available"


def test_a_refused_start_counts_nothing_and_is_not_stored(api: Api) -> None:
    block(api)
    before = items()
    for _ in range(30):
        assert is_blocked(api.start(headers={"Idempotency-Key": "k"}, end_user_ip="198.51.100.7", method="flash_call"))
    assert [item for item in items() if item not in before and item.get("n") != 0] == []
    unblock(api)
    assert api.start(headers={"Idempotency-Key": "k"}, end_user_ip="198.51.100.7", method="flash_call").status == 201


def test_test_mode_blocks_test_numbers_alone(api: Api) -> None:
    assert block(api, PHONE, TEST_KEY)["code"] == "invalid_phone"
    assert block(api, TEST_FLASH, LIVE_KEY)["code"] == "invalid_phone"
    started = api.start(TEST_FLASH, credential=TEST_KEY)
    assert block(api, TEST_FLASH, TEST_KEY).status == 204
    assert is_blocked(api.start(TEST_FLASH, credential=TEST_KEY))
    assert is_blocked(api.repeat(started.id, credential=TEST_KEY))
    assert is_blocked(api.switch(started.id, TEST_FLASH, "flash_call", credential=TEST_KEY))
    assert api.start("+79000000103", credential=TEST_KEY).status == 201
    unblock(api, TEST_FLASH, TEST_KEY)
    assert api.start(TEST_FLASH, credential=TEST_KEY).status == 201


def test_a_number_of_any_country_can_be_unblocked(api: Api) -> None:
    """AllowedCountries may have been wider when it was blocked."""
    assert [block(api, "+4915112345678").status, unblock(api, "+4915112345678").status] == [204, 204]


@pytest.mark.parametrize("send", [block, unblock])
@pytest.mark.parametrize(
    ("phone", "code"), [("+74951234567", "invalid_phone"), ("x", "invalid_phone"), (7, "invalid_request")]
)
def test_what_is_no_phone_is_refused(api: Api, send: object, phone: object, code: str) -> None:
    assert send(api, phone)["code"] == code  # type: ignore[operator]


@pytest.mark.parametrize("event", ["block", "unblock"])
def test_the_scope_is_needed(api: Api, event: str) -> None:
    for credential in (OTHER_LIVE_KEY, WRITE_KEY, READ_KEY, api.start()["client_token"]):
        assert api.send(event, credential=credential).status == 403
    assert api.send(event, credential=None).status == 401
    assert api.send(event, body={}).status == 400
    assert api.send(event, body={"phone": PHONE, "until": 1})["code"] == "invalid_request"


def test_sdks_of_twilio_get_their_own_error(api: Api) -> None:
    block(api)
    client = Client(api, load_event)
    answer = client.create(PHONE, "call")
    assert (answer.status, answer["code"]) == (403, 60410)
    unblock(api)
    live = client.create(PHONE, "call")
    assert live.status == 201
    block(api)
    api.advance(61)
    again = client.create(PHONE, "call")  # which is a repeat
    assert (again.status, again["code"]) == (403, 60410)


def test_the_user_pool_says_that_the_phone_is_not_allowed() -> None:
    assert WORDS["phone_blocked"] == PHONE_NOT_ALLOWED


def test_a_step_that_is_taken_over_asks_no_further_route(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process died before it asked, and the phone has been blocked since."""

    class Died(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Died

    key = {"Idempotency-Key": "k"}
    with monkeypatch.context() as patched:
        patched.setattr(Dial, "_ask", die)
        with pytest.raises(Died):
            api.start(headers=key)
    block(api)
    api.advance(16)
    assert api.start(headers=key)["code"] == "provider_unavailable"
    assert api.requests() == []
