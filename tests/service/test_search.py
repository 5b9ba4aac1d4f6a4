"""Search by reference and by phone: who finds what, page by page, and what it tells the operator."""

from __future__ import annotations

import json
from typing import Any

import pytest

from callverify.runtime import wiring
from callverify.store.items import serialized
from callverify.store.items import verification_of_image as record_of
from tests.support.gateway import PHONE, Api
from tests.support.handlers import Answer
from tests.support.surroundings import (
    LIVE_KEY,
    NO_SCOPE_KEY,
    OTHER_LIVE_KEY,
    READ,
    READ_KEY,
    SEARCH,
    SUPPORT_KEY,
    TEST_KEY,
    WRITE_KEY,
    api_key,
    items,
    put_api_keys,
)

OTHER_PHONE = "+79000000012"


def bring_the_stream(api: Api) -> None:
    """Enter in the index what was started so far, as `publish_event` does."""
    del api
    images = [serialized(item) for item in items() if item["pk"].startswith("verification#")]
    wiring.index().add(filter(None, map(record_of, images)))


def search(api: Api, *, credential: str = SUPPORT_KEY, **body: Any) -> Answer:
    return api.send("search", body=body, credential=credential)


def found(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [each["id"] for each in answer["verifications"]]


def support_sees_all() -> None:
    write = "verifications:write"
    keys: list[tuple[str, dict[str, Any]]] = [
        (LIVE_KEY, {"name": "shop", "scopes": [write, READ]}),
        (OTHER_LIVE_KEY, {"name": "other", "scopes": [write, READ]}),
        (TEST_KEY, {"name": "test", "scopes": [write, READ, SEARCH], "mode": "test", "all_keys": True}),
        (SUPPORT_KEY, {"name": "support", "scopes": [READ, SEARCH], "all_keys": True}),
        (READ_KEY, {"name": "nosy", "scopes": [READ], "all_keys": True}),
    ]
    put_api_keys([api_key(key, **entry) for key, entry in keys])


def test_a_verification_is_found_by_its_reference_and_its_phone(api: Api) -> None:
    support_sees_all()
    first = api.start(PHONE, provider="telefon_ip", reference="order-1").id
    api.cancel(first)
    api.advance(60)
    second = api.start(PHONE, provider="telefon_ip", reference="order-1").id
    other = api.start(OTHER_PHONE, provider="telefon_ip", reference="order-2").id
    bring_the_stream(api)
    assert found(search(api, reference="order-1")) == found(search(api, phone="8 (900) 000-00-11")) == [second, first]
    assert found(search(api, reference="order-2", credential=LIVE_KEY)) == [other]
    assert found(search(api, reference="order-3")) == []
    answer = search(api, phone=PHONE)
    assert [each["status"] for each in answer["verifications"]] == ["pending", "canceled"]
    assert answer["verifications"][0] == api.status(second, credential=LIVE_KEY).body
    assert "+79000000011" not in json.dumps(answer.body)


def test_of_one_second_too_the_newest_comes_first(api: Api) -> None:
    started = []
    for number in range(6):
        started.append(api.start(f"+7900000{2000 + number}", provider="telefon_ip", reference="order-1").id)
        api.advance(0.002)
    bring_the_stream(api)
    newest = started[::-1]
    first = search(api, reference="order-1", credential=LIVE_KEY, limit=4)
    assert found(first) == newest[:4]
    assert found(search(api, reference="order-1", credential=LIVE_KEY, after=first["next"])) == newest[4:]


def test_pages_follow_one_another(api: Api) -> None:
    support_sees_all()
    ids = list[str]()
    for number in range(5):
        ids.insert(0, api.start(f"+7900000002{number}", provider="telefon_ip", reference="r").id)
        api.advance(1)
    bring_the_stream(api)
    read, after, pages = list[str](), None, 0
    while pages == 0 or after:
        page = search(api, reference="r", limit=2, **({"after": after} if after else {}))
        read += found(page)
        after, pages = page["next"], pages + 1
    assert (read, pages) == (ids, 3)
    assert search(api, reference="r", limit=5)["next"] is None


def test_a_key_finds_what_it_has_started_itself(api: Api) -> None:
    mine = api.start(PHONE, provider="telefon_ip", reference="r").id
    others = api.start(OTHER_PHONE, provider="telefon_ip", reference="r", credential=OTHER_LIVE_KEY).id
    bring_the_stream(api)
    assert found(search(api, reference="r", credential=LIVE_KEY)) == [mine]
    assert found(search(api, reference="r", credential=OTHER_LIVE_KEY)) == [others]
    assert found(search(api, reference="r")) == found(search(api, phone=PHONE)) == []
    support_sees_all()
    api.advance(300)
    assert found(search(api, phone=PHONE)) == [mine]
    assert found(search(api, phone=OTHER_PHONE)) == [others]


def test_a_test_key_finds_verifications_of_its_mode_alone_and_meets_no_limit(api: Api) -> None:
    support_sees_all()
    test = api.start("+79000000101", credential=TEST_KEY, reference="r").id
    live = api.start(PHONE, provider="telefon_ip", reference="r").id
    bring_the_stream(api)
    assert found(search(api, reference="r", credential=TEST_KEY)) == [test]
    assert found(search(api, reference="r")) == [live]
    assert found(search(api, phone="+79000000101", credential=TEST_KEY)) == [test]
    assert search(api, phone=PHONE, credential=TEST_KEY)["code"] == "invalid_phone"
    assert search(api, phone="+79000000101")["code"] == "invalid_phone"
    assert not [item for item in items() if item["pk"].startswith("limit#key_search_day")]


@pytest.mark.parametrize("credential", [LIVE_KEY, READ_KEY, WRITE_KEY, NO_SCOPE_KEY])
def test_a_key_without_the_scope_learns_nothing_of_a_phone(api: Api, credential: str) -> None:
    """The answers are the same, whether the phone was ever verified or not. all_keys widens no scope."""
    support_sees_all() if credential == READ_KEY else None
    api.start(PHONE, provider="telefon_ip", reference="r")
    bring_the_stream(api)
    known, unknown = (search(api, phone=phone, credential=credential) for phone in (PHONE, OTHER_PHONE))
    assert known.status == unknown.status == 403
    assert known["code"] == "forbidden"
    for text in (PHONE, "not a phone", ""):
        assert search(api, phone=text, credential=credential).status == 403
    assert not [item for item in items() if item["pk"].startswith("limit#key_search_day")]
    assert "searched by phone" not in api.logged()


def test_a_client_token_searches_nothing(api: Api) -> None:
    started = api.start(PHONE, provider="telefon_ip", reference="r")
    for body in ({"phone": PHONE}, {"reference": "r"}):
        assert search(api, credential=started["client_token"], **body).status == 403


def test_a_key_that_searches_by_phone_alone_finds_no_reference(api: Api) -> None:
    put_api_keys([api_key(SUPPORT_KEY, scopes=[SEARCH])])
    assert search(api, reference="r").status == 403
    assert search(api, phone=PHONE).status == 200


@pytest.mark.parametrize("api", [{"KeySearchDayLimit": "3", "LogLevel": "ERROR"}], indirect=True)
def test_searches_by_phone_are_counted_and_noted_without_the_number(api: Api) -> None:
    support_sees_all()
    api.start(PHONE, provider="telefon_ip", reference="r")
    bring_the_stream(api)
    for phone in (PHONE, OTHER_PHONE, PHONE):
        assert search(api, phone=phone).status == 200
    refused = search(api, phone=PHONE)
    assert (refused.status, refused["code"], refused["limit"]) == (429, "rate_limited", "key_search_day")
    assert int(refused.headers["Retry-After"]) == 86400 - api.now % 86400
    assert search(api, reference="r").status == 200
    notes = [json.loads(line) for line in api.logged().splitlines() if "searched by phone" in line]
    assert [(note["key"], note["found"]) for note in notes] == [("support", 1), ("support", 0), ("support", 1)]
    assert all(note["timestamp"] for note in notes)
    api.assert_nothing_leaked()
    api.advance(86400)
    assert search(api, phone=PHONE).status == 200


def test_what_is_no_search_is_refused_and_costs_nothing(api: Api) -> None:
    for body, code in (
        ({}, "invalid_request"),
        ({"phone": PHONE, "reference": "r"}, "invalid_request"),
        ({"phone": 7}, "invalid_request"),
        ({"reference": "r", "limit": True}, "invalid_request"),
        ({"reference": "r", "after": 7}, "invalid_request"),
        ({"reference": "r", "metadata": {}}, "invalid_request"),
        ({"phone": "7"}, "invalid_phone"),
        ({"phone": "+74950000000"}, "invalid_phone"),
        ({"reference": "r", "after": "7"}, "cursor_unknown"),
        ({"reference": "r", "after": "é"}, "cursor_unknown"),
        ({"reference": "r", "after": "dnJmXzA="}, "cursor_unknown"),
    ):
        assert search(api, **body)["code"] == code, body
    assert not [item for item in items() if item["pk"].startswith("limit#key_search_day")]


@pytest.mark.parametrize("api", [{"AllowedCountries": "RU,KZ"}], indirect=True)
def test_a_number_is_found_whose_country_is_not_allowed_any_more(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    support_sees_all()
    id = api.start("+77010000011", provider="smsc", method="reverse_call").id  # noqa: A001
    bring_the_stream(api)
    monkeypatch.setenv("ALLOWED_COUNTRIES", "RU")
    assert found(search(api, phone="+77010000011")) == [id]


def test_what_is_kept_no_more_is_not_found(api: Api) -> None:
    support_sees_all()
    api.start(PHONE, provider="telefon_ip", reference="r")
    bring_the_stream(api)
    api.advance(30 * 60 + 24 * 3600 - 1)
    assert len(found(search(api, reference="r"))) == 1
    api.advance(1)
    answer = search(api, reference="r")
    assert (found(answer), answer["next"]) == ([], None)
