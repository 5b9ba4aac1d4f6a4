"""Signing up and in at a user pool of the embedded AWS, whose triggers are those of the deployed stack."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from tests.stack.cognito.conftest import SignIn, Stack, code_of, keys_of
from tests.support.client import new_phone

pytestmark = pytest.mark.stack


def bytes_of(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def claims_of(stack: Stack, token: str) -> dict[str, Any]:
    """What a token says; fails unless the pool has signed it."""
    head, body, signature = token.split(".")
    kid = json.loads(bytes_of(head))["kid"]
    (key,) = [key for key in keys_of(stack) if key["kid"] == kid]
    exponent, modulus = (int.from_bytes(bytes_of(key[name])) for name in ("e", "n"))
    public = RSAPublicNumbers(exponent, modulus).public_key()
    public.verify(bytes_of(signature), f"{head}.{body}".encode(), PKCS1v15(), SHA256())
    claims: dict[str, Any] = json.loads(bytes_of(body))
    return claims


def signed_in(deployed: Stack, phone: str) -> SignIn:
    sign_in = deployed.begin(phone)
    sign_in.call()
    sign_in.answer(sign_in.verification_id)
    assert sign_in.tokens
    return sign_in


def test_sign_up_then_a_reverse_call_then_a_flash_call_end_in_tokens(deployed: Stack) -> None:
    phone = new_phone()
    assert deployed.sign_up(phone, name="Anna")["UserConfirmed"] is True
    assert deployed.user(phone).get("phone_number_verified", "false").lower() == "false"

    first = signed_in(deployed, phone)
    claims = claims_of(deployed, first.tokens["IdToken"])
    assert (claims["phone_number"], claims["aud"]) == (phone, deployed.pool["ClientId"])
    assert claims["sub"] == deployed.user(phone)["sub"]
    assert deployed.user(phone)["phone_number_verified"].lower() == "true"
    read = deployed.api.read(first.verification_id).expect(200)
    assert (read["status"], read["reference"]) == ("verified", claims["sub"])

    second = deployed.begin(phone, method="flash_call", locale="en")
    started = second.verification_id
    assert second.told["type"] == "enter_digits"
    second.answer(deployed.vendors.wrong_code(phone))
    assert (second.tokens, second.verification_id) == ({}, started)
    second.answer(deployed.vendors.code(phone))
    assert claims_of(deployed, second.tokens["AccessToken"])["username"]
    assert len(deployed.vendors.starts(phone)) == 2


def test_nobody_calls_and_nobody_gets_in(deployed: Stack) -> None:
    phone = new_phone()
    deployed.sign_up(phone)
    sign_in = deployed.begin(phone)
    sign_in.answer(sign_in.verification_id)
    assert not sign_in.tokens
    with pytest.raises(ClientError):
        sign_in.answer(sign_in.verification_id)


def test_a_verification_lets_one_sign_in_in(deployed: Stack) -> None:
    phone = new_phone()
    deployed.sign_up(phone)
    first = signed_in(deployed, phone)
    second = deployed.begin(phone)
    assert second.verification_id != first.verification_id
    second.answer(first.verification_id)
    assert not second.tokens


def test_another_users_verification_lets_nobody_in(deployed: Stack) -> None:
    mine, theirs = new_phone(), new_phone()
    for phone in (mine, theirs):
        deployed.sign_up(phone)
    sign_in, other = deployed.begin(mine), deployed.begin(theirs)
    other.call()
    sign_in.answer(other.verification_id)
    assert not sign_in.tokens


def test_a_second_sign_in_of_a_phone_learns_nothing(deployed: Stack) -> None:
    phone = new_phone()
    deployed.sign_up(phone)
    deployed.begin(phone)
    with pytest.raises(ClientError, match="IN_PROGRESS"):
        deployed.begin(phone)
    assert len(deployed.vendors.starts(phone)) == 1


@pytest.mark.parametrize(
    ("phone", "attributes", "word"),
    [
        ("+74950000001", {}, "PHONE_NOT_ALLOWED"),
        (None, {"email": "mallory@example.com"}, "ATTRIBUTE_NOT_ALLOWED"),
    ],
)
def test_who_may_not_sign_up(deployed: Stack, phone: str | None, attributes: dict[str, str], word: str) -> None:
    with pytest.raises(ClientError) as refused:
        deployed.sign_up(phone or new_phone(), **attributes)
    assert word in code_of(refused.value)


@pytest.fixture
def open_client(deployed: Stack) -> Iterator[str]:
    """An app client of the pool that lets users in by password."""
    pool = deployed.pool["UserPoolId"]
    client = deployed.cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="old", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    )["UserPoolClient"]["ClientId"]
    yield client
    deployed.cognito.delete_user_pool_client(UserPoolId=pool, ClientId=client)


def test_an_account_prepared_by_somebody_is_the_phones_after_the_first_proof(deployed: Stack, open_client: str) -> None:
    phone, password = new_phone(), "Mallory-knows-1"
    deployed.sign_up(phone, password)
    by_password = {"USERNAME": phone, "PASSWORD": password}

    def prepared(**parameters: str) -> Any:
        flow = "REFRESH_TOKEN_AUTH" if "REFRESH_TOKEN" in parameters else "USER_PASSWORD_AUTH"
        return deployed.cognito.initiate_auth(ClientId=open_client, AuthFlow=flow, AuthParameters=parameters)

    old = prepared(**by_password)["AuthenticationResult"]
    time.sleep(1.1)  # the embedded AWS signs out what is older than this second
    signed_in(deployed, phone)
    with pytest.raises(ClientError, match="NotAuthorized"):
        prepared(**by_password)
    with pytest.raises(ClientError, match="NotAuthorized"):
        prepared(REFRESH_TOKEN=old["RefreshToken"])


def test_sign_ups_cost_no_call(deployed: Stack) -> None:
    before = deployed.vendors.all_starts()
    for _ in range(100):
        deployed.sign_up(new_phone())
    assert deployed.vendors.all_starts() == before


# What the embedded AWS never asks


def invoked(deployed: Stack, name: str, **request: Any) -> Any:
    event = json.loads((Path(__file__).parents[3] / f"events/cognito_{name}.json").read_text())
    event |= {"userPoolId": deployed.pool["UserPoolId"]}
    event["request"] |= request
    answer = deployed.functions.invoke(FunctionName=deployed.triggers, Payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read())
    return payload if "FunctionError" in answer else payload["response"]


def test_an_unknown_user_is_shown_a_challenge_that_nobody_answers(deployed: Stack) -> None:
    nobody = {"userAttributes": {}, "userNotFound": True}
    created = invoked(deployed, "create", **nobody)
    public = created["publicChallengeParameters"]
    assert public["type"] == "call_number"
    answer = {"challengeAnswer": public["verification_id"]}
    private = {"privateChallengeParameters": created["privateChallengeParameters"]}
    assert invoked(deployed, "verify", **nobody, **answer, **private) == {"answerCorrect": False}
    assert invoked(deployed, "define", **nobody)["failAuthentication"] is True


def test_another_pool_is_refused(deployed: Stack) -> None:
    event = json.loads((Path(__file__).parents[3] / "events/cognito_define.json").read_text())
    answer = deployed.functions.invoke(FunctionName=deployed.triggers, Payload=json.dumps(event))
    assert json.loads(answer["Payload"].read())["errorMessage"] == "UNAVAILABLE"


def test_the_same_round_twice_starts_one_call(deployed: Stack) -> None:
    phone = new_phone()
    deployed.sign_up(phone)
    deployed.used.phones.add(phone)
    attributes = deployed.user(phone)
    answers = [invoked(deployed, "create", userAttributes=attributes) for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(deployed.vendors.starts(phone)) == 1


def test_nothing_of_a_sign_in_is_logged(deployed: Stack) -> None:
    phone = new_phone()
    deployed.sign_up(phone)
    sign_in = signed_in(deployed, phone)
    time.sleep(2)  # what is logged is written at most a second later
    log = Path(deployed.env["LOG_FILE"]).read_text()
    assert sign_in.verification_id in log
    assert re.search(r'"message":\s*"Cognito CreateAuthChallenge"', log)
    assert deployed.used.found_in(log) == []
