"""What holds for every provider and each of its routes. A new one gets all of this by its name in NAMES."""

from __future__ import annotations

import base64
import importlib.util
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callverify import providers
from callverify.domain.words import (
    CallOutcome,
    CallReport,
    Challenge,
    Deadline,
    Method,
    Outcome,
    Reason,
    Verdict,
)
from callverify.providers.base import Identifies, Line, Per
from callverify.providers.http import Answer, NoAnswer, NotSent
from callverify.providers.names import NAMES
from callverify.providers.registry import manifest, manifests
from tests.support import payloads
from tests.support.cases import EVERY_ROUTE, case, line_of, order
from tests.support.fake_vendor import CannedHttp, FakeVendor

every_provider = pytest.mark.parametrize("name", NAMES)
every_route = pytest.mark.parametrize(("name", "method"), EVERY_ROUTE)
every_webhook = pytest.mark.parametrize("name", [each.name for each in manifests() if each.webhook])


def soon() -> Deadline:
    return Deadline.after(5)


def start(line: Line, deadline: Deadline | None = None) -> CallOutcome:
    return line.client.start(order(line.provider, line.method), deadline or soon())


@every_provider
def test_nothing_is_missing(name: str) -> None:
    """All that a provider is made of: see docs/adding-a-provider.md."""
    declared = manifest(name)
    assert declared.name == name
    for module in (f"callverify.providers.{name}.client", f"callverify.providers.{name}.account"):
        assert importlib.util.find_spec(module), f"no {module}"
    ours = [
        "simulator",
        "cases",
        "situations",
        *(["forgeries"] if declared.webhook and not declared.webhook.say else []),
    ]
    for module in (f"vendors.{name}.{each}" for each in ours):
        assert importlib.util.find_spec(module), f"no {module}"
    folder = payloads.VENDORS / name
    assert (folder / f"test_{name}.py").is_file(), f"no test_{name}.py in vendors/{name}/"
    recorded = {(payload.method, payload.operation) for payload in payloads.load_all() if payload.provider == name}
    for route in declared.routes:
        needed = {"start", *(["repeat"] if route.repeats else []), *(["check"] if route.read_back else [])}
        needed |= {"webhook"} if route.webhook else set()
        for operation in needed:
            assert (route.method, operation) in recorded, (
                f"no recorded {operation} of {route.method} in vendors/{name}/"
            )
        assert payloads.good_start(name, route.method).operation == "start"
        assert route.method in case(name).starts, f"vendors/{name}/cases.py: no start of {route.method}"
    page = (folder / "README.md").read_text()
    for field in declared.credentials:
        for each in field.names:
            assert f"`{each}`" in page, f"vendors/{name}/README.md does not say where `{each}` comes from"
    for option in declared.options:
        assert f"`{option.name}`" in page, f"vendors/{name}/README.md does not tell of `{option.name}`"


def test_nothing_is_left_over() -> None:
    def folders(path: Path) -> set[str]:
        return {each.name for each in path.iterdir() if each.is_dir() and each.name != "__pycache__"}

    assert folders(Path(providers.__path__[0])) == set(NAMES)
    assert folders(payloads.VENDORS) == set(NAMES)


@every_provider
def test_a_manifest_is_of_one_piece(name: str) -> None:
    declared = manifest(name)
    methods = [route.method for route in declared.routes]
    assert methods
    assert len(set(methods)) == len(methods)
    for route in declared.routes:
        assert 1 <= route.window.default <= route.window.most
        assert (route.code is None) is (route.method is Method.REVERSE_CALL)
        # A dialled call is proved by a question or by a report; one with a code needs neither.
        assert route.code or route.read_back or route.webhook
        assert bool(route.repeats) is bool(route.repeat_after)
    assert all(route.webhook in (None, declared.webhook) for route in declared.routes), "one webhook for all routes"
    if declared.webhook and declared.webhook.per is Per.ACCOUNT:
        assert "webhook_token" in {each for field in declared.credentials for each in field.names}
    assert declared.base_url.startswith("https://")
    assert not declared.base_url.endswith("/")


@every_route
def test_start_sends_one_request_and_says_what_the_user_has_to_do(
    name: str, method: Method, vendor: FakeVendor
) -> None:
    vendor.answer(payloads.good_start(name, method).content)
    outcome = start(line_of(name, method, vendor.base_url))

    assert len(vendor.requests) == 1
    case(name).starts[method].check(vendor.requests[0])
    assert outcome.outcome is Outcome.STARTED
    assert outcome.reason is None
    assert outcome.challenge is not None
    route = next(route for route in manifest(name).routes if route.method is method)
    if route.code:
        assert outcome.challenge == Challenge.enter_digits(route.code.digits)
    else:
        assert outcome.challenge.type == "call_number"
        assert (outcome.challenge.number or "").startswith("+7")
    # A report that does not name the phone alone names an id to recognise the call by.
    assert (route.identifies is Identifies.BY_PHONE) is (outcome.call_id is None)


@every_route
def test_silence_is_an_unknown_outcome(name: str, method: Method, vendor: FakeVendor) -> None:
    vendor.behave("hang")
    outcome = start(line_of(name, method, vendor.base_url), Deadline.after(0.2))
    assert outcome == CallOutcome(Outcome.UNKNOWN, Reason.TIMEOUT)
    assert len(vendor.requests) == 1


@every_route
def test_a_trickling_answer_is_not_waited_for(name: str, method: Method, vendor: FakeVendor) -> None:
    vendor.behave("trickle")
    outcome = start(line_of(name, method, vendor.base_url), Deadline.after(0.3))
    assert outcome == CallOutcome(Outcome.UNKNOWN, Reason.TIMEOUT)
    assert not vendor.trickled_out.is_set()
    assert len(vendor.requests) == 1


@every_route
def test_a_line_that_breaks_is_an_unknown_outcome(name: str, method: Method, vendor: FakeVendor) -> None:
    vendor.behave("drop")
    outcome = start(line_of(name, method, vendor.base_url))
    assert outcome == CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)
    assert len(vendor.requests) == 1


@every_route
def test_a_refused_connection_is_no_call(name: str, method: Method) -> None:
    with socket.socket() as taken:  # bound and not listening
        taken.bind(("127.0.0.1", 0))
        outcome = start(line_of(name, method, f"http://127.0.0.1:{taken.getsockname()[1]}"))
    assert outcome == CallOutcome(Outcome.UNAVAILABLE, Reason.UNREACHABLE)


@every_route
def test_nothing_is_sent_when_the_time_is_up(name: str, method: Method, vendor: FakeVendor) -> None:
    outcome = start(line_of(name, method, vendor.base_url), Deadline.after(0))
    assert outcome == CallOutcome(Outcome.UNAVAILABLE, Reason.UNREACHABLE)
    assert vendor.requests == []


@every_route
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_an_unknown_outcome(name: str, method: Method, status: int, vendor: FakeVendor) -> None:
    vendor.answer(b"<html><h1>Server error</h1></html>", status)
    outcome = start(line_of(name, method, vendor.base_url))
    assert (outcome.outcome, outcome.reason) == (Outcome.UNKNOWN, Reason.HTTP_ERROR)
    assert len(vendor.requests) == 1


@every_route
def test_too_many_requests_is_no_call(name: str, method: Method, vendor: FakeVendor) -> None:
    vendor.answer(b"Too Many Requests", 429)
    outcome = start(line_of(name, method, vendor.base_url))
    assert (outcome.outcome, outcome.reason) == (Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT)


@every_route
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(name: str, method: Method, status: int, vendor: FakeVendor) -> None:
    vendor.answer(b"", status, {"location": f"{vendor.base_url}/elsewhere"})
    vendor.answer(payloads.good_start(name, method).content)
    outcome = start(line_of(name, method, vendor.base_url))
    assert (outcome.outcome, outcome.reason) == (Outcome.UNKNOWN, Reason.HTTP_ERROR)
    assert len(vendor.requests) == 1


@every_route
def test_proxy_variables_and_netrc_are_ignored(
    name: str, method: Method, vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    vendor.answer(payloads.good_start(name, method).content)
    assert start(line_of(name, method, vendor.base_url)).outcome is Outcome.STARTED
    case(name).starts[method].check(vendor.requests[0])
    netrc = base64.b64encode(b"somebody:else").decode()
    assert netrc not in vendor.requests[0].headers.get("authorization", "")


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


@every_route
@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_unreadable_answer_is_an_unknown_outcome(name: str, method: Method, kind: str, vendor: FakeVendor) -> None:
    vendor.answer(UNREADABLE[kind])
    outcome = start(line_of(name, method, vendor.base_url))
    assert outcome == CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)
    assert len(vendor.requests) == 1


@every_route
def test_a_body_cut_short_is_never_a_success(name: str, method: Method) -> None:
    whole = payloads.good_start(name, method).content
    for length in range(len(whole)):
        outcome = start(line_of(name, method, http=CannedHttp(Answer(200, whole[:length]))))
        assert outcome.outcome is Outcome.UNKNOWN


@every_route
def test_an_answer_with_a_key_twice_is_an_unknown_outcome(name: str, method: Method, vendor: FakeVendor) -> None:
    """Which of the two would count?"""
    recorded = payloads.good_start(name, method)
    assert isinstance(recorded.body, dict)
    key, value = next(iter(recorded.body.items()))
    vendor.answer(recorded.content[:-1] + f", {json.dumps(key)}: {json.dumps(value)}}}".encode())
    assert start(line_of(name, method, vendor.base_url)) == CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)


@every_provider
def test_what_a_vendor_can_not_do_asks_it_nothing(name: str, vendor: FakeVendor) -> None:
    client, routes = line_of(name, base_url=vendor.base_url).client, manifest(name).routes
    if not any(route.repeats for route in routes):
        assert client.repeat("1", soon()) == CallOutcome(Outcome.UNAVAILABLE, Reason.NOT_SUPPORTED)
    if not any(route.read_back for route in routes):
        assert client.check("1", soon()) == CallReport(Verdict.UNREADABLE)
    assert vendor.requests == []


def names_in(value: Any) -> Iterator[str]:
    """The names of all members of a JSON value."""
    if isinstance(value, dict):
        yield from value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from names_in(part)


RECORDED = payloads.load_all()
ANSWER_FIELDS = sorted({field for payload in RECORDED for field in names_in(payload.body)})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["79000020001"]),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.sampled_from(ANSWER_FIELDS), children, max_size=6)
    ),
    max_leaves=12,
)
OWN_FORMS = [pattern for name in NAMES for pattern in case(name).answers]
ANSWERS = st.builds(
    Answer,
    st.sampled_from([200, 200, 200, 201, 204, 301, 400, 401, 402, 403, 404, 405, 418, 429, 500, 503]),
    JSON.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=60)
    | st.sampled_from([payload.content for payload in RECORDED if payload.operation != "webhook"])
    | st.one_of([st.from_regex(pattern).map(lambda text: text.encode(errors="replace")) for pattern in OWN_FORMS]),
)
REPLIES = ANSWERS | st.sampled_from([NotSent("no connection"), NoAnswer(timed_out=True), NoAnswer(timed_out=False)])


@every_route
@settings(max_examples=300, deadline=None)
@given(replies=st.lists(REPLIES, min_size=3, max_size=3), operation=st.sampled_from(["start", "repeat", "check"]))
def test_no_answer_makes_a_provider_raise(name: str, method: Method, replies: list[Answer], operation: str) -> None:
    line = line_of(name, method, http=CannedHttp(*replies))
    if operation == "check":
        report = line.client.check("122760", soon())
        assert (report.evidence is None) is (report.verdict not in (Verdict.CONFIRMED, Verdict.UNSTATED))
        if report.evidence:
            assert report.caller or not line.route.names_caller
            assert report.call_id
        return
    outcome = start(line) if operation == "start" else line.client.repeat("122760", soon())
    if outcome.outcome is Outcome.STARTED:
        assert outcome.challenge is not None
        assert outcome.reason is None
    else:
        assert outcome.outcome in (Outcome.REJECTED, Outcome.UNAVAILABLE, Outcome.UNKNOWN)
        assert outcome.reason is not None
        assert outcome.challenge is None
        assert outcome.call_id is None
    (outcome.vendor_words or "").encode()  # can be written to a log
    json.dumps(outcome.call_id)
