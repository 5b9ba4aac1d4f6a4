"""Every command on the deployed local stack, by the real executable."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from local.env import write_env
from tests.support.client import new_phone, until
from tests.support.command import ARGUMENTS, CALLVERIFY, NO_ID, callverify

# Those that are about a stack in AWS, or have a test of their own.
ELSEWHERE = {
    "deploy",
    "destroy",
    "completion",
    "restore",
    "listen",
    "api-key create",
    "api-key revoke",
    "block",
    "unblock",
    "paid-calls stop",
}
SECONDS = 60


@pytest.fixture
def profile(stack: dict[str, str], tmp_path: Path) -> str:
    write_env(tmp_path / "env", stack)
    return str(tmp_path / "env")


def run(profile: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    done = callverify(*arguments, "--profile", profile, stdin=stdin)
    assert "Traceback" not in done.stderr
    return done


def printed(done: subprocess.CompletedProcess[str]) -> list[Any]:
    """What --json printed, a line each."""
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("command", sorted(ARGUMENTS.keys() - ELSEWHERE))
def test_json(profile: str, command: str) -> None:
    done = run(profile, *command.split(), *ARGUMENTS[command], "--json", stdin="{}")
    if NO_ID in ARGUMENTS[command]:
        assert done.returncode == 1
        assert done.stdout == ""
        assert "(not_found, request " in json.loads(done.stderr)["error"]
    else:
        assert printed(done)
        assert done.returncode == 0 or command == "doctor", done.stderr  # another test's fault may stand there


@pytest.mark.parametrize("command", ["show", "check", "cancel"])
@pytest.mark.parametrize("id_", ["vrf_", "7", "vrf_test_00000000000000000000000000"])
def test_a_wrong_id(profile: str, command: str, id_: str) -> None:
    done = run(profile, command, id_, *ARGUMENTS[command][1:])
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1


def test_a_verification_is_watched_until_it_ends(profile: str, stack: dict[str, str]) -> None:
    done = run(profile, "start", "+79000000103")
    assert done.returncode == 0
    first, *_, last = done.stdout.splitlines()
    assert first.startswith("vrf_test_")
    assert "  verified  reverse_call by " in last
    assert "+7******0103" in last
    for secret in ("+79000000103", "cvt.", "cvu.", stack["TEST_API_KEY"]):
        assert secret not in done.stdout + done.stderr
    id_ = first.split()[0]
    assert run(profile, "cancel", id_).stderr.startswith("Error: ")
    (shown,) = printed(run(profile, "show", id_, "--json"))
    assert shown["status"] == "verified"
    happened = run(profile, "history", id_).stdout.splitlines()
    assert "  created  by " in happened[0]
    assert "  verified  by " in happened[-1]


def test_one_that_the_vendor_refuses(profile: str) -> None:
    done = run(profile, "start", "+79000000104")
    assert done.returncode == 1
    assert "provider_rejected" in done.stderr


def test_a_code_is_checked(profile: str) -> None:
    started = printed(run(profile, "start", "+79000000101", "--no-wait", "--json"))[0]
    assert not {"client_token", "page_url", "updates"} & started.keys()
    assert run(profile, "check", started["id"], "1111").returncode == 1
    done = run(profile, "check", started["id"], "0000")
    assert done.returncode == 0
    assert done.stdout.endswith("right\n")


def test_a_phone_is_found_blocked_and_unblocked(profile: str) -> None:
    phone = new_phone()
    (started,) = printed(run(profile, "start", phone, "--no-wait", "--json"))
    (canceled,) = printed(run(profile, "cancel", started["id"], "--json"))
    assert canceled["status"] == "canceled"

    def found() -> list[str]:
        (page,) = printed(run(profile, "search", "--phone", phone, "--json"))
        return [each["id"] for each in page["verifications"]]

    until(found, lambda ids: ids == [started["id"]])
    assert printed(run(profile, "block", phone, "--json")) == [{"state": "blocked"}]
    refused = run(profile, "start", phone)
    assert refused.returncode == 1
    assert "phone_blocked" in refused.stderr
    assert run(profile, "unblock", phone).stdout == "unblocked, in the key's mode\n"
    assert "phone_blocked" not in run(profile, "start", phone, "--no-wait").stderr


def test_a_phone_is_erased(profile: str) -> None:
    phone = new_phone()
    (started,) = printed(run(profile, "start", phone, "--no-wait", "--json"))
    refused = run(profile, "erase", started["id"])
    assert (refused.returncode, "verification_pending" in refused.stderr) == (1, True)
    assert run(profile, "erase", "--phone", phone).stdout == "1 erased\n"
    assert "not_found" in run(profile, "show", started["id"]).stderr


def test_a_key_is_made_and_revoked(profile: str) -> None:
    (made,) = printed(run(profile, "api-key", "create", "by command", "--mode", "test", "--all-keys", "--json"))
    assert made["key"].startswith("cv_test_")
    assert made["all_keys"] is True
    listed = run(profile, "api-key", "list").stdout
    assert "by command" in listed
    assert made["key"] not in listed
    assert printed(run(profile, "api-key", "revoke", "by command", "--json")) == [{"revoked": "by command"}]
    assert "no key is named 'by command'" in run(profile, "api-key", "revoke", "by command").stderr


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("{", "it is not JSON"),
        ("[]", "it must be a JSON object of providers"),
        ('{"ucaler": {}}', "there is no provider 'ucaler'; there are "),
        ('{"ucaller": {}, "ucaller": {}}', "ucaller: given twice"),
        ('{"smsc": {"login": "x", "psw": "y", "callback_secret": "short"}}', "smsc.callback_secret"),
    ],
)
def test_credentials_are_looked_at_before_they_are_written(profile: str, given: str, says: str) -> None:
    done = run(profile, "secrets", "set", "provider-credentials", stdin=given)
    assert done.returncode == 1
    assert says in done.stderr


def test_paid_calls_stop_and_go_on(alone: None, profile: str) -> None:  # noqa: ARG001
    assert "paid calls: stopped within " in run(profile, "paid-calls", "stop").stdout
    refused = run(profile, "start", new_phone(), "--method", "flash_call")
    assert refused.returncode == 1
    assert "no_provider_available" in refused.stderr
    assert printed(run(profile, "paid-calls", "resume", "--json"))[0]["paid_calls"] == "allowed"

    def started() -> int:
        return run(profile, "start", new_phone(), "--method", "flash_call", "--no-wait").returncode

    until(started, lambda code: code == 0)


class Receiver(BaseHTTPRequestHandler):
    """A customer's server: keeps what is posted to it."""

    got: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        self.got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    Receiver.got = []
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/events", Receiver.got
    server.shutdown()


def test_events_reach_a_port_of_ones_own(
    profile: str, receiver: tuple[str, list[tuple[dict[str, str], bytes]]], stack: dict[str, str]
) -> None:
    url, got = receiver
    run(profile, "trigger", "verification.verified")
    done = run(profile, "listen", "--forward-to", url, "--test", "--from-start", "--count", "3")
    assert done.returncode == 0
    assert done.stdout.count("→ 204") == len(got) == 3
    secret = done.stderr.partition("Signing secret of this run: ")[2].split()[0]
    assert secret != stack["EVENT_SIGNING_SECRET"]
    for headers, body in got:
        event = Webhook(secret).verify(body, {name.lower(): value for name, value in headers.items()})
        assert event["type"].startswith("verification.")
        assert event["mode"] == "test"


def test_new_events_alone_are_shown_unless_asked(profile: str) -> None:
    """It first reads to the end of what is kept."""
    run(profile, "trigger", "verification.canceled")
    with subprocess.Popen(
        [CALLVERIFY, "listen", "--test", "--json", "--count", "1", "--every", "0.2", "--profile", profile],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        assert process.stderr.readline().startswith("Listening at ")
        for _ in range(20):
            run(profile, "trigger", "verification.expired")
            if process.poll() is not None:
                break
        said, _ = process.communicate(timeout=SECONDS)
    event = json.loads(said)["event"]
    assert event["mode"] == "test"


@pytest.mark.parametrize("event", ["created", "started", "verified", "failed", "expired", "canceled", "erased"])
def test_every_event_can_be_triggered(profile: str, event: str) -> None:
    (resource,) = printed(run(profile, "trigger", f"verification.{event}", "--json"))
    states = {"created": "pending", "started": "pending", "erased": "canceled"}
    assert resource["status"] == states.get(event, event)
    assert resource["mode"] == "test"
