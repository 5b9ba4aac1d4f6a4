"""The history of a verification: every kind of entry, who did it, and what a record keeps for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from callverify.domain.view import timestamp
from callverify.runtime import wiring
from callverify.service.webhooks import Request
from callverify.store.items import serialized
from tests.support.document import SCHEMAS
from tests.support.follow_ups import end
from tests.support.gateway import PHONE, Api
from tests.support.routes import ROUTES, At
from tests.support.service import BASE_URL, LIVE, Parts
from tests.support.surroundings import (
    LIVE_KEY,
    OTHER_LIVE_KEY,
    READ,
    READ_KEY,
    TEST_KEY,
    WRITE_KEY,
    api_key,
    put_api_keys,
)


@pytest.fixture(autouse=True)
def names(api: Api) -> None:
    del api
    write = "verifications:write"
    entries = [(LIVE_KEY, "shop", "live"), (OTHER_LIVE_KEY, "back office", "live"), (TEST_KEY, "tests", "test")]
    put_api_keys([api_key(key, name=name, scopes=[write, READ], mode=mode) for key, name, mode in entries])


def history(api: Api, id: str, credential: str = LIVE_KEY) -> list[dict[str, Any]]:  # noqa: A002
    answer = api.send("history", id=id, credential=credential)
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer["history"]
    return found


def told(entries: list[dict[str, Any]]) -> list[str]:
    return [f"{each['what']} by {each['by']}" for each in entries]


def test_a_flash_call_with_wrong_codes_a_repeat_and_the_right_code(api: Api) -> None:
    started = api.start(PHONE, provider="ucaller", method="flash_call")
    api.check(started.id, api.wrong_code(PHONE))
    api.advance(61)
    api.repeat(started.id, credential=started["client_token"])
    api.advance(4)
    api.check(started.id, api.wrong_code(PHONE), credential=started["client_token"])
    api.advance(5)
    api.check(started.id, api.code(PHONE), credential=started["client_token"])
    entries = history(api, started.id)
    assert told(entries) == [
        "created by shop",
        "provider_answered by provider",
        "code_checked by shop",
        "repeated by browser",
        "code_checked by browser",
        "code_checked by browser",
        "verified by browser",
    ]
    assert [each["valid"] for each in entries if "valid" in each] == [False, False, True]
    assert entries[1].keys() == {"at", "what", "by", "provider", "method", "outcome", "ms"}
    assert entries[-1]["evidence"] == "code_matched"


def test_a_reverse_call_that_is_reported(api: Api) -> None:
    started = api.start(PHONE, provider="telefon_ip")
    api.advance(12)
    api.dial(started, PHONE)
    entries = history(api, started.id)
    assert told(entries)[-3:] == ["report_received by provider", "provider_asked by clock", "verified by provider"]
    assert entries[-2]["count"] == 3  # as planned after 5 and 10 s, and by the report


def test_of_many_reports_the_first_is_told_and_no_question_forgotten(api: Api) -> None:
    started = api.start(PHONE, provider="telefon_ip")
    api.advance(2)
    api.dial(started, "+79000000099")
    first = history(api, started.id)[-2]
    assert (first["what"], first["at"]) == ("report_received", timestamp(int(api.now)))
    counts = []
    for _ in range(12):
        api.advance(9)
        assert api.send_webhook(api.simulators.sent[0]).status == 200
        *_, told_again, asked = history(api, started.id)
        assert told_again == first
        counts.append(asked["count"])
    # By the report after 2, 3, 5 and 10 s, as planned after 5 and 10 s, and by the next report after 11 s.
    assert counts[0] == 7
    assert counts == sorted(counts)


def test_a_report_before_the_starts_answer_is_asked_about_once(api: Api) -> None:
    api.simulators.fault("telefon_ip", "webhook_before_reply")
    started = api.start(PHONE, provider="telefon_ip")
    api.ask(started.id)
    *_, asked, verified = history(api, started.id)
    assert (asked["what"], asked["count"], verified["what"]) == ("provider_asked", 1, "verified")


def test_a_fallback_a_switch_and_a_cancel_by_another_key(api: Api) -> None:
    api.simulators.fault("telefon_ip", "http_500")
    started = api.start(PHONE, allowed_methods=["reverse_call", "flash_call"])
    api.advance(60)
    api.switch(started.id, PHONE, "flash_call", credential=OTHER_LIVE_KEY)
    api.advance(3)
    api.cancel(started.id, credential=OTHER_LIVE_KEY)
    entries = history(api, started.id)
    assert told(entries)[0] == "created by shop"
    assert told(entries)[-3:] == ["switched by back office", "provider_answered by provider", "canceled by back office"]
    answers = [each for each in entries if each["what"] == "provider_answered"]
    assert answers[0]["outcome"] != "started"
    assert answers[0]["reason"]
    assert {"reason": "canceled_by_client"}.items() <= entries[-1].items()


def test_a_window_that_ends(api: Api) -> None:
    started = api.start(PHONE, provider="telefon_ip")
    api.advance(600)
    entries = history(api, started.id)
    assert told(entries)[-2:] == ["provider_asked by clock", "expired by clock"]
    assert entries[-1]["at"] == started["expires_at"]
    assert end(wiring.service(), started.id) is None
    assert api.status(started.id).body["revision"] == 3
    assert history(api, started.id) == entries


def test_ends_by_a_refusal_and_by_wrong_codes(api: Api) -> None:
    api.simulators.fault("telefon_ip", "number_refused")
    refused = api.start(PHONE, provider="telefon_ip", method="reverse_call")["verification_id"]
    assert told(history(api, refused)) == ["created by shop", "provider_answered by provider", "failed by provider"]
    started = api.start("+79000000012", provider="ucaller", method="flash_call")
    for _ in range(5):
        api.check(started.id, api.wrong_code("+79000000012"), credential=started["client_token"])
    assert told(history(api, started.id))[-2:] == ["code_checked by browser", "failed by browser"]


def test_what_a_vendor_says_that_a_call_costs(api: Api) -> None:
    started = api.start(PHONE, provider="sms_ru", method="flash_call")
    (answer,) = [each for each in history(api, started.id) if each["what"] == "provider_answered"]
    assert answer["cost"] == "0.4 RUB"


def test_who_may_read_it(api: Api) -> None:
    started = api.start(PHONE, provider="telefon_ip")
    for credential, status in ((started["client_token"], 403), (TEST_KEY, 404), (OTHER_LIVE_KEY, 200)):
        assert api.send("history", id=started.id, credential=credential).status == status
    put_api_keys([api_key(READ_KEY, scopes=[READ]), api_key(WRITE_KEY, scopes=["verifications:write"])])
    for credential, status in ((READ_KEY, 200), (WRITE_KEY, 403)):
        assert api.send("history", id=started.id, credential=credential).status == status
    assert api.send("history", id="vrf_x", credential=READ_KEY).status == 404


def test_every_kind_of_entry_was_shown() -> None:
    asserted = Path(__file__).read_text()
    for what in SCHEMAS["HistoryEntry"]["properties"]["what"]["enum"]:
        assert f'"{what} by ' in asserted, what


def size(value: Any) -> int:
    """Of an attribute's value in bytes, as DynamoDB's pages on item sizes count them."""
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return int((len(content.strip("-0")) + 1) // 2 + 1 + content.startswith("-"))
        case "M":
            return 3 + sum(1 + len(name) + size(member) for name, member in content.items())
        case "L":
            return 3 + sum(1 + size(member) for member in content)
    return 1


@pytest.mark.parametrize("at", ROUTES, ids=str)
def test_a_record_without_fallback_takes_one_write_unit(at: At) -> None:
    """From its start to its end, with a report, or with as many codes as may be checked."""
    parts, sizes = Parts(), list[int]()
    parts.client.on_change = lambda _, after: (
        sizes.append(sum(len(name) + size(each) for name, each in after.items()))
        if after and after["pk"]["S"].startswith("verification#")
        else None
    )
    fields = {"provider": at.provider, "method": at.method, "reference": "r" * 36, "end_user_ip": "198.51.100.9"}
    caller = type(LIVE)(LIVE.kind, key_id="0" * 16, key_name="online shop 1", scopes=LIVE.scopes)
    body = json.dumps({"phone": PHONE, "metadata": {"cart": "1042"}, "locale": "ru", **fields})
    id = parts.service.start(caller, body, idempotency_key="k", base_url=BASE_URL).verification.id  # noqa: A001
    if at.route.code:
        for _ in range(5):
            parts.now += 7
            if parts.service.read(caller, id).status == "pending":
                parts.service.check(caller, id, json.dumps({"code": "9" * at.route.code.digits}))
    else:
        parts.now += 7
        for rest, parameters in parts.vendor(at.provider).dial(PHONE):
            parts.service.report(Request(at.provider, rest, lambda given=parameters: given))  # type: ignore[misc]
        assert parts.service.read(caller, id).status == "verified"
    assert len(sizes) > 2
    assert max(sizes) < 1024
    assert size({"M": serialized({"n": 1800000000, "t": "é"})}) == 3 + (2 + 2) + (2 + 2)
