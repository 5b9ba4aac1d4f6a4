"""What holds for every provider, whichever the vendor. A new one gets all of this by its entry in PROVIDERS."""

from __future__ import annotations

import importlib.util
import json
import logging
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callverify import providers
from callverify.errors import CallverifyError, ConfigurationFault, Forbidden, InvalidRequest, NotFound
from callverify.models import (
    CallReport,
    CallVerdict,
    Cause,
    Challenge,
    Deadline,
    Evidence,
    InboundWebhook,
    Method,
    Outcome,
    ProviderName,
    Result,
)
from callverify.phone import readings
from callverify.providers import PROVIDERS
from callverify.providers.http import Answer, NoAnswer, NotSent, VendorHttp
from tests.support import payloads
from tests.support.fake_vendor import CannedHttp, FakeVendor
from tests.providers.vendors import ORDER, PHONE, VENDORS, configure

ROOT = Path(__file__).parents[2]
NAMES = list(ProviderName)
every_provider = pytest.mark.parametrize("name", NAMES)


def soon() -> Deadline:
    return Deadline.after(5)


def good_start(name: ProviderName) -> payloads.Payload:
    return payloads.load(name, "start_success")


@every_provider
def test_nothing_is_missing(name: ProviderName) -> None:
    """All that a provider is made of: see docs/adding-a-provider.md."""
    assert name in PROVIDERS, "no entry in PROVIDERS"
    assert PROVIDERS[name].name is name
    assert PROVIDERS[name].__module__ == f"callverify.providers.{name}", "no module of its own"
    assert name in VENDORS, "no entry in tests/providers/vendors.py"
    assert importlib.util.find_spec(f"simulators.{name}"), "no simulator"
    operations = {payload.operation for payload in payloads.load_all() if payload.provider is name}
    assert (payloads.FOLDER / name / "start_success.json").is_file(), f"no start_success.json in payloads/{name}/"
    if PROVIDERS[name].free_repeats:
        assert "repeat" in operations, f"no recorded repeat in tests/providers/payloads/{name}/"
    if PROVIDERS[name].can_check:
        assert "check" in operations, f"no recorded check in tests/providers/payloads/{name}/"
    if VENDORS[name].webhook_token:
        assert "webhook" in operations, f"no recorded webhook in tests/providers/payloads/{name}/"
    page = ROOT / "docs" / "providers" / f"{name}.md"
    assert page.is_file(), f"no docs/providers/{name}.md"
    for field in VENDORS[name].credentials:
        assert f"`{field}`" in page.read_text(), f"{page.name} does not say where `{field}` comes from"


def test_nothing_is_left_over() -> None:
    names = {name.value for name in NAMES}
    assert set(PROVIDERS) == set(NAMES)
    assert set(VENDORS) == set(NAMES)
    assert {folder.name for folder in payloads.FOLDER.iterdir()} == names
    assert {page.stem for page in (ROOT / "docs" / "providers").glob("*.md")} == names
    modules = {module.stem for module in Path(providers.__path__[0]).glob("*.py")}
    assert modules - names == {"__init__", "base", "credentials", "http"}


@every_provider
def test_start_sends_one_request_and_says_what_the_user_has_to_do(name: ProviderName, vendor: FakeVendor) -> None:
    vendor.answer(good_start(name).content)
    outcome = configure(name, vendor.base_url).start(ORDER, soon())

    assert len(vendor.requests) == 1
    VENDORS[name].check_request(vendor.requests[0])
    assert outcome.result is Result.STARTED
    assert outcome.cause is None
    assert outcome.challenge is not None
    if PROVIDERS[name].method is Method.FLASH_CALL:
        assert outcome.challenge == Challenge.enter_digits(4)
    else:
        assert outcome.challenge.type == "call_number"
        assert (outcome.challenge.number or "").startswith("+7")
    # A provider whose webhook does not name the phone alone has an id to recognise its calls by.
    assert PROVIDERS[name].knows_calls_by_phone_alone is (outcome.call_id is None)


@every_provider
def test_silence_is_an_unknown_outcome(name: ProviderName, vendor: FakeVendor) -> None:
    vendor.behave("hang")
    outcome = configure(name, vendor.base_url).start(ORDER, Deadline.after(0.2))
    assert outcome == Outcome(Result.UNKNOWN, Cause.TIMEOUT)
    assert len(vendor.requests) == 1


@every_provider
def test_a_trickling_answer_is_not_waited_for(name: ProviderName, vendor: FakeVendor) -> None:
    vendor.behave("trickle")
    outcome = configure(name, vendor.base_url).start(ORDER, Deadline.after(0.3))
    assert outcome == Outcome(Result.UNKNOWN, Cause.TIMEOUT)
    assert not vendor.trickled_out.is_set()
    assert len(vendor.requests) == 1


@every_provider
def test_a_line_that_breaks_is_an_unknown_outcome(name: ProviderName, vendor: FakeVendor) -> None:
    vendor.behave("drop")
    outcome = configure(name, vendor.base_url).start(ORDER, soon())
    assert outcome == Outcome(Result.UNKNOWN, Cause.UNREADABLE_ANSWER)
    assert len(vendor.requests) == 1


@every_provider
def test_a_refused_connection_is_no_call(name: ProviderName) -> None:
    with socket.socket() as taken:  # bound and not listening
        taken.bind(("127.0.0.1", 0))
        outcome = configure(name, f"http://127.0.0.1:{taken.getsockname()[1]}").start(ORDER, soon())
    assert outcome == Outcome(Result.UNAVAILABLE, Cause.UNREACHABLE)


@every_provider
def test_nothing_is_sent_when_the_time_is_up(name: ProviderName, vendor: FakeVendor) -> None:
    outcome = configure(name, vendor.base_url).start(ORDER, Deadline.after(0))
    assert outcome == Outcome(Result.UNAVAILABLE, Cause.UNREACHABLE)
    assert vendor.requests == []


@every_provider
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_an_unknown_outcome(name: ProviderName, status: int, vendor: FakeVendor) -> None:
    vendor.answer(b"<html><h1>Server error</h1></html>", status)
    outcome = configure(name, vendor.base_url).start(ORDER, soon())
    assert (outcome.result, outcome.cause) == (Result.UNKNOWN, Cause.HTTP_ERROR)
    assert len(vendor.requests) == 1


@every_provider
def test_too_many_requests_is_no_call(name: ProviderName, vendor: FakeVendor) -> None:
    vendor.answer(b"Too Many Requests", 429)
    outcome = configure(name, vendor.base_url).start(ORDER, soon())
    assert (outcome.result, outcome.cause) == (Result.UNAVAILABLE, Cause.VENDOR_LIMIT)


@every_provider
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(name: ProviderName, status: int, vendor: FakeVendor) -> None:
    vendor.answer(b"", status, {"location": f"{vendor.base_url}/elsewhere"})
    vendor.answer(good_start(name).content)
    outcome = configure(name, vendor.base_url).start(ORDER, soon())
    assert (outcome.result, outcome.cause) == (Result.UNKNOWN, Cause.HTTP_ERROR)
    assert len(vendor.requests) == 1


@every_provider
def test_proxy_variables_and_netrc_are_ignored(
    name: ProviderName, vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    vendor.answer(good_start(name).content)
    assert configure(name, vendor.base_url).start(ORDER, soon()).result is Result.STARTED
    VENDORS[name].check_request(vendor.requests[0])
    assert "Basic" not in vendor.requests[0].headers.get("authorization", "")


UNREADABLE = {
    "nothing": b"",
    "half an object": b'{"status": true, "ucaller_id": 1',
    "a list": b"[]",
    "null": b"null",
    "a number that is no phone": b"1",
    "an empty object": b"{}",
    "another object": b'{"ok": true}',
    "NaN": b'{"success": true, "data": NaN, "ucaller_id": NaN, "phone": NaN}',
    "infinite": b'{"success": true, "data": {"id": 1e999, "auth_phone": 1e999}, "ucaller_id": 1e999, "phone": 1e999}',
    "nested too deep": b"[" * 30_000,
    "objects too deep": b'{"data":' * 8_000,
    "not UTF-8": b'{"phone": "\xff\xfe\x98"}',
    "a number too long": b'{"ucaller_id": ' + b"9" * 5_000 + b"}",
    "a long number": b'{"success": true, "ucaller_id": ' + b"9" * 4_000 + b', "phone": ' + b"9" * 4_000 + b"}",
    "wrong types": b'{"success": true, "data": {"id": true, "auth_phone": true}, "ucaller_id": true, "phone": true}',
    "other wrong types": b'{"success": "true", "data": [], "ucaller_id": [1], "phone": {"phone": "79000000001"}}',
    "zero": b'{"success": true, "data": {"id": 0, "auth_phone": "79000010000"}, "ucaller_id": 0, "phone": 0}',
    "a key twice": b'{"success": true, "success": true, "ucaller_id": 1, "ucaller_id": 2, "phone": "79000020001",'
    b' "phone": "79000020002", "data": {"id": 1, "auth_phone": "79000010000"}}',
    "HTML": b"<!DOCTYPE html><html><body>79000020001</body></html>",
    "XML with an entity": b'<!DOCTYPE r [<!ENTITY x "79000020001">]><result><phone>&x;</phone></result>',
    "a lone surrogate": b'{"phone": "\\ud800", "ucaller_id": "\\ud800", "success": true, "data": {"id": "\\ud800"}}',
    # These four would keep a careless pattern busy for minutes.
    "a wide gap": b"a" + b" " * 60_000 + b"b",
    "a tall gap": b"a" + b"\n" * 60_000 + b"b",
    "a wide gap in XML": b"<phone>" + b" " * 60_000,
    "many beginnings of XML": b"<phone>" * 8_000,
    "too much": b'{"success": true, "ucaller_id": 1, "phone": "79000020001", "pad": "' + b" " * 70_000 + b'"}',
}


@every_provider
@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_unreadable_answer_is_an_unknown_outcome(name: ProviderName, kind: str, vendor: FakeVendor) -> None:
    vendor.answer(UNREADABLE[kind])
    outcome = configure(name, vendor.base_url).start(ORDER, soon())
    assert outcome == Outcome(Result.UNKNOWN, Cause.UNREADABLE_ANSWER)
    assert len(vendor.requests) == 1


@every_provider
def test_a_body_cut_short_is_never_a_success(name: ProviderName) -> None:
    whole = good_start(name).content
    for length in range(len(whole)):
        outcome = configure(name, http=CannedHttp(Answer(200, whole[:length]))).start(ORDER, soon())
        assert outcome.result is Result.UNKNOWN


@every_provider
def test_what_a_vendor_can_not_do_asks_it_nothing(name: ProviderName, vendor: FakeVendor) -> None:
    provider = configure(name, vendor.base_url)
    if not provider.free_repeats:
        assert provider.repeat("1", soon()) == Outcome(Result.UNAVAILABLE, Cause.NOT_SUPPORTED)
    if not provider.can_check:
        assert provider.check("1", soon()) == CallReport(CallVerdict.UNREADABLE)
    assert vendor.requests == []


ANSWER_FIELDS = (
    {"status", "error", "code", "ucaller_id", "init_time", "repeated_ucaller_ids"}
    | {"success", "data", "auth_phone", "id"}
    | {"phone", "error_code"}
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["79000020001"]),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(sorted(ANSWER_FIELDS)),
            children,
            max_size=6,
        )
    ),
    max_leaves=12,
)
ANSWERS = st.builds(
    Answer,
    st.sampled_from([200, 200, 200, 201, 204, 301, 400, 401, 402, 403, 404, 405, 418, 429, 500, 503]),
    JSON.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=60)
    | st.sampled_from([payload.content for payload in payloads.load_all() if payload.operation != "webhook"])
    | st.from_regex(rb"(ERROR = [0-9]{1,12}|0,-[0-9]{1,12}|<(result|phone)>.{0,20}</phone>|.{0,9}\n[0-9]{1,3})"),
)
REPLIES = ANSWERS | st.sampled_from([NotSent("no connection"), NoAnswer(timed_out=True), NoAnswer(timed_out=False)])


@every_provider
@settings(max_examples=300, deadline=None)
@given(replies=st.lists(REPLIES, min_size=3, max_size=3), operation=st.sampled_from(["start", "repeat", "check"]))
def test_no_answer_makes_a_provider_raise(name: ProviderName, replies: list[Answer], operation: str) -> None:
    provider = configure(name, http=CannedHttp(*replies))
    if operation == "check":
        report = provider.check("122760", soon())
        assert (report.evidence is None) is (report.verdict not in (CallVerdict.CONFIRMED, CallVerdict.UNSTATED))
        if report.evidence:
            assert report.caller
            assert report.call_id
        return
    outcome = provider.start(ORDER, soon()) if operation == "start" else provider.repeat("122760", soon())
    if outcome.result is Result.STARTED:
        assert outcome.challenge is not None
        assert outcome.cause is None
    else:
        assert outcome.result in (Result.REJECTED, Result.UNAVAILABLE, Result.UNKNOWN)
        assert outcome.cause is not None
        assert outcome.challenge is None
        assert outcome.call_id is None
    (outcome.vendor_words or "").encode()  # can be written to a log
    json.dumps(outcome.call_id)


PARAMETERS = st.dictionaries(
    st.sampled_from(["waitcall", "phone", "ts", "md5", "success", "id", "phone[]", "status"]) | st.text(max_size=5),
    st.lists(
        st.sampled_from(["1", "True", "79000000001", "1790053160", "", "d41d8cd98f00b204e9800998ecf8427e", "\ud800"])
        | st.text(max_size=12),
        max_size=3,
    ).map(tuple),
)


@every_provider
@settings(max_examples=300, deadline=None)
@given(parameters=PARAMETERS)
def test_no_webhook_is_believed_or_makes_a_provider_raise_anything_else(
    name: ProviderName, parameters: Mapping[str, tuple[str, ...]]
) -> None:
    token = VENDORS[name].webhook_token or "token"
    try:
        report = configure(name).open_webhook(InboundWebhook(parameters, token, "vrf_1"))
    except (NotFound, Forbidden, InvalidRequest):
        return
    assert report is None or report.evidence is None


def recorded_webhook(name: ProviderName) -> payloads.Payload | None:
    return next((p for p in payloads.load_all() if p.provider is name and p.operation == "webhook"), None)


@every_provider
@pytest.mark.parametrize("token", ["", "x", "token-of-vrf_2", "тоукен", "\ud800", "made-up-webhook-toke"])
def test_a_wrong_path_token_finds_nothing(name: ProviderName, token: str) -> None:
    recorded = recorded_webhook(name)
    parameters = {key: tuple(values) for key, values in ((recorded and recorded.parameters) or {}).items()}
    with pytest.raises(NotFound):
        configure(name).open_webhook(InboundWebhook(parameters, token, "vrf_1"))


@every_provider
def test_every_missing_or_unusable_credential_is_named(name: ProviderName) -> None:
    case = VENDORS[name]
    for field in case.credentials:
        unusable: list[object] = [None, "", [], {}, True, 1.5, "\n", "line\nbreak" * 3, "\ud800" * 20]
        for value in unusable:
            with pytest.raises(ConfigurationFault) as caught:
                configure(name, credentials={**case.credentials, field: value})
            assert caught.value.setting == f"provider-credentials: {name}.{field}"
    with pytest.raises(ConfigurationFault):
        configure(name, credentials={})
    not_an_object: Any = "text"
    with pytest.raises(ConfigurationFault):
        configure(name, credentials=not_an_object)


@every_provider
def test_no_secret_is_ever_seen(name: ProviderName, vendor: FakeVendor, caplog: pytest.LogCaptureFixture) -> None:
    """Not in what comes back, when the vendor repeats all that it was sent, nor in a log at any level."""
    caplog.set_level(logging.DEBUG)
    case = VENDORS[name]
    seen: list[object] = []
    provider = configure(name, vendor.base_url)
    told = f"{case.secrets} {PHONE.e164} 8 (900) 000-00-01 {ORDER.code} {ORDER.webhook_url}"
    bodies = [{"error": told, "code": 5, "success": False, "error_code": 1}, {"success": True, "phone": told}]
    for operation in (
        lambda: provider.start(ORDER, soon()),
        lambda: provider.repeat("122760", soon()),
        lambda: provider.check("122760", soon()),
    ):
        for status in (200, 400, 401, 500):
            for body in bodies:
                # A header that can't be parsed makes the HTTP library write a warning, with the URL in it.
                vendor.answer(json.dumps(body).encode(), status, {"location": "http://127.0.0.1:1/", " odd": "x"})
                vendor.answer(b"{}")
                vendor.answer(b"{}")
                seen.append(operation())
                vendor.forget()
        vendor.behave("drop")
        vendor.behave("drop")
        seen.append(operation())
        vendor.forget()
    seen.append(configure(name, "http://127.0.0.1:1").start(ORDER, soon()))
    try:
        provider.open_webhook(InboundWebhook({}, "wrong", "vrf_1"))
    except CallverifyError as error:
        seen.append(error.problem("request-1"))
    for field in case.credentials:
        try:
            configure(name, credentials={**case.credentials, field: f"{case.credentials[field]}\n"})
        except ConfigurationFault as fault:
            seen.append(f"{fault} {fault.problem}")
    text = repr([*seen, provider]) + caplog.text
    for secret in case.secrets:
        assert secret not in text
    for private in ("9000000001", "000-00-01", str(ORDER.code), "token-of-vrf_1"):
        assert private not in text


@every_provider
def test_failures_of_the_line_carry_no_url(name: ProviderName) -> None:
    with pytest.raises(NotSent) as caught:
        VendorHttp().send("GET", f"http://127.0.0.1:1/{VENDORS[name].secrets[0]}", deadline=soon())
    error: BaseException | None = caught.value
    while error is not None:
        assert VENDORS[name].secrets[0] not in repr(error)
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("payload", payloads.load_all(), ids=str)
def test_recorded_payloads_are_understood(payload: payloads.Payload) -> None:
    assert payload.evidence in ("captured", "documented", "assumed")
    assert payload.source
    if payload.operation == "info":
        assert payload.expect is None  # read by a test of the vendor's own
        return
    assert payload.expect
    expect = dict(payload.expect)
    provider = configure(payload.provider, http=CannedHttp(Answer(payload.status, payload.content)))
    if payload.operation == "webhook":
        assert payload.parameters
        parameters = {name: tuple(values) for name, values in payload.parameters.items()}
        token = VENDORS[payload.provider].webhook_token
        assert token
        report = provider.open_webhook(InboundWebhook(parameters, token, "vrf_1"))
        if expect.pop("ignored", False):
            assert report is None
            return
        assert report is not None
        _check_report(report, expect)
    elif payload.operation == "check":
        _check_report(provider.check("122760", soon()), expect)
    else:
        outcome = provider.start(ORDER, soon()) if payload.operation == "start" else provider.repeat("103000", soon())
        assert outcome.result == expect.pop("result")
        assert outcome.cause == expect.pop("cause", None)
        assert outcome.call_id == expect.pop("call_id", None)
        assert outcome.code_differs == expect.pop("code_differs", False)
        number = outcome.challenge.number if outcome.challenge else None
        assert number == expect.pop("number", None)
        assert not expect


def _check_report(report: CallReport, expect: dict[str, Any]) -> None:
    evidence = expect.pop("evidence", None)
    assert report.evidence == (Evidence(evidence) if evidence else None)
    assert report.verdict == expect.pop("verdict")
    if "caller" in expect:
        assert expect.pop("caller") in readings(report.caller or "")
    for name, value in expect.items():
        assert getattr(report, name) == value
