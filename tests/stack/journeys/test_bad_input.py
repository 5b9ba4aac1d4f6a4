"""What is refused before any vendor is asked: bodies, phones, codes, webhooks."""

import json
from typing import Any

import pytest

from tests.support.client import Answer, Api, Operator, Vendors, Webhooks, new_phone


def test_bad_starts_are_refused_and_ask_nobody(alone: None, api: Api, vendors: Vendors) -> None:  # noqa: ARG001
    """One test, because it counts what all vendors are asked."""
    phone = new_phone()
    good = {"phone": phone}
    bodies: dict[str, str | None] = {
        "no body": None,
        "blank": " ",
        "not JSON": "phone=1",
        "half of a JSON": json.dumps(good)[:-1],
        "an array": json.dumps([good]),
        "text": '"text"',
        "null": "null",
        "deeply nested": "[" * 15_000,
        "a megabyte": json.dumps(good | {"reference": "x" * 1_000_000}),
        "17 KB": json.dumps(good | {"reference": "x" * 17_000}),
    }
    fields: dict[str, dict[str, Any]] = {
        "no phone": {},
        "phone: null": {"phone": None},
        "phone: a number": {"phone": 79000000011},
        "phone: a list": {"phone": [phone]},
        "unknown field": good | {"channel": "sms"},
        "method: unknown": good | {"method": "sms"},
        "method: a list": good | {"method": ["flash_call"]},
        "provider: unknown": good | {"provider": "nobody"},
        "provider: no string": good | {"provider": {}},
        "provider: not of the method": good | {"provider": "ucaller", "method": "reverse_call"},
        "method: not of the provider": good | {"provider": "smsc", "method": "flash_call"},
        "allowed_methods: empty": good | {"allowed_methods": []},
        "allowed_methods: without the method": good | {"method": "flash_call", "allowed_methods": ["reverse_call"]},
        "allowed_methods: a string": good | {"allowed_methods": "flash_call"},
        "reference: 65 characters": good | {"reference": "x" * 65},
        "reference: a number": good | {"reference": 1},
        "metadata: a list": good | {"metadata": []},
        "metadata: 11 pairs": good | {"metadata": {str(number): "x" for number in range(11)}},
        "metadata: a name of 41": good | {"metadata": {"x" * 41: "x"}},
        "metadata: a value of 501": good | {"metadata": {"x": "x" * 501}},
        "metadata: a number": good | {"metadata": {"x": 1}},
        "end_user_ip: a name": good | {"end_user_ip": "localhost"},
        "end_user_ip: a network": good | {"end_user_ip": "203.0.113.0/24"},
        "locale: unknown": good | {"locale": "de"},
        "return_url: of no allowed origin": good | {"return_url": "https://elsewhere.example/done"},
    }
    phones = {
        "empty": "",
        "blank": "   ",
        "letters": "+7900CALLNOW",
        "emoji": "📞" + phone,
        "turned around": "\u202e" + phone,
        "too short": "+790000",
        "too long": phone + "0000",
        "a service number": "112",
        "a service number with its country": "+7112",
        "toll-free": "+7800" + "5550000",
        "a landline": "+7495" + "1234567",
        "extension": phone + ";ext=1",
        "extension in words": phone + " x1",
        "two numbers": f"{phone},{phone}",
        "a line break": f"{phone[:6]}\n{phone[6:]}",
        "impossible": "+7000" + "0000000",
    }
    abroad = {"Kazakhstan": "+7701" + "0000000", "Germany": "+49151" + "23456789", "the USA": "+1201" + "5550123"}

    before = len(vendors.all_starts())
    wrong: list[tuple[str, int, Any]] = []

    def expect(name: str, answer: Answer, status: int, code: str) -> None:
        is_problem = answer.headers["Content-Type"] == "application/problem+json"
        if not is_problem or (answer.status, answer["code"]) != (status, code) or not answer["request_id"]:
            wrong.append((name, answer.status, answer.body))

    for name, data in bodies.items():
        expect(name, api.send("POST", "/verifications", data=data), 400, "invalid_request")
    for name, body in fields.items():
        expect(name, api.send("POST", "/verifications", body), 400, "invalid_request")
    for name, text in phones.items():
        expect(f"phone: {name}", api.send("POST", "/verifications", {"phone": text}), 422, "invalid_phone")
    for name, text in abroad.items():
        expect(f"phone: {name}", api.send("POST", "/verifications", {"phone": text}), 422, "country_not_allowed")
    assert wrong == []
    assert len(vendors.all_starts()) == before


def test_an_unknown_field_is_named(api: Api, phone: str) -> None:
    refused = api.send("POST", "/verifications", {"phone": phone, "channel": "sms"}).expect(400, "invalid_request")
    assert "channel" in refused["detail"]


@pytest.mark.parametrize("write", ["8 ({1}) {2}-{3}-{4}", "+7 {1} {2} {3} {4}", "7{1}{2}{3}{4}", "8-{1}-{2}{3}{4}"])
def test_national_formats_are_the_same_phone(api: Api, phone: str, write: str) -> None:
    api.started(phone, provider="telefon_ip")
    parts = (phone, phone[2:5], phone[5:8], phone[8:10], phone[10:])
    api.start(write.format(*parts), provider="telefon_ip").expect(409, "verification_in_progress")


@pytest.mark.parametrize(
    "body",
    [
        {"code": "042"},
        {"code": "04270"},
        {"code": "abcd"},
        {"code": "٠٤٢٧"},
        {"code": "0427 "},
        {"code": ""},
        {"code": 427},
        {"code": None},
        {"code": ["0427"]},
        {},
        {"code": "0427", "phone": "+79000000011"},
    ],
    ids=str,
)
def test_what_is_no_code_costs_no_attempt(api: Api, phone: str, body: dict[str, Any]) -> None:
    started = api.started(phone, method="flash_call")
    api.send("POST", f"/verifications/{started.id}/check", body).expect(400, "invalid_request")
    read = api.read(started.id)
    assert (read["status"], read["checks_remaining"]) == ("pending", 5)


@pytest.mark.parametrize(
    "id_", ["none", "vrf_", "vrf_test_none", "%2e%2e", "vrf_" + "x" * 500, "%F0%9F%93%9E", "a%00b"]
)
def test_an_id_that_is_not_ours(api: Api, id_: str) -> None:
    api.read(id_).expect(404, "not_found")
    api.check(id_, "0427").expect(404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        {"phone": "+79000000011"},
        {"method": "reverse_call"},
        {"code": "0427"},
        {"phone": 1, "method": "sms"},
        {"phone": "+79000000011", "method": "reverse_call", "code": "0427"},
    ],
    ids=str,
)
@pytest.mark.parametrize("step", ["repeat", "switch"])
def test_half_a_switch(api: Api, phone: str, body: dict[str, Any], step: str) -> None:
    started = api.started(phone, method="flash_call")
    api.send("POST", f"/verifications/{started.id}/{step}", body).expect(400, "invalid_request")
    assert api.read(started.id)["switches_remaining"] == 2


@pytest.mark.parametrize("data", [None, "", "{}", "[]", "null", '"text"'])
def test_a_switch_has_a_body(api: Api, phone: str, data: str | None) -> None:
    started = api.started(phone, method="flash_call")
    api.send("POST", f"/verifications/{started.id}/switch", data=data).expect(400, "invalid_request")


@pytest.mark.parametrize("key", ["", "x" * 256, "ключ"])
def test_a_bad_idempotency_key(api: Api, vendors: Vendors, phone: str, key: str) -> None:
    headers = {"Idempotency-Key": key.encode()}
    answer = api.send("POST", "/verifications", {"phone": phone}, headers=headers)  # type: ignore[arg-type]
    answer.expect(400, "invalid_request")
    assert vendors.requests(phone) == []


def test_bad_webhooks_of_telefon_ip(
    api: Api, vendors: Vendors, operator: Operator, webhooks: Webhooks, phone: str
) -> None:
    started = api.started(phone, provider="telefon_ip")
    vendors.dial(new_phone(), started)  # a stranger's call shows us the address
    address, query = vendors.answered_webhooks(started.id)[0]["url"].split("?")
    base, id_, token = address.rsplit("/", 2)
    reported_at = operator.record(started.id)["reported_at"]

    another_id = api.started(new_phone(), provider="telefon_ip").id
    for path in (f"{id_}/{token[:-1]}", f"{id_}/{'0' * len(token)}", f"{another_id}/{token}", f"none/{token}"):
        webhooks.send(f"{base}/{path}?{query}").expect(404, "not_found")
    for part in query.split("&"):
        rest = "&".join(other for other in query.split("&") if other != part)
        webhooks.send(f"{address}?{rest}").expect(400, "invalid_request")
        webhooks.send(f"{address}?{query}&{part}").expect(400, "invalid_request")
    webhooks.send(address).expect(400, "invalid_request")
    webhooks.send(f"{address}?success=True&phone=nobody&id=1").expect(400, "invalid_request")
    webhooks.send(f"{address}?success=True&phone=8{phone[2:]}&id=x").expect(400, "invalid_request")
    # A well-formed event of another kind.
    other = webhooks.send(f"{address}?success=False&phone=8{phone[2:]}&id=1")
    assert (other.status, other.body) == (200, "OK")
    assert operator.record(started.id)["reported_at"] == reported_at, "none of them was taken for a report"
    assert api.read(started.id)["status"] == "pending"


def test_bad_webhooks_of_smsc(api: Api, operator: Operator, webhooks: Webhooks, phone: str) -> None:
    started = api.started(phone, provider="smsc")
    ts = started.created_at
    good = webhooks.smsc_form(phone, ts)

    for token in ("none", "0" * 32):
        webhooks.smsc(good, token=token).expect(404, "not_found")
    for name in ("phone", "ts", "md5"):
        webhooks.smsc({key: value for key, value in good.items() if key != name}).expect(400, "invalid_request")
        webhooks.smsc(good | {name: ""}).expect(400, "invalid_request")
        webhooks.smsc([*good.items(), (name, good[name])]).expect(400, "invalid_request")
    webhooks.smsc([*good.items(), ("waitcall", "1")]).expect(400, "invalid_request")
    for md5 in ("0" * 32, good["md5"][:-1], "none"):
        webhooks.smsc(good | {"md5": md5}).expect(403, "forbidden")
    webhooks.smsc(good | {"ts": str(int(ts) + 1)}).expect(403, "forbidden")
    webhooks.smsc(good | {"phone": new_phone()[1:]}).expect(403, "forbidden")
    expires_at = operator.record(started.id)["expires_at"]
    for stale in (ts - 1, ts - 86_400, int(expires_at) + 1, int(expires_at) + 86_400):
        webhooks.smsc(webhooks.smsc_form(phone, stale)).expect(403, "forbidden")
    # The handler is the account's: it gets these too.
    for other in ({"id": "1", "phone": phone[1:], "status": "1", "md5": good["md5"]}, good | {"waitcall": "0"}):
        answer = webhooks.smsc(other)
        assert (answer.status, answer.body) == (200, "OK")
    assert api.read(started.id)["status"] == "pending"

    # After all of which the real one still counts.
    assert webhooks.smsc(good).body == "OK"
    assert api.read(started.id)["status"] == "verified"
