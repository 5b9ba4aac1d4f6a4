"""The snippets of docs/snippets work as they stand, in both languages, against the deployed local stack."""

import importlib.util
import json
import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.client import PATIENCE, Operator

SNIPPETS = Path(__file__).resolve().parents[3] / "docs/snippets"
NODE = shutil.which("node")
COOLDOWN_SECONDS = 20

Call = Callable[..., Any]


def in_python(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Call:
    for name in ("BASE_URL", "API_KEY"):
        monkeypatch.setenv(name, env[name])
    spec = importlib.util.spec_from_file_location("server_snippet", SNIPPETS / "server.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def call(function: str, *arguments: Any) -> Any:
        if function == "read_event":
            headers, body, *rest = arguments
            arguments = (headers, body.encode(), *rest)
        return getattr(module, function)(*arguments)

    return call


def in_node(env: dict[str, str]) -> Call:
    script = """
        import * as snippet from %s;
        const [name, given] = JSON.parse(process.argv[1]);
        console.log(JSON.stringify(await snippet[name](...given)));
    """

    def call(function: str, *arguments: Any) -> Any:
        name = re.sub(r"_(\w)", lambda match: match[1].upper(), function)
        program = script % json.dumps((SNIPPETS / "server.mjs").as_uri())
        done = subprocess.run(
            [str(NODE), "--input-type=module", "--eval", program, json.dumps([name, arguments])],
            env={**os.environ, "BASE_URL": env["BASE_URL"], "API_KEY": env["API_KEY"]},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise ValueError(done.stderr)
        return json.loads(done.stdout)

    return call


# The tests need Python alone, so that where Node is missing its half is left out; CI installs it.
@pytest.fixture(
    params=["python", pytest.param("node", marks=pytest.mark.skipif(NODE is None, reason="Node is not installed"))]
)
def call(request: pytest.FixtureRequest, stack: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Call:
    return in_python(stack, monkeypatch) if request.param == "python" else in_node(stack)


@pytest.fixture
def click(call: Call) -> tuple[str, str, str]:
    """A phone, a click's key and an address that nobody else has."""
    number = random.randint(0, 9_999_999)
    return f"+7900{number:07}", call("new_click"), f"198.51.100.{number % 250 + 1}"


def test_a_flash_call(call: Call, stack: dict[str, str], click: tuple[str, str, str]) -> None:
    started = call("start", *click, "flash_call")
    rang = requests.get(f"{stack['SIMULATOR_URL']}/phone/{click[0]}", timeout=60).json()["incoming_calls"]
    code = rang[0]["from"][-4:]
    assert call("check", started["id"], "0000") is False  # which is never a code
    assert call("check", started["id"], code) is True
    assert call("wait", started["id"])["status"] == "verified"
    with pytest.raises(Exception, match="409 verification_not_pending"):
        call("check", started["id"], code)


def test_a_reverse_call_and_a_start_sent_twice(call: Call, stack: dict[str, str], click: tuple[str, str, str]) -> None:
    started = call("start", *click)
    assert call("start", *click)["id"] == started["id"]
    dial = {"number": started["challenge"]["number"]}
    requests.post(f"{stack['SIMULATOR_URL']}/phone/{click[0]}/dial", json=dial, timeout=60).raise_for_status()
    ended = call("wait", started["id"], 30)
    assert (ended["status"], ended["reference"]) == ("verified", click[1])


@pytest.mark.parametrize("end", ["canceled", "expired"])
def test_a_second_try(end: str, call: Call, stack: dict[str, str], click: tuple[str, str, str]) -> None:
    phone, first_click, address = click
    first = call("start", *click)
    with pytest.raises(Exception, match="409 verification_in_progress"):
        call("start", phone, call("new_click"), address)
    operator = Operator(stack)
    if end == "canceled":
        assert call("cancel", first["id"])["status"] == "canceled"
        operator.age(first["id"], COOLDOWN_SECONDS)
    else:
        operator.end_window(first["id"])
    assert call("wait", first["id"])["status"] == end
    with pytest.raises(Exception, match="409 verification_not_pending"):
        call("cancel", first["id"])

    again = call("new_click")
    assert again != first_click
    second = call("start", phone, again, address)
    assert second["id"] != first["id"]
    assert second["status"] == "pending"
    assert call("start", phone, again, address)["id"] == second["id"]


def test_an_event_is_read_if_it_is_signed(call: Call, stack: dict[str, str], click: tuple[str, str, str]) -> None:
    started = call("start", *click)
    # Every test of the stack has events, and they come in turn: ours is late while others' come.
    deliveries, deadline = list[Any](), time.monotonic() + PATIENCE
    while not (ours := [each for each in deliveries if each["event"]["data"]["id"] == started["id"]]):
        assert time.monotonic() < deadline, f"no event came for {PATIENCE} s"
        time.sleep(0.5)
        seen = len(deliveries)
        deliveries = requests.get(f"{stack['RECEIVER_URL']}/events", timeout=60).json()["deliveries"]
        if len(deliveries) > seen:
            deadline = time.monotonic() + PATIENCE
    headers, body, secret = ours[0]["headers"], ours[0]["body"], stack["EVENT_SIGNING_SECRET"]
    assert call("read_event", headers, body, secret) == ours[0]["event"]

    at = int(headers["webhook-timestamp"])
    rotated = headers | {"webhook-signature": f"v1,{'A' * 43}= {headers['webhook-signature']}"}
    assert call("read_event", rotated, body, secret, at) == ours[0]["event"]
    for wrong_headers, wrong_body, now in (
        (headers, body.replace("pending", "verified"), at),
        (headers | {"webhook-id": "evt_other"}, body, at),
        (headers | {"webhook-timestamp": str(at + 1)}, body, at),
        (headers | {"webhook-signature": "v1,"}, body, at),
    ):
        with pytest.raises(ValueError, match="not signed with our secret"):
            call("read_event", wrong_headers, wrong_body, secret, now)
    with pytest.raises(ValueError, match="not signed with our secret"):
        call("read_event", headers, body, "whsec_" + "A" * 32, at)
    for missing in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        without = {name: value for name, value in headers.items() if name != missing}
        for sent in (without, without | {missing: ""}):
            with pytest.raises(ValueError, match=f"the header {missing} is missing"):
                call("read_event", sent, body, secret, at)
    for nothing in ("", "whsec_"):
        with pytest.raises(ValueError, match="the secret is empty"):
            call("read_event", headers, body, nothing, at)
    with pytest.raises(ValueError, match="too old"):
        call("read_event", headers, body, secret, at + 301)
