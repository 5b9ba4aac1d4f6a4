"""Bad input: a clear 4xx of its own, no vendor asked, nothing stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.check_status import app as check_status
from functions.receive_webhook import app as receive_webhook
from functions.start_verification import app as start_verification
from tests.support.gateway import PHONE, Api, load_event
from tests.support.handlers import Answer, answer_of
from tests.support.surroundings import LIVE_KEY, TEST_KEY, items


def assert_refused(api: Api, answer: Answer, status: int, code: str, *says: str) -> None:
    assert (answer.status, answer["status"], answer["code"]) == (status, status, code), answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "code", "detail", "request_id"} <= answer.body.keys()
    for words in says:
        assert words in answer["detail"]
    assert api.requests() == []
    assert items() == []


@pytest.mark.parametrize(
    ("raw_body", "says"),
    [
        ("", "no body"),
        ("   ", "no body"),
        ("phone=+79000000011", "JSON"),
        ("{", "JSON"),
        ("nul", "JSON"),
        ('{"phone": "+79000000011"', "JSON"),
        ("[" * 16_000, "JSON"),
        ('{"phone":' + "1" * 6_000 + "}", "JSON"),
        ("[]", "object"),
        ("null", "object"),
        ('"+79000000011"', "object"),
        ("{}", "`phone`"),
        (f'{{"phone": "{PHONE}", "phone": "{PHONE}"}}', "`phone` is given twice"),
        (f'{{"phone": "{PHONE}", "metadata": {{"a": "1", "b": "2", "a": "1"}}}}', "`a` is given twice"),
        (json.dumps({"phone": PHONE, "reference": "x" * 17_000}), "16 KB"),
        (json.dumps({"phone": PHONE}) + " " * 16_384, "16 KB"),
        (json.dumps({"phone": PHONE, "reference": "я" * 10_000}, ensure_ascii=False), "16 KB"),
        ("x" * 1_000_000, "16 KB"),
    ],
    ids=lambda value: value[:20],
)
def test_a_body_that_is_no_json_object_is_400(api: Api, raw_body: str, says: str) -> None:
    assert_refused(api, api.send("start_telefon_ip", raw_body=raw_body), 400, "invalid_request", says)


def test_no_body_at_all_is_400(api: Api) -> None:
    event = load_event("start_telefon_ip") | {"body": None}
    event["headers"]["Authorization"] = f"Bearer {LIVE_KEY}"
    assert_refused(api, api.pass_gateway(event), 400, "invalid_request", "no body")


def test_a_base64_body_that_is_no_text_is_400(api: Api) -> None:
    for body in ("/////w==", "not base64!"):
        event = load_event("start_telefon_ip") | {"body": body, "isBase64Encoded": True}
        event["headers"]["Authorization"] = f"Bearer {LIVE_KEY}"
        assert_refused(api, api.pass_gateway(event), 400, "invalid_request", "UTF-8")


def test_the_largest_body_is_taken(api: Api) -> None:
    body = json.dumps({"phone": PHONE})
    assert api.send("start_telefon_ip", raw_body=body + " " * (16_384 - len(body))).status == 201


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"phone": 79000000011}, "`phone`"),
        ({"phone": None}, "`phone`"),
        ({"phone": [PHONE]}, "`phone`"),
        ({"phone": {"e164": PHONE}}, "`phone`"),
        ({"phone_number": PHONE}, "`phone_number`"),
        ({"Phone": PHONE}, "`Phone`"),
        ({"code": "0427"}, "`code`"),
        ({"method": "sms"}, "`method`"),
        ({"method": 1}, "`method`"),
        ({"method": ["flash_call"]}, "`method`"),
        ({"method": {}}, "`method`"),
        ({"provider": "nobody"}, "`provider`"),
        ({"provider": True}, "`provider`"),
        ({"provider": "ucaller", "method": "reverse_call"}, "`provider`"),
        ({"provider": "smsc", "method": "flash_call"}, "`provider`"),
        ({"allowed_methods": []}, "`allowed_methods`"),
        ({"allowed_methods": "flash_call"}, "`allowed_methods`"),
        ({"allowed_methods": ["sms"]}, "`allowed_methods`"),
        ({"allowed_methods": [["flash_call"]]}, "`allowed_methods`"),
        ({"allowed_methods": ["flash_call"], "method": "reverse_call"}, "`allowed_methods`"),
        ({"allowed_methods": ["flash_call"], "provider": "smsc"}, "`allowed_methods`"),
        ({"reference": "x" * 65}, "`reference`"),
        ({"reference": ""}, "`reference`"),
        ({"reference": 7}, "`reference`"),
        ({"reference": "\ud800"}, "`reference`"),
        ({"metadata": []}, "`metadata`"),
        ({"metadata": {str(n): "" for n in range(11)}}, "`metadata`"),
        ({"metadata": {"x" * 41: ""}}, "`metadata`"),
        ({"metadata": {"": ""}}, "`metadata`"),
        ({"metadata": {"a": "x" * 501}}, "`metadata`"),
        ({"metadata": {"a": 1}}, "`metadata`"),
        ({"metadata": {"a": None}}, "`metadata`"),
        ({"metadata": {"a": "\udfff"}}, "`metadata`"),
        ({"end_user_ip": "somewhere"}, "`end_user_ip`"),
        ({"end_user_ip": "198.51.100.256"}, "`end_user_ip`"),
        ({"end_user_ip": "198.51.100.0/24"}, "`end_user_ip`"),
        ({"end_user_ip": "fe80::1%eth0"}, "`end_user_ip`"),
        ({"end_user_ip": 3325256711}, "`end_user_ip`"),
        ({"end_user_ip": ""}, "`end_user_ip`"),
        ({"locale": "de"}, "`locale`"),
        ({"locale": "RU"}, "`locale`"),
        ({"locale": ["ru"]}, "`locale`"),
        ({"return_url": "https://elsewhere.example/"}, "`return_url`"),
        ({"return_url": "http://shop.example/"}, "`return_url`"),
        ({"return_url": "https://shop.example.elsewhere.example/"}, "`return_url`"),
        ({"return_url": "https://shop.example@elsewhere.example/"}, "`return_url`"),
        ({"return_url": "https://shop.example:444/"}, "`return_url`"),
        ({"return_url": "https://elsewhere.example\\@shop.example/"}, "`return_url`"),
        ({"return_url": "javascript:alert(1)"}, "`return_url`"),
        ({"return_url": "//shop.example"}, "`return_url`"),
        ({"return_url": "https://shop.example:x/"}, "`return_url`"),
        ({"return_url": "https://[/"}, "`return_url`"),
        ({"return_url": 1}, "`return_url`"),
        ({"return_url": "https://shop.example/" + "x" * 2000}, "`return_url`"),
        ({"return_url": "https://\ud800.example/"}, "`return_url`"),
        ({"return_url": "https://shop.example/\ud800"}, "`return_url`"),
        ({"\ud800": 1}, "Unknown field"),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_a_field_that_cannot_be_is_400_and_named(api: Api, fields: dict[str, Any], field: str) -> None:
    assert_refused(api, api.send("start_telefon_ip", body={"phone": PHONE} | fields), 400, "invalid_request", field)


@pytest.mark.parametrize("bad", ["\x00", "\n", "\x7f", "\x85", "\ufffe", "\uffff", "\ufdd0", "\U0010ffff"], ids=ascii)
@pytest.mark.parametrize("credential", [LIVE_KEY, TEST_KEY])
@pytest.mark.parametrize("escaped", [True, False])
def test_text_that_a_later_step_cannot_carry_is_400(api: Api, bad: str, credential: str, escaped: bool) -> None:
    texts: dict[str, dict[str, Any]] = {
        "`reference`": {"reference": f"order {bad}"},
        "Names in `metadata`": {"metadata": {f"a{bad}": "x"}},
        "Values in `metadata`": {"metadata": {"a": f"x{bad}"}},
        "`return_url`": {"return_url": f"https://shop.example/{bad}"},
    }
    for field, fields in texts.items():
        body = json.dumps({"phone": "+79000000101"} | fields, ensure_ascii=escaped)
        answer = api.send("start_telefon_ip", raw_body=body, credential=credential)
        assert_refused(api, answer, 400, "invalid_request", field)


@pytest.mark.parametrize(
    "number",
    [
        "79001234567",
        "+7 900 123 45 67",
        "+7 (900) 123-45-67",
        "8\u2011900\u2011123\u201145\u201167",
        "+7\u00a0900\u2009123\u202f45\u206067",
        "7_900_123_45_67",
        "7/900/123/45/67",
        "\u200e+7.900.1234567",
        "+٧ ٩٠٠ ١٢٣ ٤٥ ٦٧",
    ],
    ids=ascii,
)
def test_an_error_quotes_no_number_however_it_is_grouped(api: Api, number: str) -> None:
    bodies: list[dict[str, Any]] = [{number: 1}, {f"phone {number}": 1}, {"x" * 28 + number: 1}]
    texts = [json.dumps({"phone": PHONE} | body) for body in bodies]
    texts.append(f'{{"phone": "{PHONE}", {json.dumps(number)}: 1, {json.dumps(number)}: 2}}')
    for text in texts:
        answer = api.send("start_telefon_ip", raw_body=text)
        assert_refused(api, answer, 400, "invalid_request", "***")
        quoted = answer["detail"].split("Known fields")[0]
        assert sum(character.isdigit() for character in quoted) == 0
    answer = api.send("start_telefon_ip", body={"phone": PHONE, "return_url": "https://7-900-1234567.example/"})
    assert_refused(api, answer, 400, "invalid_request", "`return_url`", "https://***.example")


@pytest.mark.parametrize(
    ("phone", "code"),
    [
        ("", "invalid_phone"),
        ("phone", "invalid_phone"),
        ("+7900000OO11", "invalid_phone"),
        ("📞+79000000011", "invalid_phone"),
        ("+٧٩٠٠٠٠٠٠٠١١", "valid"),
        ("+7900", "invalid_phone"),
        ("+790000000111", "invalid_phone"),
        ("+" + "7" * 60, "invalid_phone"),
        ("112", "invalid_phone"),
        ("0890", "invalid_phone"),
        ("+79000000011 ext. 5", "invalid_phone"),
        ("+79000000011;ext=5", "invalid_phone"),
        ("+79000000011#5", "invalid_phone"),
        ("tel:+79000000011", "valid"),
        ("+79000000011,+79000000012", "invalid_phone"),
        ("+79000000011\n", "valid"),
        ("\u200e+79000000011", "valid"),
        ("(+7) 900 000\u201100\u201111", "valid"),
        ("\u202e+79000000011", "invalid_phone"),
        ("8 800 555-35-35", "invalid_phone"),
        ("+7 809 100-00-00", "invalid_phone"),
        ("+7 495 123-45-67", "invalid_phone"),
        ("+999123456789", "invalid_phone"),
        ("+77010000011", "country_not_allowed"),
        ("+77710000011", "country_not_allowed"),
        ("+375291234567", "country_not_allowed"),
        ("+447400123456", "country_not_allowed"),
        ("+12015550123", "country_not_allowed"),
    ],
)
def test_a_number_that_cannot_be_verified_is_422(api: Api, phone: str, code: str) -> None:
    answer = api.send("start_telefon_ip", body={"phone": phone})
    if code == "valid":
        assert answer.status == 201
    else:
        assert_refused(api, answer, 422, code)
        digits = "".join(character for character in phone if character.isdigit())
        assert len(digits) < 5 or digits not in json.dumps(answer.body)


@pytest.mark.parametrize("api", [{"AllowedCountries": "RU,KZ", "DefaultCountry": "KZ"}], indirect=True)
def test_countries_are_the_operators_choice(api: Api) -> None:
    assert api.start("+77010000011")["phone"] == "+7******0011"
    assert api.start("8 701 000 00 12").status == 201


def test_an_unknown_field_is_named_before_anything_else_is_judged(api: Api) -> None:
    answer = api.send("start_telefon_ip", body={"phone": "112", "sandbox": True})
    assert_refused(api, answer, 400, "invalid_request", "`sandbox`", "Known fields:")


@pytest.mark.parametrize(
    "id_",
    ["vrf_" + "0" * 26, "vrf_", "none", "VRF_X", "vrf_../x", "a b", "vrf_%00", "-", "ё", "x" * 3000, "vrf_\ud800"],
    ids=lambda value: ascii(value)[:20],
)
def test_an_id_that_is_not_ours_is_404(api: Api, id_: str) -> None:
    for event in ("status", "check_wrong", "repeat", "switch", "cancel"):
        assert_refused(api, api.send(event, id=id_), 404, "not_found")


@pytest.mark.parametrize("function", [start_verification, check_status, receive_webhook])
@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("DELETE", "/verifications"), ("POST", "/verification")])
def test_an_unknown_route_is_404(api: Api, function: Any, method: str, path: str) -> None:
    event = load_event("status") | {"httpMethod": method, "path": path, "resource": path}
    assert_refused(api, answer_of(function.handler(event, None)), 404, "not_found")


def test_a_fault_of_ours_is_a_500_that_tells_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(f"nobody may read of {PHONE}")

    monkeypatch.setattr("callverify.store.Store.apply", fail)
    answer = api.start()
    assert (answer.status, answer["code"]) == (500, "internal_error")
    assert "RuntimeError" not in str(answer.body)
    assert "nobody may read" not in str(answer.body) + api.logged()
    assert '"error_type":"RuntimeError"' in api.logged()
    assert answer["request_id"] in api.logged()
