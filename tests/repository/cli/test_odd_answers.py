"""Whatever answers at BASE_URL or AWS_ENDPOINT_URL: a sentence, exit code 1, and nothing that looks like success."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli.__main__ import main
from local.env import write_env
from tests.support.command import ARGUMENTS, OF_THE_API

# Status, body, headers. None: the connection is closed without an answer.
ODD: dict[str, tuple[int, bytes, dict[str, str]] | None] = {
    "a page": (200, b"<html></html>", {}),
    "a page that is not there": (404, b"<html></html>", {}),
    "nothing, 503": (503, b"", {}),
    "a redirect": (302, b"", {"Location": "/v1?token=s3cret"}),
    "an empty body": (200, b"", {}),
    "half of JSON": (200, b'{"id": "vrf_1", "sta', {}),
    "half of a body": (200, b'{"id"', {"Content-Length": "100"}),
    "another object": (200, b'{"hello": "world"}', {}),
    "a list": (200, b"[1]", {}),
    "null": (200, b"null", {}),
    "nested too deep": (200, b"[" * 100_000, {}),
    "bytes": (200, bytes(range(256)), {}),
    "the gateway's own words": (403, b'{"message": "Missing Authentication Token"}', {}),
    "members of other types": (
        200,
        json.dumps(dict.fromkeys(["status", "id", "valid", "history", "verifications", "usage", "events"], 7)).encode(),
        {},
    ),
    "no answer": None,
}
OF_AWS = sorted(ARGUMENTS.keys() - {*OF_THE_API, "completion"})
OPEN = "The call may have been started. To find out, repeat the command with --idempotency-key "


class Odd(HTTPServer):
    """Answers every request as it is told to."""

    answer: tuple[int, bytes, dict[str, str]] | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Odd

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        del format, args

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(dict(self.headers))
        if self.server.answer is None:
            return
        status, body, headers = self.server.answer
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Odd]:
    monkeypatch.setenv("HOME", str(tmp_path))
    with Odd() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def run(odd: Odd, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    write_env(tmp_path / "profile", {"BASE_URL": f"{odd.url}/v1", "API_KEY": "k3y", "TEST_API_KEY": "k3y"})

    def run(*words: str) -> tuple[int, str, str]:
        code = main([*words, "--profile", str(tmp_path / "profile")])
        return code, *capsys.readouterr()

    return run


# What may be printed as it came, since the API alone says what is in it.
AS_IT_CAME = {"show", "cancel", "check", "history", "usage", "trigger"}


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (command, kind)
        for command in sorted(OF_THE_API)
        for kind in ODD
        if not (kind == "members of other types" and command in AS_IT_CAME | {"listen"})
    ],
)
def test_of_the_api(odd: Odd, run: Callable[..., tuple[int, str, str]], command: str, kind: str) -> None:
    odd.answer = ODD[kind]
    code, out, err = run(*command.split(), *ARGUMENTS[command], "--json")
    assert code == 1
    assert out == "" or kind == "members of other types"
    error = json.loads(err.splitlines()[-1])["error"]
    assert "BASE_URL" in error
    assert "s3cret" not in err
    assert "k3y" not in err


@pytest.mark.parametrize("command", OF_AWS)
@pytest.mark.parametrize("kind", ["a page that is not there", "an empty body", "a list"])
def test_of_aws(
    odd: Odd,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    kind: str,
) -> None:
    odd.answer = ODD[kind]
    for name, value in {
        "AWS_ENDPOINT_URL": odd.url,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "s3cret",
        "AWS_MAX_ATTEMPTS": "1",
        "CALLVERIFY_DEPLOYMENTS": str(tmp_path / "none.toml"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    (tmp_path / "stdin").write_text("{}")
    words = [*command.split(), *ARGUMENTS[command]]
    words += ["--file", str(tmp_path / "stdin")] if command == "secrets set" else []
    words += [] if command in ("deploy", "destroy") else ["--stack", "shop"]
    assert main([*words, "--json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "AWS_ENDPOINT_URL" in json.loads(err.splitlines()[-1])["error"]
    assert "s3cret" not in err


@pytest.mark.parametrize("kind", ODD)
def test_whether_a_call_may_have_been_started(odd: Odd, run: Callable[..., tuple[int, str, str]], kind: str) -> None:
    odd.answer = ODD[kind]
    _, _, err = run("start", "+79000000103")
    is_open = odd.answer is None or not 300 <= odd.answer[0] < 500
    assert (OPEN in err) == (is_open and kind != "members of other types")


@pytest.mark.parametrize(("code", "is_open"), [("busy", True), ("internal_error", True), ("phone_blocked", False)])
def test_a_problem_says_whether_there_may_be_a_call(
    odd: Odd, run: Callable[..., tuple[int, str, str]], code: str, is_open: bool
) -> None:
    odd.answer = (500, json.dumps({"code": code, "detail": "Two\nlines."}).encode(), {})
    _, _, err = run("start", "+79000000103")
    assert (OPEN in err) == is_open
    assert err.startswith("Error: Two lines. ")
    assert err.count("\n") == 1


def test_a_start_is_repeated_with_the_key_of_the_first(odd: Odd, run: Callable[..., tuple[int, str, str]]) -> None:
    _, _, err = run("start", "+79000000103")
    key = err.split()[-1]
    run("start", "+79000000103", "--idempotency-key", key)
    assert [each["Idempotency-Key"] for each in odd.asked] == [key, key]


def test_the_key_is_sent_whatever_netrc_holds(
    odd: Odd, run: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    run("usage")
    assert odd.asked[0]["Authorization"] == "Bearer k3y"
