"""Every credential is judged by name, and none is ever seen again."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from callverify.domain.errors import CallverifyError, ConfigurationFault
from callverify.domain.words import Deadline, Method
from callverify.providers import registry
from callverify.providers.http import NotSent, VendorHttp
from callverify.providers.names import NAMES
from callverify.providers.registry import lines
from callverify.runtime.lines import Lines
from tests.support.cases import EVERY_ROUTE, PHONE, WEBHOOK_TOKEN, case, inbound, line_of, order
from tests.support.fake_vendor import FakeVendor

UNUSABLE: list[Any] = [None, "", [], {}, True, 1.5, "\n", "line\nbreak" * 3, "\ud800" * 20]
FIELDS = [(name, field) for name in NAMES for field in case(name).credentials]


def soon() -> Deadline:
    return Deadline.after(5)


@pytest.mark.parametrize(("name", "field"), FIELDS)
@pytest.mark.parametrize("value", UNUSABLE, ids=repr)
def test_a_missing_or_unusable_credential_is_named(name: str, field: str, value: Any) -> None:
    with pytest.raises(ConfigurationFault) as caught:
        line_of(name, **{field: value})
    assert caught.value.setting == f"provider-credentials: {name}.{field}"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("given", [{}, "text", None, [], 1], ids=repr)
def test_no_credentials_at_all(name: str, given: Any) -> None:
    with pytest.raises(ConfigurationFault) as caught:
        lines(name, given, VendorHttp())
    assert caught.value.setting.startswith(f"provider-credentials: {name}")


@pytest.mark.parametrize(("name", "method"), EVERY_ROUTE)
def test_no_secret_is_ever_seen(
    name: str, method: Method, vendor: FakeVendor, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in what comes back, when the vendor repeats all that it was sent, nor in a log at any level."""
    caplog.set_level(logging.DEBUG)
    secrets, wanted = case(name).secrets, order(name, method)
    seen: list[object] = []
    line = line_of(name, method, vendor.base_url)
    client = line.client
    told = f"{secrets} {PHONE.e164} 8 (900) 000-00-01 {wanted.code} {wanted.webhook_url}"
    bodies = [{"error": told, "code": 5, "success": False, "error_code": 1}, {"success": True, "phone": told}]
    for operation in (
        lambda: client.start(wanted, soon()),
        lambda: client.repeat("122760", soon()),
        lambda: client.check("122760", soon()),
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
    seen.append(line_of(name, method, "http://127.0.0.1:1").client.start(wanted, soon()))
    try:
        client.open_webhook(inbound(name, {}))
    except CallverifyError as error:
        seen.append(error.problem("request-1", ""))
    for field, value in case(name).credentials.items():
        spoiled: dict[str, Any] = {field: f"{value}\n"}
        try:
            line_of(name, **spoiled)
        except ConfigurationFault as fault:
            seen.append(f"{fault} {fault.problem}")
    text = repr([*seen, client]) + caplog.text
    for secret in secrets:
        assert secret not in text
    for private in ("9000000001", "000-00-01", *([wanted.code] if wanted.code else []), WEBHOOK_TOKEN):
        assert private not in text


@pytest.mark.parametrize("name", NAMES)
def test_failures_of_the_line_carry_no_url(name: str) -> None:
    secret = case(name).secrets[0]
    with pytest.raises(NotSent) as caught:
        VendorHttp().send("GET", f"http://127.0.0.1:1/{secret}", deadline=soon())
    error: BaseException | None = caught.value
    while error is not None:
        assert secret not in repr(error)
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "url",
    [
        "https://api..example.com",
        "https://me@api.example.com",
        "https://api.example.com?a=1",
        "https://api.example.com#a",
        "https://",
        "ftp://api.example.com",
        "https://api.example.com/a b",
        "http://api.example.com",
        "//api.example.com",
        7,
    ],
)
def test_a_base_url_is_a_host_and_perhaps_a_path(name: str, url: object) -> None:
    with pytest.raises(ConfigurationFault, match="base_url"):
        lines(name, {**case(name).credentials, "base_url": url}, VendorHttp())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("methods", [[["reverse_call"]], [{}], [None], "reverse_call", [7]])
def test_methods_are_a_list_of_names(name: str, methods: object) -> None:
    with pytest.raises(ConfigurationFault, match="methods"):
        lines(name, {**case(name).credentials, "methods": methods}, VendorHttp())


@pytest.mark.parametrize(
    "url", ["https://" + "a" * 70 + ".ru", "https://api.example.com:0", "https://api.example.com:99999"]
)
def test_a_base_url_that_no_connection_can_be_made_to_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationFault, match="base_url"):
        lines(NAMES[0], {**case(NAMES[0]).credentials, "base_url": url}, VendorHttp())


def test_what_nobody_foresaw_in_one_entry_switches_off_that_provider_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    faults: list[ConfigurationFault] = []
    text = json.dumps({name: {**case(name).credentials, "countries": ["RU"]} for name in NAMES})
    whole = registry.lines

    def odd(name: str, given: Any, http: VendorHttp) -> Any:
        if name == NAMES[0]:
            raise TypeError("unhashable")
        return whole(name, given, http)

    monkeypatch.setattr(registry, "lines", odd)
    found = Lines(NAMES, lambda: text, faults.append)()
    assert {line.provider for line in found} == set(NAMES[1:])
    assert [fault.setting for fault in faults] == [f"provider-credentials: {NAMES[0]}"]


@pytest.mark.parametrize("name", ["smsru", "telefon-ip", "Twilio", "sms.ru"])
def test_a_name_that_is_no_provider_is_told_and_the_others_go_on(name: str) -> None:
    faults: list[ConfigurationFault] = []
    known = {NAMES[0]: dict(case(NAMES[0]).credentials)}
    found = Lines(NAMES, lambda: json.dumps({name: {}, **known}), faults.append)()
    assert {line.provider for line in found} == {NAMES[0]}
    (fault,) = faults
    assert fault.setting == "provider-credentials"
    assert repr(name) in fault.problem
    assert NAMES[0] in fault.problem


@pytest.mark.parametrize("name", ["k3yT0ken", "x" * 21, "+79000000021", ""])
def test_what_may_be_a_credential_in_a_names_place_is_not_told(name: str) -> None:
    faults: list[ConfigurationFault] = []
    assert Lines(NAMES, lambda: json.dumps({name: {}}), faults.append)() == []
    (fault,) = faults
    assert not name or name not in fault.problem
