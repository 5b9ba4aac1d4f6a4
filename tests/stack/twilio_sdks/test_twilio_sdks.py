"""Twilio's official SDKs, unmodified, on the deployed local stack: the journeys of its quickstart, and every error.

Each SDK is pointed at the stack by one attribute.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.client import Answer, Api, Secrets, Vendors, new_phone, until
from tests.support.twilio_verify import ACCOUNT, OTHER_SERVICE, SERVICE

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).parent
# By the name of its own exception.
EXCEPTIONS = {"python": "TwilioRestException", "node": "RestException"}
COMMANDS: Mapping[str, list[str | Path]] = {
    "python": [ROOT / ".venv-vendors-twilio/bin/python", HERE / "drive.py"],
    "node": ["node", HERE / "drive.mjs", ROOT / ".twilio/package.json"],
}


class Sdk:
    """A client of one SDK, in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], exception: str) -> None:
        self._process = process
        self._exception = exception

    def _ask(self, call: str, /, **given: Any) -> Mapping[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps([call, given]), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        assert line, f"{call} ended the SDK's process"
        answer: Mapping[str, Any] = json.loads(line)
        return answer

    def call(self, call: str, /, **given: Any) -> Mapping[str, Any]:
        answer = self._ask(call, **given)
        assert "found" in answer, answer
        found: Mapping[str, Any] = answer["found"]
        return found

    def raises(self, status: int, code: int, call: str, /, **given: Any) -> str:
        """The message of the SDK's own exception."""
        answer = self._ask(call, **given)
        assert answer.get("raised") == self._exception, answer
        assert (answer["status"], answer["code"]) == (status, code), answer
        assert answer["message"]
        return str(answer["message"])


@contextmanager
def client(sdk: str, base_url: str, password: str, service: str = SERVICE, account: str = ACCOUNT) -> Iterator[Sdk]:
    arguments = [f"{base_url}/twilio", account, password, service]
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMANDS[sdk], *arguments], stdin=pipe, stdout=pipe, text=True) as process:
        yield Sdk(process, EXCEPTIONS[sdk])
        assert process.stdin
        process.stdin.close()


@pytest.fixture(scope="module")
def used() -> Secrets:
    return Secrets()


@pytest.fixture(scope="module")
def vendors(stack: dict[str, str], used: Secrets) -> Vendors:
    return Vendors(stack, used)


@pytest.fixture(scope="module")
def api(stack: dict[str, str], used: Secrets) -> Api:
    return Api(stack, used)


@pytest.fixture(params=COMMANDS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sdk(name: str, stack: dict[str, str]) -> Iterator[Sdk]:
    with client(name, stack["BASE_URL"], stack["API_KEY"]) as sdk:
        yield sdk


@pytest.fixture
def phone() -> str:
    return new_phone()


def dial(api: Api, vendors: Vendors, phone: str, url: str) -> None:
    """The user opens the page and calls the number that it shows."""
    told = parse_qs(urlsplit(url).fragment)
    (id_,), (token,) = told["id"], told["token"]
    shown: Answer = api.read(id_, key=token).expect(200)
    vendors.dial(phone, shown)


# Journeys


def test_the_quickstart(sdk: Sdk, vendors: Vendors, phone: str) -> None:
    service = sdk.call("service")
    assert (service["sid"], service["code_length"]) == (SERVICE, 4)
    created = sdk.call("create", to=phone, channel="sms")
    assert re.fullmatch("VE[0-9a-f]{32}", created["sid"])
    assert (created["status"], created["valid"], created["to"], created["channel"]) == ("pending", False, phone, "sms")
    assert created["account_sid"] == ACCOUNT
    assert created["date_created"]
    assert len(created["send_code_attempts"]) == 1

    code = vendors.code(phone)
    wrong = sdk.call("check", to=phone, code=vendors.wrong_code(phone))
    assert (wrong["status"], wrong["valid"], wrong["sid"]) == ("pending", False, created["sid"])
    right = sdk.call("check", to=phone, code=code)
    assert (right["status"], right["valid"], right["sid"]) == ("approved", True, created["sid"])
    sdk.raises(404, 20404, "check", to=phone, code=code)
    sdk.raises(404, 20404, "fetch", sid=created["sid"])


def test_a_reverse_call_is_checked_by_its_sid_once(sdk: Sdk, api: Api, vendors: Vendors, phone: str) -> None:
    created = sdk.call("create", to=phone, channel="sna")
    sid = created["sid"]
    assert sdk.call("check", verification_sid=sid)["status"] == "pending"
    dial(api, vendors, phone, created["sna"]["url"])
    checked = until(lambda: sdk.call("check", verification_sid=sid), lambda found: bool(found["valid"]))
    assert checked["status"] == "approved"
    sdk.raises(404, 20404, "check", verification_sid=sid)


def test_a_verification_is_read_and_canceled(sdk: Sdk, phone: str) -> None:
    sid = sdk.call("create", to=phone, channel="call")["sid"]
    assert sdk.call("fetch", sid=phone)["sid"] == sid
    assert sdk.call("fetch", sid=sid)["status"] == "pending"
    assert sdk.call("attempts", verification_sid=sid)["conversion_status"] == "unconverted"
    assert sdk.call("update", sid=phone, status="canceled")["status"] == "canceled"
    assert sdk.call("fetch", sid=sid)["status"] == "canceled"
    sdk.raises(404, 20404, "update", sid=sid, status="canceled")


def test_services_are_read(sdk: Sdk) -> None:
    assert re.fullmatch("VA[0-9a-f]{32}", sdk.call("services")["sid"])
    sdk.raises(404, 20404, "create_service", friendly_name="mine")


def test_a_test_key_asks_no_vendor(name: str, stack: dict[str, str], vendors: Vendors) -> None:
    with client(name, stack["BASE_URL"], stack["TEST_API_KEY"]) as sdk:
        sdk.call("create", to="+79000000101", channel="sms")
        assert sdk.call("check", to="+79000000101", code="0000")["status"] == "approved"
    assert vendors.codes("+79000000101") == []


def test_a_key_sid_stands_before_the_key_too(stack: dict[str, str], phone: str) -> None:
    """The other SDK's constructor wants an account's."""
    with client("python", stack["BASE_URL"], stack["API_KEY"], account="SK" + "d" * 32) as sdk:
        assert sdk.call("create", to=phone, channel="call")["account_sid"].startswith("AC")


# Errors, each as the SDK's own exception


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"to": "112"}, "`To`"),
        ({"channel": "email"}, "`Channel`"),
        ({"custom_code": "123456"}, "`CustomCode`"),
        ({"template_sid": "HJ" + "a" * 32}, "`TemplateSid`"),
        ({"rate_limits": "{}"}, "`RateLimits`"),
        ({"tags": "x"}, "`Tags`"),
    ],
)
def test_60200(sdk: Sdk, phone: str, given: dict[str, str], named: str) -> None:
    assert named in sdk.raises(400, 60200, "create", **{"to": phone, "channel": "sms", **given})


def test_60200_for_a_check_of_a_reverse_call_by_its_number(sdk: Sdk, phone: str) -> None:
    sdk.call("create", to=phone, channel="sna")
    assert "`VerificationSid`" in sdk.raises(400, 60200, "check", to=phone)


def test_60202(sdk: Sdk, vendors: Vendors, phone: str) -> None:
    sdk.call("create", to=phone, channel="call")
    code, wrong = vendors.code(phone), vendors.wrong_code(phone)
    states = [sdk.call("check", to=phone, code=wrong)["status"] for _ in range(5)]
    assert states == ["pending"] * 4 + ["max_attempts_reached"]
    sdk.raises(429, 60202, "check", to=phone, code=code)


def test_60203(sdk: Sdk, phone: str) -> None:
    sdk.call("create", to=phone, channel="call")
    sdk.call("update", sid=phone, status="canceled")
    sdk.raises(429, 60203, "create", to=phone, channel="call")


def test_60207(sdk: Sdk) -> None:
    """The limit of an address: 20 starts in 10 minutes."""
    address = f"2001:db8:{new_phone()[-4:]}::1"
    for _ in range(20):
        sdk.call("create", to=new_phone(), channel="sna", device_ip=address)
    sdk.raises(429, 60207, "create", to=new_phone(), channel="sna", device_ip=address)


def test_60212(sdk: Sdk, name: str, stack: dict[str, str], phone: str) -> None:
    sdk.call("create", to=phone, channel="sna")
    sdk.raises(429, 60212, "create", to=phone, channel="sna")
    with client(name, stack["BASE_URL"], stack["API_KEY"], OTHER_SERVICE) as stranger:
        stranger.raises(429, 60212, "create", to=phone, channel="call")


def test_60605(sdk: Sdk) -> None:
    sdk.raises(403, 60605, "create", to="+7701" + "0000000", channel="sms")


def test_20003(name: str, stack: dict[str, str], phone: str) -> None:
    with client(name, stack["BASE_URL"], "cv_live_" + "x" * 43) as sdk:
        sdk.raises(401, 20003, "create", to=phone, channel="sms")
        sdk.raises(401, 20003, "check", to=phone, code="0000")
        sdk.raises(401, 20003, "fetch", sid="VE" + "0" * 32)


def test_20403(sdk: Sdk, phone: str) -> None:
    created = sdk.call("create", to=phone, channel="call")
    sdk.raises(403, 20403, "update", sid=created["sid"], status="approved")


def test_20404(sdk: Sdk, name: str, stack: dict[str, str], phone: str) -> None:
    sdk.raises(404, 20404, "fetch", sid="VE" + "0" * 32)
    sdk.raises(404, 20404, "check", verification_sid="ver_01ABC")
    sid = sdk.call("create", to=phone, channel="call")["sid"]
    with client(name, stack["BASE_URL"], stack["API_KEY"], OTHER_SERVICE) as stranger:
        stranger.raises(404, 20404, "fetch", sid=sid)
        stranger.raises(404, 20404, "check", verification_sid=sid, code="0000")
    with client(name, stack["BASE_URL"], stack["API_KEY"], "my-app") as stranger:
        stranger.raises(404, 20404, "create", to=phone, channel="sms")


def test_20503(sdk: Sdk, vendors: Vendors, phone: str) -> None:
    for provider in ("telefon_ip", "smsc", "sms_ru"):
        vendors.fault(provider, "no_money", phone=phone)
    sdk.raises(503, 20503, "create", to=phone, channel="sna")


def test_nothing_that_was_used_is_in_a_log(stack: dict[str, str], phone: str, used: Secrets) -> None:
    """Numbers stand in the paths of the SDKs' requests: no log of ours has the path."""
    with client("python", stack["BASE_URL"], stack["API_KEY"]) as sdk:
        sdk.call("create", to=phone, channel="call")
        sdk.call("fetch", sid=phone)
    used.phones.add(phone)
    until(lambda: Path(stack["LOG_FILE"]).read_text(), lambda log: "/twilio/v2/Services/{service}/Verifications" in log)
    assert used.found_in(Path(stack["LOG_FILE"]).read_text()) == []
