"""What a key used in a day: counted once, whatever the stream brings again."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import Any

import pytest

from callverify.domain.usage import Amounts, Place
from callverify.domain.verification import Verification
from callverify.domain.words import Mode
from callverify.providers.sms_ru.client import _cost
from callverify.runtime import wiring
from callverify.store.items import verification_of
from tests.support.gateway import PHONE, Api
from tests.support.handlers import Answer
from tests.support.surroundings import (
    INDEX_TABLE,
    LIVE_KEY,
    OTHER_LIVE_KEY,
    READ,
    TEST_KEY,
    api_key,
    aws_client,
    items,
    put_api_keys,
)


def ended() -> list[Verification]:
    return [record for item in items() if (record := verification_of(item)) and record.status != "pending"]


def count(records: Sequence[Verification]) -> None:
    wiring._count_usage(records)


def usage(api: Api, credential: str = LIVE_KEY, day: str | None = None) -> Answer:
    from functions.check_status import app as check_status
    from tests.support.gateway import load_event

    del check_status
    event = load_event("usage") | {"queryStringParameters": {"day": day} if day else None}
    event["headers"]["Authorization"] = f"Bearer {credential}"
    return api.pass_gateway(event)


def used(answer: Answer) -> dict[str, tuple[Any, ...]]:
    assert answer.status == 200, answer.body
    return {
        f"{row['provider']} {row['method']}": (row["starts"], row["verified"], row["paid_calls"], row["cost"])
        for row in answer["usage"]
    }


def journeys(api: Api) -> None:
    verified = api.start(PHONE, provider="sms_ru", method="flash_call")
    api.check(verified.id, api.code(PHONE))
    canceled = api.start("+79000000012", provider="sms_ru", method="flash_call")
    api.cancel(canceled.id)
    reported = api.start("+79000000013", provider="telefon_ip", credential=OTHER_LIVE_KEY)
    api.dial(reported, "+79000000013")
    api.start("+79000000014", provider="telefon_ip")  # pending: not yet


def test_each_verification_is_counted_once_however_often_its_end_comes(api: Api) -> None:
    journeys(api)
    records = ended()
    assert len(records) == 3
    count(records[:2])
    for _ in range(5):
        count(random.sample(records, 2))
    count(records)
    assert used(usage(api)) == {"sms_ru flash_call": (2, 1, 2, {"RUB": "0.8"})}
    assert used(usage(api, OTHER_LIVE_KEY)) == {"telefon_ip reverse_call": (1, 1, 0, {})}


def test_a_test_key_pays_for_nothing(api: Api) -> None:
    api.start("+79000000101", provider="sms_ru", method="flash_call", credential=TEST_KEY)
    api.advance(300)
    started = api.start("+79000000101", provider="new_tel", method="flash_call", credential=TEST_KEY)
    api.check(started.id, "0000", credential=TEST_KEY)
    count(ended())
    assert used(usage(api, TEST_KEY)) == {"new_tel flash_call": (1, 1, 0, {})}


def test_a_key_that_sees_all_keys_is_told_of_all(api: Api) -> None:
    journeys(api)
    count(ended())
    put_api_keys([api_key(LIVE_KEY, scopes=[READ], all_keys=True)])
    api.advance(300)
    assert used(usage(api)).keys() == {"sms_ru flash_call", "telefon_ip reverse_call"}


def test_a_day_is_by_utc_and_by_name(api: Api) -> None:
    journeys(api)
    count(ended())
    today = usage(api)
    assert usage(api, day=today["day"]).body == today.body
    assert (today["mode"], usage(api, day="2020-02-29")["usage"]) == ("live", [])
    for day in ("today", "2026-13-01", "20261127", "2026-1-1"):
        assert usage(api, day=day)["code"] == "invalid_request"


def test_counters_hold_nothing_of_a_person(api: Api) -> None:
    journeys(api)
    count(ended())
    stored = repr(aws_client("dynamodb").scan(TableName=INDEX_TABLE)["Items"])
    for record in ended():
        assert record.phone_hash not in stored
        assert record.phone_mask not in stored


def test_money_is_told_exactly_and_in_digits(api: Api) -> None:
    day = usage(api)["day"]
    place = Place(Mode.LIVE, day, hashlib.sha256(LIVE_KEY.encode()).hexdigest()[:16], "sms_ru", "flash_call")
    money = Amounts(starts=1, cost_RUB=12_345_678_123_456, cost_USD=10, cost_EUR=10_000_000, cost_KZT=0)
    wiring.usage().count({"vrf_x": [(place, money)]}, 1_800_000_000)
    ((*_, cost),) = used(usage(api)).values()
    assert cost == {"EUR": "10", "KZT": "0", "RUB": "12345678.123456", "USD": "0.00001"}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (0.4, "0.4 RUB"),
        (10, "10 RUB"),
        (0, "0 RUB"),
        (0.00001, "0.00001 RUB"),
        (1e-9, "0 RUB"),
        (123456.789, "123456.789 RUB"),
    ],
)
def test_what_a_vendor_says_that_a_call_costs_is_told_in_digits(said: float, told: str) -> None:
    assert _cost(said) == told


def test_a_fallback_and_a_repeat(api: Api) -> None:
    started = api.start(PHONE, provider="ucaller", method="flash_call")
    api.advance(61)
    api.repeat(started.id)
    api.cancel(started.id)
    count(ended())
    assert used(usage(api)) == {"ucaller flash_call": (1, 0, 2, {})}
