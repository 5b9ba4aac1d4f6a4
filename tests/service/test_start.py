"""Starting: the reply, the choice of a provider, and what becomes of a vendor's trouble."""

from __future__ import annotations

import re
from typing import Any

import pytest

from callverify.providers.registry import manifest
from tests.support.gateway import CUSTOM_DOMAIN, PHONE, Api, load_event, webhook_event
from tests.support.simulators import CREDENTIALS
from tests.support.surroundings import LIVE_KEY, OTHER_LIVE_KEY, items

FLASH = {"method": "flash_call"}
EVERY_METHOD = ["reverse_call", "flash_call"]


@pytest.mark.parametrize(
    ("event", "method", "provider", "window", "challenge", "checks_remaining", "repeats_remaining", "repeat_after"),
    [
        ("start_telefon_ip", "reverse_call", "telefon_ip", "08:02:00", "call_number", None, 0, None),
        ("start_smsc", "reverse_call", "smsc", "08:05:00", "call_number", None, 0, None),
        ("start_ucaller", "flash_call", "ucaller", "08:05:00", "enter_digits", 5, 2, "2027-01-15T08:01:01Z"),
    ],
)
def test_a_start_answers_201_with_the_resource_and_a_client_token(
    api: Api,
    event: str,
    method: str,
    provider: str,
    window: str,
    challenge: str,
    checks_remaining: int | None,
    repeats_remaining: int,
    repeat_after: str | None,
) -> None:
    answer = api.send(event)

    assert (answer.status, answer.headers["Content-Type"]) == (201, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    body = dict(answer.body)
    assert re.fullmatch(r"vrf_[0-9a-hjkmnp-tv-z]{26}", body.pop("id"))
    assert body.pop("client_token").startswith(f"cvt.{answer.id}.")
    assert body.pop("page_url").startswith("https://")
    assert body.pop("updates")["channel"].startswith("/verifications/")
    shown = body.pop("challenge")
    assert shown["type"] == challenge
    if challenge == "call_number":
        assert re.fullmatch(r"\+79000[0-9]{6}", shown["number"])
        assert shown == {"type": challenge, "number": shown["number"], "tel_uri": f"tel:{shown['number']}"}
    else:
        assert shown == {"type": challenge, "length": 4}
    created = "2027-01-15T08:00:00Z"
    attempt = {"method": method, "provider": provider, "outcome": "started", "reason": None, "at": created}
    with_more = event == "start_telefon_ip"
    assert body == {
        "mode": "live",
        "revision": 2,
        "status": "pending",
        "reason": None,
        "evidence": None,
        "method": method,
        "provider": provider,
        "phone": {"start_telefon_ip": "+7******0011", "start_smsc": "+7******0012", "start_ucaller": "+7******0001"}[
            event
        ],
        "checks_remaining": checks_remaining,
        "repeats_remaining": repeats_remaining,
        "repeat_after": repeat_after,
        "switches_remaining": 2,
        "switch_until": "2027-01-15T08:10:00Z",
        "poll_after": f"2027-01-15T08:00:0{3 if challenge == 'call_number' else 6}Z",
        "allowed_methods": EVERY_METHOD[::-1] if event == "start_ucaller" else EVERY_METHOD,
        "attempts": [attempt],
        "reference": "order-1001" if with_more else None,
        "metadata": {"cart": "7"} if with_more else {},
        "created_at": created,
        "expires_at": f"2027-01-15T{window}Z",
        "verified_at": None,
    }
    assert api.paid_calls() == 1


def test_only_the_start_tells_the_client_token(api: Api) -> None:
    started = api.start()
    assert api.status(started.id).body == {
        k: v for k, v in started.body.items() if k not in ("client_token", "page_url", "updates")
    }


@pytest.mark.parametrize(
    ("request_fields", "provider"),
    [
        ({}, "telefon_ip"),
        ({"method": "reverse_call"}, "telefon_ip"),
        ({"method": "flash_call"}, "ucaller"),
        ({"provider": "smsc"}, "smsc"),
        ({"provider": "ucaller", "method": "flash_call"}, "ucaller"),
        ({"allowed_methods": ["flash_call"]}, "ucaller"),
    ],
)
def test_the_first_provider_in_order_that_the_request_allows_is_asked(
    api: Api, request_fields: dict[str, Any], provider: str
) -> None:
    assert api.start(**request_fields)["provider"] == provider


@pytest.mark.parametrize("api", [{"ProviderOrder": "ucaller,sms_ru,smsc"}], indirect=True)
def test_the_operator_chooses_the_order(api: Api) -> None:
    """Among routes of one price: free ones come first."""
    assert api.start()["provider"] == "sms_ru"
    assert api.start("+79000000012", method="flash_call")["provider"] == "ucaller"


@pytest.mark.parametrize("api", [{"ProviderOrder": "ucaller:flash_call,smsc"}], indirect=True)
def test_the_operator_chooses_the_order_of_methods_too(api: Api) -> None:
    assert api.start()["provider"] == "ucaller"


def test_a_national_number_is_of_the_default_country(api: Api) -> None:
    assert api.start("8 (900) 000-00-11")["phone"] == "+7******0011"


def test_the_webhook_is_built_on_the_domain_and_stage_of_the_start(api: Api) -> None:
    started = api.start()
    api.dial(started, PHONE)
    (sent,) = api.simulators.sent
    own = load_event("start_telefon_ip")["requestContext"]["domainName"]
    domain = CUSTOM_DOMAIN if api.at_custom_domain else own
    assert started["page_url"].startswith(f"https://{domain}/v1/page#")
    assert sent.url.startswith(f"https://{domain}/v1/webhooks/telefon_ip/{started.id}/")


@pytest.mark.parametrize("api", [{"PublicBaseUrl": "https://verify.example/api/"}], indirect=True)
def test_the_webhook_is_built_on_the_operators_base_url(api: Api) -> None:
    api.simulators.on_webhook = lambda _: (200, "OK")
    started = api.start()
    api.dial(started, PHONE)
    assert api.simulators.sent[0].url.startswith(f"https://verify.example/api/webhooks/telefon_ip/{started.id}/")


def test_the_type_of_a_problem_is_its_place_in_the_docs_at_the_address_that_was_asked(api: Api) -> None:
    domain = CUSTOM_DOMAIN if api.at_custom_domain else load_event("start_telefon_ip")["requestContext"]["domainName"]
    assert api.start(fone="1")["type"] == f"https://{domain}/v1/docs#error-invalid_request"
    assert api.status("vrf_" + "a" * 26)["type"] == f"https://{domain}/v1/docs#error-not_found"


@pytest.mark.parametrize("api", [{"PublicBaseUrl": "https://verify.example/api/"}], indirect=True)
def test_the_type_of_a_problem_is_its_place_in_the_docs_at_the_operators_base_url(api: Api) -> None:
    assert api.start(fone="1")["type"] == "https://verify.example/api/docs#error-invalid_request"
    report = api.pass_gateway(webhook_event(f"/webhooks/smsc/{'x' * 20}", "GET"))
    assert report["type"] == "https://verify.example/api/docs#error-not_found"


# A verification in progress


def test_a_second_start_for_a_phone_is_told_nothing_of_the_first(api: Api) -> None:
    first = api.start(reference="order-1")
    second = api.start(reference="order-2")

    assert (second.status, second["code"]) == (409, "verification_in_progress")
    assert "verification_id" not in second.body
    assert first["challenge"]["number"] not in str(second.body)
    assert api.paid_calls() == 1


@pytest.mark.parametrize(
    ("first", "second", "credential", "told"),
    [
        ({"reference": "a"}, {"reference": "a"}, LIVE_KEY, True),
        ({"reference": "a"}, {"reference": "b"}, LIVE_KEY, False),
        ({"reference": "a"}, {"reference": "a"}, OTHER_LIVE_KEY, False),
        ({}, {}, LIVE_KEY, False),
        ({"reference": "a"}, {}, LIVE_KEY, False),
    ],
)
def test_the_id_in_progress_is_for_the_same_key_and_reference_alone(
    api: Api, first: dict[str, str], second: dict[str, str], credential: str, told: bool
) -> None:
    started = api.start(**first)
    refused = api.start(credential=credential, **second)
    assert refused.status == 409
    assert refused.body.get("verification_id") == (started.id if told else None)


def test_an_ended_verification_blocks_a_new_start_no_longer_than_the_cooldown(api: Api) -> None:
    first = api.start()
    api.cancel(first.id)
    assert api.start()["limit"] == "phone_cooldown"
    api.advance(20)
    assert api.start().status == 201


def test_an_expired_verification_does_not_block(api: Api) -> None:
    api.start()
    api.advance(119)
    assert api.start()["code"] == "verification_in_progress"
    api.advance(1)
    assert api.start().status == 201


def test_smsc_is_skipped_while_an_earlier_request_of_the_phone_may_still_be_answered(api: Api) -> None:
    first = api.start(provider="smsc")
    api.cancel(first.id)
    api.advance(30)

    skipped = api.start(provider="smsc")
    assert (skipped.status, skipped["code"], skipped["retry_after"]) == (503, "no_provider_available", 870)
    api.advance(870)
    assert api.start(provider="smsc").status == 201


def test_smsc_is_open_again_two_minutes_after_its_request_verified(api: Api) -> None:
    started = api.start(provider="smsc")
    api.advance(30)
    api.dial(started, PHONE)
    assert api.status(started.id)["status"] == "verified"
    api.advance(120)
    assert api.start(provider="smsc").status == 201


# Which providers there are


@pytest.mark.parametrize("credentials", [{}, [], "", None], ids=str)
def test_no_provider_is_503_and_creates_nothing(api: Api, credentials: object) -> None:
    api.set_credentials(credentials)
    answer = api.start()
    assert (answer.status, answer["code"]) == (503, "no_provider_available")
    assert items() == []


@pytest.mark.parametrize("only", ["telefon_ip", "smsc", "ucaller"])
def test_one_provider_is_enough(api: Api, only: str) -> None:
    api.set_credentials({only: CREDENTIALS[only]})
    assert api.start()["provider"] == only


@pytest.mark.parametrize("secret", [None, "", "15 characters.."])
def test_smsc_alone_is_left_out_without_a_callback_secret_and_the_log_names_the_setting(
    api: Api, secret: str | None
) -> None:
    api.configure("smsc", callback_secret=secret)

    assert api.start(provider="smsc")["code"] == "no_provider_available"
    assert '"setting":"provider-credentials: smsc.callback_secret"' in api.logged()
    assert '"level":"ERROR"' in api.logged()
    assert api.start(provider="telefon_ip").status == 201
    assert api.start("+79000000012", provider="ucaller").status == 201


# Vendors' trouble. `fault` is what the first provider asked meets


@pytest.mark.parametrize(
    ("provider", "fault", "status", "code", "outcome", "reason"),
    [
        (provider, fault, status, code, outcome, reason)
        for provider in ("telefon_ip", "smsc", "ucaller")
        for fault, status, code, outcome, reason in [
            ("timeout", 503, "provider_unavailable", "unknown", "unreadable_answer"),
            ("http_500", 503, "provider_unavailable", "unknown", "http_error"),
            ("malformed_json", 503, "provider_unavailable", "unknown", "unreadable_answer"),
            ("no_money", 503, "provider_unavailable", "unavailable", "no_money"),
            ("bad_credentials", 503, "provider_unavailable", "unavailable", "bad_credentials"),
            ("number_refused", 422, "provider_rejected", "rejected", "number_refused"),
        ]
    ],
)
def test_a_start_that_its_only_provider_fails_ends_as_failed(
    api: Api, provider: str, fault: str, status: int, code: str, outcome: str, reason: str
) -> None:
    api.set_credentials({provider: CREDENTIALS[provider]})
    api.simulators.fault(provider, fault, times=0)
    answer = api.start(method=manifest(provider).routes[0].method)

    if provider == "ucaller" and outcome == "unknown":
        # The phone may be ringing: the verification stays open for the code.
        assert (answer.status, answer["status"], answer["attempts"][0]["outcome"]) == (201, "pending", "unknown")
        assert api.requests() == ["initCall", "initCall"]
        assert answer["repeats_remaining"] == 0
        return
    assert (answer.status, answer["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    failed = api.status(answer["verification_id"])
    assert (failed["status"], failed["reason"]) == ("failed", code)
    assert [(a["outcome"], a["reason"]) for a in failed["attempts"]] == [(outcome, reason)]
    assert len(api.requests()) == 1
    if reason in ("no_money", "bad_credentials"):
        assert f'"setting":"provider-credentials: {provider}"' in api.logged()


def test_ucaller_is_sent_the_same_call_again_after_an_unknown_outcome(api: Api) -> None:
    api.simulators.fault("ucaller", "timeout")
    started = api.start(**FLASH)

    assert (started.status, started["attempts"][0]["outcome"]) == (201, "started")
    first, second = api.simulators.get("/requests?provider=ucaller")["requests"]
    assert first["unique"] == second["unique"]
    assert api.paid_calls() == 1
    assert api.check(started.id, api.code(PHONE))["valid"] is True


def test_after_an_unknown_outcome_at_ucaller_the_right_code_still_verifies(api: Api) -> None:
    api.simulators.fault("ucaller", "timeout", times=2)
    started = api.start(**FLASH)

    assert (started["status"], started["attempts"][0]["outcome"]) == ("pending", "unknown")
    assert api.paid_calls() == 1
    assert api.check(started.id, api.code(PHONE))["status"] == "verified"


@pytest.mark.parametrize("second", ["no_money", "bad_credentials", "number_refused"])
def test_a_refusal_of_the_second_sending_says_nothing_of_the_first(api: Api, second: str) -> None:
    api.simulators.fault("ucaller", "timeout")
    api.simulators.fault("ucaller", second)
    started = api.start(**FLASH)

    assert (started["status"], started["attempts"][0]["outcome"]) == ("pending", "unknown")
    assert api.requests() == ["initCall", "initCall"]
    assert api.check(started.id, api.code(PHONE))["status"] == "verified"


@pytest.mark.parametrize("api", [{"ProviderOrder": "telefon_ip,smsc,ucaller"}], indirect=True)
@pytest.mark.parametrize("fault", ["timeout", "malformed_json", "http_500"])
def test_after_an_unknown_outcome_of_a_reverse_call_the_next_reverse_provider_is_asked(api: Api, fault: str) -> None:
    api.simulators.fault("telefon_ip", fault)
    started = api.start()

    assert (started.status, started["provider"], started["expires_at"]) == (201, "smsc", "2027-01-15T08:05:00Z")
    assert [(a["provider"], a["outcome"]) for a in started["attempts"]] == [
        ("telefon_ip", "unknown"),
        ("smsc", "started"),
    ]
    assert api.requests() == ["reverse_auth_phone_post", "wait_call"]


@pytest.mark.parametrize("api", [{"ProviderOrder": "telefon_ip,smsc,ucaller"}], indirect=True)
def test_after_unknown_outcomes_of_all_reverse_providers_a_flash_call_is_made(api: Api) -> None:
    """They cost nothing: this is the first call that may be paid for."""
    api.simulators.fault("telefon_ip", "timeout")
    api.simulators.fault("smsc", "timeout")
    started = api.start()

    assert (started.status, started["provider"], started["method"]) == (201, "ucaller", "flash_call")
    assert [(a["provider"], a["outcome"]) for a in started["attempts"]] == [
        ("telefon_ip", "unknown"),
        ("smsc", "unknown"),
        ("ucaller", "started"),
    ]


@pytest.mark.parametrize("api", [{"ProviderOrder": "telefon_ip:flash_call,ucaller:flash_call,smsc"}], indirect=True)
def test_after_an_unknown_outcome_of_a_paid_route_only_free_ones_are_asked(api: Api) -> None:
    api.simulators.fault("telefon_ip", "timeout")
    started = api.start()

    assert (started.status, started["provider"], started["method"]) == (201, "smsc", "reverse_call")
    assert [(a["provider"], a["outcome"]) for a in started["attempts"]] == [
        ("telefon_ip", "unknown"),
        ("smsc", "started"),
    ]
    assert {"provider": "ucaller", "method": "flash_call", "reason": "may_have_been_paid"} in started["skipped"]
    assert api.requests("ucaller") == []


@pytest.mark.parametrize("api", [{"ProviderOrder": "telefon_ip,smsc,ucaller"}], indirect=True)
@pytest.mark.parametrize("fault", ["no_money", "bad_credentials", "number_refused"])
def test_a_start_fails_over_to_the_next_provider_and_its_attempts_tell_why(api: Api, fault: str) -> None:
    api.simulators.fault("telefon_ip", fault)
    api.simulators.fault("smsc", fault)
    started = api.start()

    assert (started.status, started["provider"], started["method"]) == (201, "ucaller", "flash_call")
    outcome = "rejected" if fault == "number_refused" else "unavailable"
    assert [(a["provider"], a["method"], a["outcome"], a["reason"]) for a in started["attempts"]] == [
        ("telefon_ip", "reverse_call", outcome, fault),
        ("smsc", "reverse_call", outcome, fault),
        ("ucaller", "flash_call", "started", None),
    ]
    assert api.paid_calls() == 1
    assert api.check(started.id, api.code(PHONE))["valid"] is True


def test_a_vendor_that_cannot_be_reached_was_not_asked(api: Api) -> None:
    api.configure("telefon_ip", base_url="http://127.0.0.1:1")
    started = api.start()
    assert [(a["outcome"], a["reason"]) for a in started["attempts"]] == [
        ("unavailable", "unreachable"),
        ("started", None),
    ]


@pytest.mark.parametrize("url", ["http://vendor.example", "ftp://127.0.0.1", "", "vendor.example"])
def test_a_provider_with_an_unusable_base_url_is_left_out(api: Api, url: str) -> None:
    api.configure("smsc", base_url=url)
    assert api.start(provider="smsc")["code"] == "no_provider_available"
    assert '"setting":"provider-credentials: smsc.base_url"' in api.logged()


def test_starts_that_name_no_address_are_counted_by_a_metric(api: Api) -> None:
    api.start()
    api.start("+79000000012", end_user_ip="198.51.100.7")
    assert api.metrics()["StartsWithoutEndUserIp"] == 1
    assert api.metrics()["Started"] == 2
