"""Signing up to and signing in at a Cognito user pool, by a call. Its triggers are invoked as AWS does it."""

from __future__ import annotations

from typing import Any

import pytest

from callverify.domain.words import Deadline
from callverify.service.service import Service
from callverify.service.started import Started
from functions.cognito_triggers import app
from tests.support import surroundings
from tests.support.cognito import OTHER_CLIENT, Failed, Pool, SignIn, trigger
from tests.support.gateway import Api, load_event

PHONE, OTHER, STRANGER = "+79000000061", "+79000000062", "+79000000063"


@pytest.fixture
def pool(api: Api) -> Pool:
    api.phones |= {PHONE, OTHER, STRANGER}
    return Pool()


def call(api: Api, sign_in: SignIn, phone: str = PHONE) -> None:
    """The user calls the number that they were shown."""
    api.client_tokens.add(sign_in.public["client_token"])
    api.simulators.dial(phone, sign_in.public["number"])


def administered() -> list[str]:
    return [operation for operation, _ in surroundings.user_pool.asked]


# Signing in


def test_sign_up_then_sign_in_by_a_reverse_call(api: Api, pool: Pool) -> None:
    pool.sign_up(PHONE)
    sign_in = pool.sign_in(PHONE, locale="ru")
    assert sign_in.public.keys() == {
        "type", "verification_id", "number", "tel_uri", "expires_at", "client_token", "page_url"
    }  # fmt: skip
    assert sign_in.public["tel_uri"] == f"tel:{sign_in.public['number']}"
    assert sign_in.public["page_url"].startswith("https://Api.execute-api.eu-central-1.amazonaws.com/v1/page#id=vrf_")
    call(api, sign_in)
    # What a browser watches, by the token that it was given.
    watched = api.status(sign_in.id, credential=sign_in.public["client_token"])
    assert (watched["status"], watched["method"]) == ("verified", "reverse_call")
    assert sign_in.answer(sign_in.id)
    assert sign_in.has_tokens
    assert api.metrics()["PaidCalls"] == 0


def test_the_operators_server_learns_who_signed_in(api: Api, pool: Pool) -> None:
    account = pool.account(PHONE)
    sign_in = pool.sign_in(PHONE)
    read = api.status(sign_in.id)
    assert read["reference"] == account["sub"]
    assert read["metadata"] == {"user_pool_id": surroundings.USER_POOL, "client_id": sign_in.client}


def test_a_phone_that_was_proven_before_may_be_called(api: Api, pool: Pool) -> None:
    pool.account(PHONE, phone_number_verified="true")
    sign_in = pool.sign_in(PHONE, method="flash_call")
    api.client_tokens.add(sign_in.public["client_token"])
    assert (sign_in.public["type"], sign_in.public["code_length"]) == ("enter_digits", "4")
    assert not sign_in.answer(api.wrong_code(PHONE))
    assert not sign_in.has_tokens
    assert sign_in.answer(api.code(PHONE))
    assert sign_in.has_tokens
    assert administered() == []  # nothing to take from anybody


def test_a_code_may_be_typed_on_the_page_too(api: Api, pool: Pool) -> None:
    pool.account(PHONE, phone_number_verified="true")
    sign_in = pool.sign_in(PHONE, method="flash_call")
    token = sign_in.public["client_token"]
    assert api.check(sign_in.id, api.code(PHONE), credential=token)["valid"] is True
    assert sign_in.answer(sign_in.id)
    assert sign_in.has_tokens


@pytest.mark.parametrize("method", ["flash_call", "voice_call", "reverse_call", ""])
def test_a_first_proof_is_a_reverse_call_whatever_was_asked_for(api: Api, pool: Pool, method: str) -> None:
    pool.account(PHONE)
    sign_in = pool.sign_in(PHONE, method=method)
    assert sign_in.public["type"] == "call_number"
    switched = api.switch(sign_in.id, PHONE, "flash_call", credential=sign_in.public["client_token"])
    assert (switched.status, switched["code"]) == (409, "method_not_allowed")
    assert api.metrics()["PaidCalls"] == 0


def test_three_cognito_calls_however_long_the_user_takes(api: Api, pool: Pool) -> None:
    """InitiateAuth, parameters, and one answer: the waiting is between the browser and this API."""
    pool.account(PHONE)
    sign_in = pool.sign_in(PHONE)
    for _ in range(20):
        assert api.status(sign_in.id, credential=sign_in.public["client_token"])["status"] == "pending"
    call(api, sign_in)
    sign_in.answer(sign_in.id)
    assert (sign_in.has_tokens, len(sign_in.rounds)) == (True, 2)


# What ends in no tokens


def test_an_answer_before_the_call_is_wrong_and_three_end_the_sign_in(api: Api, pool: Pool) -> None:
    pool.account(PHONE)
    sign_in = pool.sign_in(PHONE)
    first = sign_in.id
    assert not sign_in.answer(first)
    assert sign_in.id == first  # the same again, and nothing more was started
    assert not sign_in.answer("1111")
    with pytest.raises(Failed):
        sign_in.answer("vrf_00000000000000000000000000")
    assert api.requests() == ["reverse_auth_phone_post"]


def test_three_wrong_codes_end_the_sign_in(api: Api, pool: Pool) -> None:
    pool.account(PHONE, phone_number_verified="true")
    sign_in = pool.sign_in(PHONE, method="flash_call")
    for _ in range(2):
        assert not sign_in.answer(api.wrong_code(PHONE))
    with pytest.raises(Failed):
        sign_in.answer(api.wrong_code(PHONE))
    assert api.paid_calls() == 1


@pytest.mark.parametrize("answer", ["", "12", "12345678", "абвг", "٠١٢٣", " 0427", "{}"])
def test_what_is_no_code_costs_no_guess(api: Api, pool: Pool, answer: str) -> None:
    pool.account(PHONE, phone_number_verified="true")
    sign_in = pool.sign_in(PHONE, method="flash_call")
    assert not sign_in.answer(answer)
    assert api.status(sign_in.id)["checks_remaining"] == 5


def test_a_verification_proves_once(api: Api, pool: Pool) -> None:
    pool.account(PHONE)
    first = pool.sign_in(PHONE)
    call(api, first)
    assert first.answer(first.id)
    api.advance(150)
    second = pool.sign_in(PHONE)
    assert not second.answer(first.id)
    second.private["verification_id"] = first.id  # which no client can
    assert not second.verify(first.id)


def test_a_lost_answer_costs_no_proof(api: Api, pool: Pool) -> None:
    """Cognito asks up to three times where a trigger takes more than 5 s."""
    pool.account(PHONE)
    sign_in = pool.sign_in(PHONE)
    call(api, sign_in)
    assert [sign_in.verify(sign_in.id) for _ in range(3)] == [True] * 3


def test_a_lost_answer_to_a_code_costs_no_proof(api: Api, pool: Pool) -> None:
    pool.account(PHONE, phone_number_verified="true")
    sign_in = pool.sign_in(PHONE, method="flash_call")
    api.client_tokens.add(sign_in.public["client_token"])
    assert not sign_in.verify(api.wrong_code(PHONE))
    assert [sign_in.verify(api.code(PHONE)) for _ in range(3)] == [True] * 3
    sign_in.private["nonce"] = "0" * 32  # another sign-in, which no client can be
    assert not sign_in.verify(api.code(PHONE))


def test_a_code_after_the_page_took_it_is_wrong_and_the_id_is_right(api: Api, pool: Pool) -> None:
    pool.account(PHONE, phone_number_verified="true")
    sign_in = pool.sign_in(PHONE, method="flash_call")
    assert api.check(sign_in.id, api.code(PHONE), credential=sign_in.public["client_token"])["valid"] is True
    assert not sign_in.verify(api.wrong_code(PHONE))
    assert sign_in.verify(sign_in.id)


def test_another_users_verification_proves_nothing(api: Api, pool: Pool) -> None:
    pool.account(PHONE)
    pool.account(OTHER)
    mine, theirs = pool.sign_in(PHONE), pool.sign_in(OTHER)
    call(api, theirs, OTHER)
    assert not mine.verify(theirs.id)
    mine.private = theirs.private  # which no client can
    assert not mine.verify(theirs.id)


def test_another_clients_verification_proves_nothing(api: Api, pool: Pool) -> None:
    pool.account(PHONE)
    first = pool.sign_in(PHONE)
    call(api, first)
    api.advance(150)
    second = pool.sign_in(PHONE, client=OTHER_CLIENT)
    second.private = first.private
    assert not second.verify(first.id)
    assert first.verify(first.id)


def test_a_verification_of_an_api_key_proves_nothing(api: Api, pool: Pool) -> None:
    """A server could name the same reference and metadata."""
    account = pool.account(PHONE)
    sign_in = pool.sign_in(PHONE)
    api.cancel(sign_in.id)
    api.advance(60)
    metadata = {"user_pool_id": surroundings.USER_POOL, "client_id": sign_in.client}
    started = api.start(PHONE, method="reverse_call", reference=account["sub"], metadata=metadata)
    api.dial(started, PHONE)
    assert api.status(started.id)["status"] == "verified"
    sign_in.private["verification_id"] = started.id
    assert not sign_in.verify(started.id)


def test_a_phone_that_has_changed_since_is_not_proven(api: Api, pool: Pool) -> None:
    account = pool.account(PHONE)
    sign_in = pool.sign_in(PHONE)
    call(api, sign_in)
    account["phone_number"] = OTHER
    sign_in._account = account
    assert not sign_in.verify(sign_in.id)


@pytest.mark.parametrize(("seconds", "right"), [(600, True), (601, False)])
def test_a_proof_is_good_for_ten_minutes(api: Api, pool: Pool, seconds: int, right: bool) -> None:
    pool.account(PHONE)
    sign_in = pool.sign_in(PHONE)
    call(api, sign_in)
    api.advance(seconds)
    assert sign_in.verify(sign_in.id) is right


def test_an_account_that_was_made_anew_is_another(api: Api, pool: Pool) -> None:
    account = pool.account(PHONE)
    sign_in = pool.sign_in(PHONE)
    call(api, sign_in)
    first, account["sub"] = account["sub"], "00000000-0000-4000-8000-000000000000"
    assert not sign_in.verify(sign_in.id)
    account["sub"] = first
    assert sign_in.verify(sign_in.id)


def test_somebody_elses_call_proves_nothing(api: Api, pool: Pool) -> None:
    pool.account(PHONE)
    sign_in = pool.sign_in(PHONE)
    call(api, sign_in, STRANGER)
    assert not sign_in.answer(sign_in.id)


def test_an_unknown_user_looks_alike_costs_nothing_and_is_never_right(api: Api, pool: Pool) -> None:
    pool.account(PHONE)
    known, unknown = pool.sign_in(PHONE), pool.sign_in(STRANGER, method="flash_call")
    assert unknown.public.keys() == known.public.keys()
    assert unknown.public["type"] == known.public["type"]
    first = unknown.id
    assert not unknown.answer(first)
    assert unknown.id == first
    assert not unknown.answer("0000")
    with pytest.raises(Failed):
        unknown.answer(first)
    assert api.requests() == ["reverse_auth_phone_post"]
    assert [item for item in surroundings.items() if first in str(item)] == []


def test_another_sign_in_of_this_phone_waits_and_learns_nothing(api: Api, pool: Pool) -> None:
    pool.account(PHONE)
    sign_in = pool.sign_in(PHONE)
    with pytest.raises(Exception, match=r"^IN_PROGRESS \d+$") as refused:
        pool.sign_in(PHONE)
    assert sign_in.id not in str(refused.value)
    call(api, sign_in)
    assert sign_in.answer(sign_in.id)


# Triggers that are called again


def test_a_trigger_that_is_called_twice_starts_one_call(api: Api, pool: Pool) -> None:
    pool.account(PHONE, phone_number_verified="true")
    sign_in = pool.sign_in(PHONE, method="flash_call")
    del sign_in.rounds[-1]
    for _ in range(2):
        again = sign_in.create({"method": "flash_call"})
        assert again["publicChallengeParameters"] == sign_in.public
    assert (api.paid_calls(), len(api.simulators.incoming(PHONE))) == (1, 1)


def test_each_sign_in_has_a_nonce_of_ours(api: Api, pool: Pool) -> None:  # noqa: ARG001
    pool.account(PHONE)
    first, second = SignIn(pool.accounts[PHONE]), SignIn(pool.accounts[PHONE])
    assert first.rounds != second.rounds
    for each in (first, second):
        assert each.public == {"challenge": "PROVIDE_PARAMETERS"}
        assert len(each.rounds[0]["challengeMetadata"].partition(":")[2]) == 32


# Define: the session alone decides

NONCE = "PROVIDE_PARAMETERS:" + "0123456789abcdef" * 2
PROOF, OTHER_PROOF = "cv:vrf_" + "0" * 26, "cv:vrf_" + "1" * 26


def rounds(*each: tuple[str | None, bool | None]) -> list[dict[str, Any]]:
    return [
        {"challengeName": "CUSTOM_CHALLENGE", "challengeResult": result, "challengeMetadata": metadata}
        for metadata, result in each
    ]


def decided(session: list[dict[str, Any]], **more: Any) -> str:
    response = trigger("define", session=session, **more)
    if response["issueTokens"]:
        assert (response["failAuthentication"], response["challengeName"]) == (False, None)
        return "tokens"
    if response["failAuthentication"]:
        assert response["challengeName"] is None
        return "end"
    return str(response["challengeName"])


@pytest.mark.parametrize(
    ("session", "decision"),
    [
        ([], "CUSTOM_CHALLENGE"),
        (rounds((NONCE, True)), "CUSTOM_CHALLENGE"),
        (rounds((NONCE, True), (PROOF, False)), "CUSTOM_CHALLENGE"),
        (rounds((NONCE, True), (PROOF, False), (PROOF, False)), "CUSTOM_CHALLENGE"),
        (rounds((NONCE, True), (PROOF, False), (PROOF, False), (PROOF, False)), "end"),
        (rounds((NONCE, True), (PROOF, True)), "tokens"),
        (rounds((NONCE, True), (PROOF, False), (PROOF, True)), "tokens"),
        (rounds((NONCE, True), (PROOF, True), (PROOF, False)), "CUSTOM_CHALLENGE"),
        # Metadata that is missing, changed or another's.
        (rounds((NONCE, True), (None, True)), "end"),
        (rounds((NONCE, True), ("", True)), "end"),
        (rounds((NONCE, True), ("cv:", True)), "end"),
        (rounds((NONCE, True), ("cv:1", True)), "end"),
        (rounds((NONCE, True), (PROOF.upper(), True)), "end"),
        (rounds((NONCE, True), (PROOF + "0", True)), "end"),
        (rounds((NONCE, True), (NONCE, True)), "end"),
        (rounds((NONCE, True), (OTHER_PROOF, False), (PROOF, True)), "end"),
        (rounds((NONCE, True), (None, False), (PROOF, True)), "end"),
        (rounds((None, True)), "end"),
        (rounds((None, True), (PROOF, True)), "end"),
        (rounds((PROOF, True)), "end"),
        (rounds((PROOF, True), (PROOF, True)), "end"),
        (rounds(("PROVIDE_PARAMETERS", True), (PROOF, True)), "end"),
        (rounds(("PROVIDE_PARAMETERS:x", True), (PROOF, True)), "end"),
        # Results that are none.
        (rounds((NONCE, False), (PROOF, True)), "end"),
        (rounds((NONCE, None), (PROOF, True)), "end"),
        (rounds((NONCE, True), (PROOF, None)), "CUSTOM_CHALLENGE"),
    ],
)
def test_tokens_are_issued_for_a_right_answer_to_our_own_challenge_alone(
    api: Api,  # noqa: ARG001
    session: list[dict[str, Any]],
    decision: str,
) -> None:
    assert decided(session) == decision
    assert decided(session, userNotFound=True) == ("end" if decision == "tokens" else decision)


@pytest.mark.parametrize("name", ["SRP_A", "PASSWORD_VERIFIER", "SMS_MFA", None])
def test_another_challenge_ends_the_sign_in(api: Api, name: str | None) -> None:  # noqa: ARG001
    proof = rounds((NONCE, True), (PROOF, True))
    for place in range(3):
        session = [*proof]
        session.insert(place, {"challengeName": name, "challengeResult": True, "challengeMetadata": None})
        assert decided(session) == "end"
    # With metadata that looks like ours, too.
    assert decided([*proof[:1], {**proof[1], "challengeName": name}]) == "end"


def test_a_session_that_did_not_begin_with_us_is_asked_nothing(api: Api) -> None:
    for session in (rounds((None, True)), rounds((PROOF, True))):
        with pytest.raises(Exception, match=r"^UNAVAILABLE$"):
            trigger("create", session=session)
    assert api.requests() == []


@pytest.mark.parametrize("private", [None, {}, {"verification_id": "vrf_" + "0" * 26}, {"challenge": "OTHER"}])
def test_an_answer_to_nothing_is_wrong(api: Api, private: Any) -> None:  # noqa: ARG001
    answer = {"challengeAnswer": "vrf_" + "0" * 26}
    assert trigger("verify", privateChallengeParameters=private, **answer) == {"answerCorrect": False}


@pytest.mark.parametrize("answer", [None, 1, {"ANSWER": "x"}])
def test_an_answer_that_is_no_text_is_wrong(api: Api, answer: Any) -> None:  # noqa: ARG001
    assert trigger("verify", challengeAnswer=answer) == {"answerCorrect": False}


# Signing up


@pytest.mark.parametrize("attributes", [{}, {"name": "Anna"}, {"locale": "ru"}])
def test_anybody_with_an_allowed_phone_may_sign_up(api: Api, pool: Pool, attributes: dict[str, str]) -> None:
    pool.sign_up(PHONE, **attributes)
    assert api.requests() == []


@pytest.mark.parametrize(
    "phone", ["", "+74950000000", "+77010000000", "+79000000101", "89000000061", "+7 900 000 0061"]
)
def test_a_phone_that_could_not_be_verified_may_not(pool: Pool, phone: str) -> None:
    with pytest.raises(Exception, match=r"^PHONE_NOT_ALLOWED$"):
        pool.sign_up(phone)


@pytest.mark.parametrize(
    "name", ["email", "phone_number_verified", "email_verified", "custom:role", "preferred_username"]
)
def test_what_could_be_a_way_in_is_refused_at_the_sign_up(pool: Pool, name: str) -> None:
    with pytest.raises(Exception, match=r"^ATTRIBUTE_NOT_ALLOWED$"):
        pool.sign_up(PHONE, **{name: "x"})


def test_an_account_that_the_operator_makes_is_the_operators_affair(api: Api) -> None:  # noqa: ARG001
    event = load_event("cognito_sign_up") | {"triggerSource": "PreSignUp_AdminCreateUser"}
    event["request"]["userAttributes"]["email"] = "anna@example.com"
    assert app.handler(event, None)["response"] == load_event("cognito_sign_up")["response"]


def test_a_thousand_sign_ups_cost_no_call(api: Api, pool: Pool) -> None:
    before = surroundings.items()
    for number in range(1000):
        pool.sign_up(f"+7900001{number:04}")
    assert (api.requests(), surroundings.items()) == ([], before)


# The first proof


def test_an_account_that_somebody_prepared_is_theirs_no_more_after_the_first_proof(api: Api, pool: Pool) -> None:
    linked = '[{"userId":"117","providerName":"Google","providerType":"Google","primary":"false"}]'
    pool.account(PHONE, email="mallory@example.com", email_verified="true", identities=linked)
    sign_in = pool.sign_in(PHONE)
    assert administered() == []
    call(api, sign_in)
    assert sign_in.answer(sign_in.id)
    asked = dict(surroundings.user_pool.asked)
    assert [*asked] == [
        "admin_set_user_password",
        "admin_delete_user_attributes",
        "admin_disable_provider_for_user",
        "admin_user_global_sign_out",
        "admin_update_user_attributes",
    ]
    assert {request["UserPoolId"] for request in asked.values()} == {surroundings.USER_POOL}
    password = asked["admin_set_user_password"]
    assert password["Permanent"] is True
    assert len(password["Password"]) > 60
    assert asked["admin_delete_user_attributes"]["UserAttributeNames"] == ["email"]
    assert asked["admin_disable_provider_for_user"]["User"]["ProviderAttributeValue"] == "117"
    proven = [{"Name": "phone_number_verified", "Value": "true"}]
    assert asked["admin_update_user_attributes"]["UserAttributes"] == proven


def test_passwords_are_random(api: Api, pool: Pool) -> None:
    passwords = set()
    for phone in (PHONE, OTHER):
        pool.account(phone)
        sign_in = pool.sign_in(phone)
        call(api, sign_in, phone)
        assert sign_in.answer(sign_in.id)
        passwords.add(dict(surroundings.user_pool.asked)["admin_set_user_password"]["Password"])
    assert len(passwords) == 2


def test_a_wrong_answer_changes_no_account(pool: Pool) -> None:
    pool.account(PHONE)
    sign_in = pool.sign_in(PHONE)
    assert not sign_in.answer(sign_in.id)
    assert administered() == []


def test_what_fails_at_the_first_proof_is_done_again(api: Api, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    pool.account(PHONE)
    sign_in = pool.sign_in(PHONE)
    call(api, sign_in)

    def fail(**_: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(surroundings.user_pool, "admin_user_global_sign_out", fail, raising=False)
        with pytest.raises(Exception, match=r"^UNAVAILABLE$"):
            sign_in.verify(sign_in.id)
    assert "admin_update_user_attributes" not in administered()
    assert sign_in.verify(sign_in.id)
    assert administered()[-2:] == ["admin_user_global_sign_out", "admin_update_user_attributes"]


# Time


def test_a_start_has_the_time_that_cognito_waits(api: Api, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """And a call of the trigger that finds it in flight waits for it, as long as it can."""
    start, given = Service.start, []

    def note(*arguments: Any, deadline: Deadline, **more: Any) -> Started:
        given.append(deadline)
        return start(*arguments, deadline=deadline, **more)

    monkeypatch.setattr(Service, "start", note)
    pool.account(PHONE)
    pool.sign_in(PHONE)
    (deadline,) = given
    assert deadline.remaining() < 4


# Limits, and words


@pytest.mark.parametrize("api", [{"CognitoPaidDayLimit": "2"}], indirect=True)
def test_sign_ins_have_a_daily_limit_of_their_own(api: Api, pool: Pool) -> None:
    """The limit of API keys is untouched."""
    for number in range(3):
        phone = f"+7900002000{number}"
        pool.account(phone, phone_number_verified="true")
        if number == 2:
            with pytest.raises(Exception, match=r"^LIMITED \d+$"):
                pool.sign_in(phone, method="flash_call")
        else:
            pool.sign_in(phone, method="flash_call")
    assert api.metrics()["LimitsReached"] == 1
    assert api.start("+79000020004", method="flash_call").status == 201
    pool.account(PHONE)
    assert pool.sign_in(PHONE).public["type"] == "call_number"


@pytest.mark.parametrize(
    ("metadata", "word"),
    [({"method": "carrier_pigeon"}, "INVALID_PARAMETERS"), ({"locale": "xx"}, "INVALID_PARAMETERS")],
)
def test_parameters_that_are_none(pool: Pool, metadata: dict[str, str], word: str) -> None:
    pool.account(PHONE, phone_number_verified="true")
    with pytest.raises(Exception, match=rf"^{word}$"):
        pool.sign_in(PHONE, **metadata)


def test_a_refusal_is_one_word_and_seconds(api: Api, pool: Pool) -> None:
    pool.account(PHONE)
    api.simulators.fault("telefon_ip", "number_refused", times=0)
    api.simulators.fault("sms_ru", "number_refused", times=0)
    api.simulators.fault("smsc", "number_refused", times=0)
    with pytest.raises(Exception, match=r"^(PHONE_NOT_ALLOWED|UNAVAILABLE)( \d+)?$"):
        pool.sign_in(PHONE)


def test_an_account_without_a_phone_can_not_sign_in(api: Api, pool: Pool) -> None:
    account = pool.account(PHONE)
    del account["phone_number"]
    with pytest.raises(Exception, match=r"^PHONE_NOT_ALLOWED$"):
        pool.sign_in(PHONE)
    assert api.requests() == []


@pytest.mark.parametrize("name", ["sign_up", "define", "create", "verify"])
def test_another_pool_is_refused_by_every_trigger(api: Api, name: str) -> None:
    with pytest.raises(Exception, match=r"^UNAVAILABLE$"):
        trigger(name, pool="eu-central-1_Another12")
    assert api.metrics()["ConfigurationFaults"] == 1


@pytest.mark.parametrize("api", [{"CognitoUserPoolArn": "pending"}], indirect=True)
@pytest.mark.parametrize("name", ["sign_up", "define", "create", "verify"])
@pytest.mark.parametrize("pool_id", [surroundings.USER_POOL, "", "pending"])
def test_while_the_pool_is_pending_every_pool_is_refused(api: Api, name: str, pool_id: str) -> None:  # noqa: ARG001
    with pytest.raises(Exception, match=r"^UNAVAILABLE$"):
        trigger(name, pool=pool_id)


def test_a_fault_of_ours_is_told_to_the_operator_alone(api: Api, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    pool.account(PHONE)

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"something about {PHONE}")

    monkeypatch.setattr("callverify.service.service.Service.start", fail)
    with pytest.raises(Exception, match=r"^UNAVAILABLE$") as refused:
        pool.sign_in(PHONE)
    assert refused.value.__cause__ is None
    assert '"error_type":"RuntimeError"' in api.logged().replace(" ", "")
