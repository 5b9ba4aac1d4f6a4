"""Who may do what: API keys, their scopes and modes, and client tokens."""

from __future__ import annotations

import json

import pytest

from functions.authorize import app as authorize
from tests.support.gateway import PHONE, Api, allows, load_event
from tests.support.handlers import HANDLERS, Answer, answer_of
from tests.support.surroundings import LIVE_KEY, NO_SCOPE_KEY, READ_KEY, TEST_KEY, WRITE_KEY, api_key, put_api_keys

OURS = ("start_telefon_ip", "status", "check_wrong", "repeat", "switch", "cancel")


@pytest.mark.parametrize(
    "credential",
    [None, "", "cv_live_" + "U" * 43, LIVE_KEY[:-1], LIVE_KEY + "x", LIVE_KEY.lower(), "cvt.a.b.c", "cvt....", "x y"],
)
def test_no_credential_or_an_unknown_one_is_401(api: Api, credential: str | None) -> None:
    for event in OURS:
        answer = api.send(event, credential=credential)
        assert (answer.status, answer["code"]) == (401, "unauthorized")


@pytest.mark.parametrize("text", ["\ud800", chr(0xDFFF), "\ufffe", "ключ", "\x00"], ids=ascii)
@pytest.mark.parametrize("credential", ["{}", "cv_live_{}", "cvt.{}", "cvt.vrf_x.{}.{}", "cvt.vrf_x.1.{}"])
def test_a_credential_in_letters_that_none_has_is_401(api: Api, credential: str, text: str) -> None:
    """Each error of the authorizer is a 500 of the gateway, and one more towards an alarm."""
    answer = api.status("vrf_x", credential=credential.replace("{}", text))
    assert (answer.status, answer["code"]) == (401, "unauthorized")


@pytest.mark.parametrize("authorization", ["Basic eDp5", LIVE_KEY, "", "Bearer", f"Token {LIVE_KEY}"])
def test_another_scheme_is_401(api: Api, authorization: str) -> None:
    event = load_event("status")
    event["headers"]["Authorization"] = authorization
    assert api.pass_gateway(event).status == 401


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        (LIVE_KEY, set(OURS)),
        (READ_KEY, {"status"}),
        (WRITE_KEY, set(OURS) - {"status"}),
        (NO_SCOPE_KEY, set()),
    ],
)
def test_a_key_opens_what_its_scopes_say(api: Api, key: str, allowed: set[str]) -> None:
    passed = {event for event in OURS if api.send(event, credential=key).status != 403}
    assert passed == allowed


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("event", OURS)
def test_the_functions_judge_scopes_by_themselves_too(event: str) -> None:
    """A gateway that is set up wrongly must not open what the credential does not."""
    request = load_event(event)
    context = request["requestContext"]["authorizer"]
    for scopes in ("", "verifications:write" if event == "status" else "verifications:read"):
        context["scopes"] = scopes
        answer = answer_of(HANDLERS[request["httpMethod"], request["resource"]](request, None))
        assert (answer.status, answer["code"]) == (403, "forbidden")
    request["requestContext"]["authorizer"] = None
    assert answer_of(HANDLERS[request["httpMethod"], request["resource"]](request, None)).status == 401


@pytest.mark.parametrize("authorization", ["live", "test", "client"])
def test_the_policy_names_every_route_that_the_credential_may_use(api: Api, authorization: str) -> None:
    """The gateway keeps one answer for all requests with the same credential."""
    started = api.start()
    credential = {"live": LIVE_KEY, "test": TEST_KEY, "client": started["client_token"]}[authorization]
    base = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/v1/"
    event = {"type": "TOKEN", "authorizationToken": f"Bearer {credential}", "methodArn": f"{base}GET/verifications/x"}
    answer = authorize.handler(event, None)
    open_to_all = {
        "GET/verifications/",
        "POST/verifications//check",
        "POST/verifications//repeat",
        "POST/verifications//switch",
    }
    own = {route.replace("verifications/", f"verifications/{started.id}", 1) for route in open_to_all}
    others = {route.replace("verifications/", "verifications/vrf_other", 1) for route in open_to_all}
    more = {"POST/verifications", "GET/events", f"POST/verifications/{started.id}/cancel"}
    expected = own if authorization == "client" else own | others | more
    assert {route for route in own | others | more if allows(answer["policyDocument"], base + route)} == expected
    assert not allows(answer["policyDocument"], f"{base}GET/webhooks/smsc/x")
    assert not allows(answer["policyDocument"], base.replace("a1b2c3d4e5", "another") + "GET/verifications/x")
    assert credential not in json.dumps(answer)


def test_each_mode_sees_its_own_alone(api: Api) -> None:
    test, live = api.start("+79000000101", credential=TEST_KEY), api.start()
    for id_, credential in ((test.id, LIVE_KEY), (live.id, TEST_KEY)):
        for event in OURS[1:]:
            answer = api.send(event, id=id_, credential=credential)
            assert (answer.status, answer["code"]) == (404, "not_found")
    assert api.status(live.id)["status"] == api.status(test.id, credential=TEST_KEY)["status"] == "pending"


def test_another_key_of_the_same_mode_may_read(api: Api) -> None:
    assert api.status(api.start().id, credential=READ_KEY).status == 200


# Client tokens


def test_a_client_token_reads_checks_and_repeats_its_own_verification_alone(api: Api) -> None:
    own, other = api.start(method="flash_call"), api.start("+79000000012", method="flash_call")
    token = own["client_token"]
    assert api.status(own.id, credential=token).status == 200
    assert api.check(own.id, api.wrong_code(PHONE), credential=token)["valid"] is False
    assert api.repeat(own.id, credential=token)["code"] == "repeat_too_soon"
    assert api.cancel(own.id, credential=token).status == 403
    assert api.start("+79000000013", credential=token).status == 403
    for event in OURS[1:]:
        assert api.send(event, id=other.id, credential=token).status == 403


@pytest.mark.parametrize("event", OURS[1:])
def test_the_functions_compare_the_tokens_id_and_end_again(api: Api, event: str) -> None:
    started, other = api.start(), api.start("+79000000012")

    def send(id_: str, expires_at: int) -> Answer:
        request = load_event(event)
        request["path"] = request["path"].replace(request["pathParameters"]["id"], id_)
        request["pathParameters"]["id"] = id_
        request["requestContext"]["authorizer"] |= {
            "kind": "client_token",
            "key_id": "",
            "scopes": "",
            "verification_id": started.id,
            "expires_at": str(expires_at),
        }
        return answer_of(HANDLERS[request["httpMethod"], request["resource"]](request, None))

    assert send(other.id, api.now + 1).status == 403
    assert send(started.id, api.now + 1).status == {"cancel": 403, "status": 200, "switch": 422}.get(event, 409)
    assert send(started.id, api.now).status == (403 if event == "cancel" else 401)


def test_a_client_token_reads_until_30_minutes_after_the_start(api: Api) -> None:
    started = api.start()
    api.advance(1799)
    assert api.status(started.id, credential=started["client_token"])["status"] == "expired"
    api.advance(1)
    assert api.status(started.id, credential=started["client_token"]).status == 401
    assert api.status(started.id).status == 200


def test_a_client_token_checks_and_repeats_until_the_record_ends(api: Api) -> None:
    started = api.start(method="flash_call")
    token = started["client_token"]
    api.check(started.id, api.code(PHONE))
    assert api.check(started.id, "1111", credential=token)["code"] == "verification_not_pending"
    assert api.repeat(started.id, credential=token)["code"] == "verification_not_pending"


def test_a_tampered_client_token_is_401(api: Api) -> None:
    started, other = api.start(), api.start("+79000000012")
    token: str = started["client_token"]
    cvt, id_, end, signature = token.split(".")
    for tampered in (
        f"{cvt}.{other.id}.{end}.{signature}",
        f"{cvt}.{id_}.{int(end) + 1}.{signature}",
        f"{cvt}.{id_}.0{end}.{signature}",
        f"{cvt}.{id_}.{end}.{signature[:-1]}",
        f"{cvt}.{id_}.{end}.",
        f"{cvt}.{id_}..{signature}",
        f"{cvt}.{id_}.{end}.{signature}.x",
        f"{cvt}.{id_}.{end}.{other['client_token'].split('.')[3]}",
    ):
        assert api.status(started.id, credential=tampered).status == 401, tampered


# The secret of keys


def test_an_unknown_key_makes_us_read_the_secret_again_but_not_at_every_guess(api: Api) -> None:
    new, newer = "cv_live_" + "1" * 43, "cv_live_" + "2" * 43
    api.status("vrf_x")
    put_api_keys([api_key(LIVE_KEY), api_key(new)])
    assert api.status("vrf_x", credential=new).status == 404
    put_api_keys([api_key(LIVE_KEY), api_key(new), api_key(newer)])
    assert api.status("vrf_x", credential=newer).status == 401
    api.advance(10)
    assert api.status("vrf_x", credential=newer).status == 404
    assert api.status("vrf_x", credential=new).status == 404


@pytest.mark.parametrize("secret", ["not JSON", "{}", "null", "7", "[" * 50_000, "[1"], ids=lambda text: text[:9])
def test_what_is_no_list_of_keys_opens_nothing_and_the_log_names_it(api: Api, secret: str) -> None:
    """Its keys may be right, so that nobody is told that theirs is not."""
    put_api_keys(secret)
    answer = api.status("vrf_x")
    assert (answer.status, answer["code"]) == (503, "busy")
    assert '"setting":"api-keys"' in api.logged()


def test_a_mark_in_front_of_the_list_of_keys_is_passed_over(api: Api) -> None:
    put_api_keys("\ufeff" + json.dumps([api_key(LIVE_KEY)]))
    assert api.status("vrf_x").status == 404


@pytest.mark.parametrize(
    "broken",
    [
        1,
        None,
        [],
        {},
        api_key(TEST_KEY, sha256="abc"),
        api_key(TEST_KEY, sha256=None),
        api_key(TEST_KEY, sha256=" ".join(["00"] * 32)),
        api_key(TEST_KEY, mode="prod"),
        api_key(TEST_KEY, mode=None),
        api_key(TEST_KEY, mode=["test"]),
        api_key(TEST_KEY, scopes="verifications:read"),
        api_key(TEST_KEY, scopes={"verifications:read": True}),
        api_key(TEST_KEY, scopes=None),
        {"sha256": "0" * 64},
    ],
    ids=str,
)
@pytest.mark.parametrize("first", [True, False])
def test_an_entry_with_a_mistake_opens_nothing_itself_and_the_others_go_on(
    api: Api, broken: object, first: bool
) -> None:
    put_api_keys([broken, api_key(LIVE_KEY)] if first else [api_key(LIVE_KEY), broken])
    assert api.status("vrf_x").status == 404
    assert api.status("vrf_x", credential=TEST_KEY).status == 401
    assert f'"setting":"api-keys[{0 if first else 1}]"' in api.logged()
    assert api.metrics()["ConfigurationFaults"] == 1


@pytest.mark.parametrize("more", [[], ["verifications:read"]])
def test_a_scope_that_this_version_does_not_know_opens_nothing(api: Api, more: list[str]) -> None:
    """After a roll-back the list may name scopes of the later version."""
    put_api_keys([api_key(LIVE_KEY, scopes=["verifications:erase", 7, *more]), api_key(READ_KEY)])
    assert api.status("vrf_x").status == (404 if more else 403)
    assert api.status("vrf_x", credential=READ_KEY).status == 404
    assert api.metrics()["ConfigurationFaults"] == 0


@pytest.mark.parametrize("secret", ["", "[]"])
def test_a_stack_without_keys_opens_nothing(api: Api, secret: str) -> None:
    put_api_keys(secret or "[]")
    assert api.status("vrf_x").status == 401


def test_several_keys_are_in_force_at_once(api: Api) -> None:
    second = "cv_live_" + "2" * 43
    put_api_keys([api_key(LIVE_KEY), api_key(second)])
    assert {api.status("vrf_x", credential=key).status for key in (LIVE_KEY, second)} == {404}
