"""examples/better-auth signs users of better-auth in by a call, on the deployed local stack."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from local.build import ROOT
from local.processes import free_port
from tests.support.client import Secrets, Vendors, new_phone

MODULES = ROOT / ".clients/node_modules"
SECONDS = 60


class Browser:
    """One browser at better-auth's API, with cookies of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.headers["Origin"] = url

    def post(self, path: str, **body: str) -> requests.Response:
        return self._session.post(f"{self._url}/api/auth/phone-number/{path}", json=body, timeout=60)

    def verified(self, phone: str, code: str) -> bool:
        answer = self.post("verify", phoneNumber=phone, code=code)
        assert answer.status_code == 200 or answer.json()["code"] == "INVALID_OTP", answer.text
        return answer.status_code == 200

    def signed_in_as(self) -> Any:
        session = self._session.get(f"{self._url}/api/auth/get-session", timeout=60).json()
        return session and session["user"]["phoneNumber"]


@pytest.fixture
def url(stack: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """The example's server."""
    folder = tmp_path / "better-auth"
    shutil.copytree(ROOT / "examples/better-auth", folder)
    (folder / "node_modules").symlink_to(MODULES)
    url = f"http://localhost:{free_port()}"
    given = {"BASE_URL": stack["BASE_URL"], "API_KEY": stack["API_KEY"]}
    environment = os.environ | given | {"AUTH_URL": url, "BETTER_AUTH_SECRET": "0123456789abcdef" * 4}
    with subprocess.Popen(["node", "server.mjs"], cwd=folder, env=environment) as process:
        try:
            deadline = time.monotonic() + SECONDS
            while True:
                try:
                    requests.get(f"{url}/api/auth/ok", timeout=5).raise_for_status()
                    break
                except requests.ConnectionError:
                    assert time.monotonic() < deadline, "better-auth did not start"
                    time.sleep(0.2)
            yield url
        finally:
            process.terminate()


def test_a_user_of_better_auth_signs_in_by_a_call(stack: dict[str, str], url: str) -> None:
    vendors, phone, other = Vendors(stack, Secrets()), new_phone(), new_phone()
    browser = Browser(url)
    assert browser.post("send-otp", phoneNumber=phone).status_code == 200
    code = vendors.code(phone)
    assert not browser.verified(phone, vendors.wrong_code(phone))
    assert not browser.verified(other, code)  # the call was to another number
    assert not Browser(url).verified(phone, code)  # and for another browser
    assert browser.signed_in_as() is None

    assert browser.verified(phone, code)
    assert browser.signed_in_as() == phone
    assert not browser.verified(phone, code)
    assert len(vendors.starts(phone)) == 1


def test_a_second_send_asks_for_no_second_call(stack: dict[str, str], url: str) -> None:
    vendors, phone = Vendors(stack, Secrets()), new_phone()
    browser = Browser(url)
    assert browser.post("send-otp", phoneNumber=phone).status_code == 200
    again = browser.post("send-otp", phoneNumber=phone)
    assert (again.status_code, again.json()["code"]) == (429, "repeat_too_soon")
    elsewhere = Browser(url).post("send-otp", phoneNumber=phone)
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (409, "verification_in_progress")
    assert len(vendors.starts(phone)) == 1
    assert browser.verified(phone, vendors.code(phone))


def test_what_is_no_number_of_a_phone_is_refused(url: str) -> None:
    for phone in ("+74950000001", "112", "8 900 000 00 11"):
        assert Browser(url).post("send-otp", phoneNumber=phone).status_code == 400
