"""Limits: each trips by its own name, says for how long, and costs no vendor request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from callverify.store.counters import FAILURES_IN_A_ROW
from tests.support.gateway import PHONE, Api
from tests.support.handlers import Answer
from tests.support.surroundings import LIVE_KEY, OTHER_LIVE_KEY, THREE_ROUTES, items

PARAMETERS = THREE_ROUTES

FLASH = {"method": "flash_call"}
DAY = 24 * 3600


def phones(first: int = 100) -> Iterator[str]:
    for number in range(first, 10_000):
        if not 100 < number < 106:
            yield f"+7900000{number:04d}"


def assert_limited(answer: Answer, limit: str, retry_after: int) -> None:
    assert (answer.status, answer["code"], answer["limit"]) == (429, "rate_limited", limit)
    assert (answer["retry_after"], answer.headers["Retry-After"]) == (retry_after, str(retry_after))
    assert answer.headers["Content-Type"] == "application/problem+json"


def start_and_cancel(api: Api, phone: str = PHONE, **fields: Any) -> Answer:
    started = api.start(phone, **fields)
    if started.status == 201:
        api.cancel(started.id, credential=fields.get("credential", LIVE_KEY))
    return started


def test_phone_cooldown_lasts_20_seconds_from_the_vendors_reply(api: Api) -> None:
    start_and_cancel(api)
    api.advance(19)
    assert_limited(api.start(), "phone_cooldown", 1)
    api.advance(1)
    assert api.start().status == 201


def test_a_failed_start_cools_down_too(api: Api) -> None:
    api.simulators.fault("telefon_ip", "number_refused")
    api.start(provider="telefon_ip")
    assert_limited(api.start(), "phone_cooldown", 20)


@pytest.mark.parametrize("api", [{"PhoneCooldownSeconds": "0"}], indirect=True)
def test_the_cooldown_can_be_switched_off(api: Api) -> None:
    start_and_cancel(api)
    assert api.start().status == 201


@pytest.mark.parametrize("fields", [{}, FLASH])
def test_phone_10m_is_five_starts_in_any_ten_minutes(api: Api, fields: dict[str, str]) -> None:
    for _ in range(5):
        assert start_and_cancel(api, **fields).status == 201
        api.advance(60)
    assert_limited(api.start(**fields), "phone_10m", 300)
    api.advance(299)
    assert_limited(api.start(**fields), "phone_10m", 1)
    api.advance(1)
    assert start_and_cancel(api, **fields).status == 201
    api.advance(20)
    assert_limited(api.start(**fields), "phone_10m", 40)


@pytest.mark.parametrize("api", [{"IpTenMinuteLimit": "3"}], indirect=True)
@pytest.mark.parametrize(
    ("addresses", "other"),
    [
        (["198.51.100.7"] * 3, "198.51.100.8"),
        (["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::"], "2001:db8:0:1::1"),
        (["198.51.100.7", "::ffff:198.51.100.7", "198.51.100.7"], "::ffff:198.51.100.8"),
    ],
)
def test_ip_10m_counts_an_address_and_an_ipv6_by_its_64(api: Api, addresses: list[str], other: str) -> None:
    phone = phones()
    for address in addresses:
        assert api.start(next(phone), end_user_ip=address).status == 201
    assert_limited(api.start(next(phone), end_user_ip=addresses[0]), "ip_10m", 600)
    assert api.start(next(phone), end_user_ip=other).status == 201
    assert api.start(next(phone)).status == 201
    api.advance(600)
    assert api.start(next(phone), end_user_ip=addresses[0]).status == 201


@pytest.mark.parametrize("api", [{"IpBlockTenMinuteLimit": "3"}], indirect=True)
def test_ip_block_10m_counts_the_ipv6_networks_of_one_line(api: Api) -> None:
    phone = phones()
    for network in range(3):
        assert api.start(next(phone), end_user_ip=f"2001:db8:0:{network}::1").status == 201
    assert_limited(api.start(next(phone), end_user_ip="2001:db8:0:ff::1"), "ip_block_10m", 600)
    assert api.start(next(phone), end_user_ip="2001:db8:0:100::1").status == 201
    for last in range(4):  # IPv4 has no such blocks
        assert api.start(next(phone), end_user_ip=f"198.51.100.{last}").status == 201
        assert api.start(next(phone), end_user_ip=f"::ffff:203.0.113.{last}").status == 201
    api.advance(600)
    assert api.start(next(phone), end_user_ip="2001:db8:0:3::1").status == 201


@pytest.mark.parametrize("api", [{"IpBlockTenMinuteLimit": "2"}], indirect=True)
def test_a_switch_counts_for_the_line_that_started(api: Api) -> None:
    started = api.start(allowed_methods=["flash_call", "reverse_call"], end_user_ip="2001:db8::1")
    api.advance(20)
    assert api.switch(started.id, PHONE, "flash_call").status == 200
    assert_limited(api.start("+79000000012", end_user_ip="2001:db8:0:1::1"), "ip_block_10m", 580)


@pytest.mark.parametrize("api", [{"KeyFreeHourLimit": "2"}], indirect=True)
def test_key_free_hour_counts_reverse_calls_and_leads_to_no_paid_one(api: Api) -> None:
    phone = phones()
    assert api.start(next(phone), provider="telefon_ip").status == 201
    assert api.start(next(phone), provider="smsc").status == 201
    assert_limited(api.start(next(phone)), "key_free_hour", 3600 - api.now % 3600)
    assert api.requests("ucaller") == []
    assert api.start(next(phone), credential=OTHER_LIVE_KEY).status == 201
    assert api.start(next(phone), **FLASH).status == 201
    api.advance(3600)
    assert api.start(next(phone)).status == 201


@pytest.mark.parametrize("api", [{"KeyFreeHourLimit": "1"}], indirect=True)
def test_a_fail_over_that_meets_key_free_hour_leads_to_no_paid_call(api: Api) -> None:
    api.simulators.fault("telefon_ip", "no_money")
    assert api.start()["code"] == "provider_unavailable"
    assert api.requests("smsc") == api.requests("ucaller") == []


@pytest.mark.parametrize("api", [{"PhoneDayLimit": "2"}], indirect=True)
def test_phone_day_counts_flash_calls_alone(api: Api) -> None:
    for _ in range(2):
        assert start_and_cancel(api, **FLASH).status == 201
        api.advance(20)
    assert_limited(api.start(**FLASH), "phone_day", DAY - 40)
    assert start_and_cancel(api, method="reverse_call").status == 201
    api.advance(DAY - 40)
    assert api.start(**FLASH).status == 201


@pytest.mark.parametrize("api", [{"PrefixTenMinuteLimit": "2"}], indirect=True)
def test_prefix_10m_counts_flash_calls_to_a_block_of_ten_thousand(api: Api) -> None:
    assert api.start("+79000000011", **FLASH).status == 201
    assert api.start("+79000009999", **FLASH).status == 201
    assert_limited(api.start("+79000005555", **FLASH), "prefix_10m", 600)
    assert api.start("+79000005555", method="reverse_call").status == 201
    assert api.start("+79000010000", **FLASH).status == 201


@pytest.mark.parametrize("api", [{"KeyPaidDayLimit": "2"}], indirect=True)
def test_key_paid_day_counts_flash_calls_of_one_key(api: Api) -> None:
    phone = phones()
    for _ in range(2):
        assert api.start(next(phone), **FLASH).status == 201
    assert_limited(api.start(next(phone), **FLASH), "key_paid_day", DAY - api.now % DAY)
    assert api.start(next(phone), credential=OTHER_LIVE_KEY, **FLASH).status == 201
    assert api.start(next(phone), method="reverse_call").status == 201


@pytest.mark.parametrize("api", [{"StackPaidHourLimit": "2"}], indirect=True)
def test_stack_paid_hour_counts_flash_calls_of_everybody(api: Api) -> None:
    phone = phones()
    for credential in (LIVE_KEY, OTHER_LIVE_KEY):
        assert api.start(next(phone), credential=credential, **FLASH).status == 201
    refused = api.start(next(phone), **FLASH)
    assert_limited(refused, "stack_paid_hour", 3600 - api.now % 3600)
    assert api.start(next(phone), method="reverse_call").status == 201
    api.advance(refused["retry_after"])
    assert api.start(next(phone), **FLASH).status == 201


@pytest.mark.parametrize(
    "api", [{"StackPaidHourLimit": "1", "ProviderOrder": "ucaller:flash_call,telefon_ip"}], indirect=True
)
def test_a_limit_of_flash_calls_leaves_the_other_methods_to_a_start_that_names_none(api: Api) -> None:
    assert api.start("+79000000012")["provider"] == "ucaller"
    assert api.start("+79000000013")["provider"] == "telefon_ip"


@pytest.mark.parametrize("api", [{"StackPaidHourLimit": "1"}], indirect=True)
def test_fail_over_to_a_flash_call_meets_its_limits(api: Api) -> None:
    assert api.start("+79000000012", **FLASH).status == 201
    api.simulators.fault("telefon_ip", "no_money")
    api.simulators.fault("smsc", "no_money")
    answer = api.start("+79000000013")
    assert (answer.status, answer["code"]) == (503, "provider_unavailable")
    assert api.requests("ucaller") == ["initCall"]


# Calls that were certainly not made

PAID = ["KeyPaidDayLimit", "StackPaidHourLimit", "PrefixTenMinuteLimit"]


@pytest.mark.parametrize("api", [{limit: "2"} for limit in PAID], indirect=True, ids=PAID)
@pytest.mark.parametrize("fault", ["number_refused", "no_money", "bad_credentials"])
def test_a_call_that_was_certainly_not_made_is_given_back(api: Api, fault: str) -> None:
    phone = phones()
    assert api.start(next(phone), **FLASH).status == 201
    api.simulators.fault("ucaller", fault, times=2)
    for _ in range(2):
        assert api.start(next(phone), **FLASH).status in (422, 502, 503)
    assert api.start(next(phone), **FLASH).status == 201
    assert api.start(next(phone), **FLASH).status == 429


@pytest.mark.parametrize("api", [{limit: "1"} for limit in PAID], indirect=True, ids=PAID)
def test_a_call_that_may_have_been_made_is_not_given_back(api: Api) -> None:
    phone = phones()
    api.simulators.fault("ucaller", "malformed_json", times=2)
    assert api.start(next(phone), **FLASH).status == 201
    assert api.start(next(phone), **FLASH).status == 429


@pytest.mark.parametrize("api", [{limit: "2"} for limit in PAID], indirect=True, ids=PAID)
def test_no_more_is_given_back_than_the_limit_in_its_window(api: Api) -> None:
    """Else starts that are refused could go on for ever."""
    phone = phones()
    api.simulators.fault("ucaller", "number_refused", times=4)
    for _ in range(4):
        assert api.start(next(phone), **FLASH)["code"] == "provider_rejected"
    refused = api.start(next(phone), **FLASH)
    assert refused.status == 429
    api.advance(refused["retry_after"])
    assert api.start(next(phone), **FLASH).status == 201


@pytest.mark.parametrize(
    "api",
    [{limit: "1", "ProviderOrder": "ucaller:flash_call,smsc"} for limit in PAID],
    indirect=True,
    ids=PAID,
)
def test_a_refused_call_gives_back_when_the_start_goes_on_to_a_free_one(api: Api) -> None:
    api.simulators.fault("ucaller", "no_money")
    assert api.start("+79000000012")["provider"] == "smsc"
    assert api.start("+79000000013", **FLASH).status == 201
    assert api.start("+79000000014", **FLASH).status == 429


@pytest.mark.parametrize("api", [{limit: "2"} for limit in PAID[:2]], indirect=True, ids=PAID[:2])
def test_a_repeat_that_was_not_made_is_given_back_and_another_is_not(api: Api) -> None:
    started = api.start(**FLASH)
    api.simulators.fault("ucaller", "repeat_405")
    api.advance(61)
    assert api.repeat(started.id)["code"] == "repeat_not_supported"
    assert api.start("+79000000012", **FLASH).status == 201
    assert api.start("+79000000013", **FLASH).status == 429


def test_counts_of_phone_and_address_stay(api: Api) -> None:
    api.simulators.fault("ucaller", "number_refused", times=2)
    api.start(end_user_ip="2001:db8::1", **FLASH)
    counts = {item["pk"].split("#")[1]: len(item["starts"]) for item in items() if "starts" in item}
    assert counts == dict.fromkeys(("phone_10m", "phone_day", "ip_10m", "ip_block_10m", "ip_refused_10m"), 1)
    counters = {item["pk"].split("#")[1]: int(item["n"]) for item in items() if "n" in item}
    assert counters == {"key_paid_day": 0, "stack_paid_hour": 0, "key_refused_hour": 1}


def test_ip_refused_10m_is_five_starts_of_an_address_that_a_provider_refused(api: Api) -> None:
    phone = phones()
    api.simulators.fault("telefon_ip", "number_refused", times=5)
    for _ in range(5):
        answer = api.start(next(phone), provider="telefon_ip", end_user_ip="198.51.100.7")
        assert answer["code"] == "provider_rejected"
        api.advance(1)
    assert_limited(api.start(next(phone), end_user_ip="198.51.100.7"), "ip_refused_10m", 595)
    assert api.start(next(phone), end_user_ip="198.51.100.8").status == 201
    api.advance(595)
    assert api.start(next(phone), end_user_ip="198.51.100.7").status == 201


def test_a_start_that_another_provider_took_was_not_refused(api: Api) -> None:
    api.simulators.fault("telefon_ip", "number_refused")
    assert api.start(end_user_ip="198.51.100.7")["provider"] == "smsc"
    assert not [item for item in items() if "refused" in item["pk"]]


@pytest.mark.parametrize("api", [{"KeyRefusedHourLimit": "2"}], indirect=True)
def test_key_refused_hour_closes_flash_calls_alone(api: Api) -> None:
    phone = phones()
    api.simulators.fault("telefon_ip", "number_refused")
    api.start(next(phone), provider="telefon_ip")
    api.simulators.fault("ucaller", "number_refused")
    api.start(next(phone), **FLASH)
    assert_limited(api.start(next(phone), **FLASH), "key_refused_hour", 3600 - api.now % 3600)
    assert api.start(next(phone), credential=OTHER_LIVE_KEY, **FLASH).status == 201
    assert api.start(next(phone)).status == 201
    api.advance(3600)
    assert api.start(next(phone), **FLASH).status == 201


def test_a_refused_start_creates_nothing_counts_nothing_and_asks_no_vendor(api: Api) -> None:
    start_and_cancel(api, **FLASH)
    before = sorted(map(repr, items()))
    assert api.start(end_user_ip="198.51.100.7", headers={"Idempotency-Key": "k"}, **FLASH).status == 429
    assert sorted(map(repr, items())) == before
    assert api.requests() == ["initCall"]


def test_a_limit_that_trips_is_a_metric(api: Api) -> None:
    start_and_cancel(api)
    api.start()
    assert api.metrics()["LimitsReached"] == 1


def test_reads_are_never_counted(api: Api) -> None:
    started = api.start()
    for _ in range(40):
        assert api.status(started.id, credential=started["client_token"]).status == 200


@pytest.mark.parametrize("api", [{"IpTenMinuteLimit": "1", "BrowserTenMinuteLimit": "2"}], indirect=True)
def test_a_browsers_checks_and_repeats_count_by_the_address_in_the_request_context(api: Api) -> None:
    started = api.start(allowed_methods=["flash_call", "reverse_call"], end_user_ip="203.0.113.7", **FLASH)
    browser: dict[str, Any] = {"credential": started["client_token"], "source_ip": "203.0.113.7"}
    wrong = api.wrong_code(PHONE)
    assert api.check(started.id, wrong, **browser)["valid"] is False
    api.advance(20)
    assert api.switch(started.id, PHONE, "flash_call", **browser).status == 200
    refused = api.check(started.id, wrong, headers={"X-Forwarded-For": "198.51.100.1"}, **browser)
    assert_limited(refused, "browser_10m", 580)
    api.advance(20)
    assert_limited(api.switch(started.id, PHONE, "reverse_call", **browser), "browser_10m", 560)
    # It cost no guess, is not counted against the server, and another address is another.
    assert api.status(started.id)["checks_remaining"] == 4
    assert api.check(started.id, api.wrong_code(PHONE)).status == 200
    assert api.check(started.id, api.code(PHONE), **{**browser, "source_ip": "203.0.113.8"})["valid"] is True


def test_a_provider_that_keeps_failing_is_asked_last_for_a_while(api: Api) -> None:
    phone = phones()
    api.simulators.fault("telefon_ip", "no_money", times=FAILURES_IN_A_ROW)
    for _ in range(FAILURES_IN_A_ROW):
        assert api.start(next(phone))["provider"] == "smsc"
    rested = api.start(next(phone))
    assert (rested["provider"], len(rested["attempts"])) == ("smsc", 1)
    assert len(api.requests("telefon_ip")) == FAILURES_IN_A_ROW
    assert api.start(next(phone), provider="telefon_ip").status == 201
