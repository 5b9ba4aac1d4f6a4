"""Every command says in a sentence what is wrong, and never in a traceback: the real executable, without a stack."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from local.env import write_env
from tests.support.command import ARGUMENTS, CALLVERIFY, OF_THE_API, callverify, commands
from tests.support.template import ROOT

# They reach nothing that could be missing or slow.
ALONE = {"completion"}
OF_AWS = set(ARGUMENTS) - OF_THE_API - ALONE
# They always name a stack in AWS.
NAMED = {"deploy", "destroy"}
SECONDS = 60


def words(command: str) -> list[str]:
    return [*command.split(), *ARGUMENTS[command]]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Of a machine that knows no AWS and no stack."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "AWS_EC2_METADATA_DISABLED": "true",
        "CALLVERIFY_DEPLOYMENTS": str(tmp_path / "deployments.toml"),
    }


def one_sentence(text: str) -> str:
    """What was said on standard error. It is one line."""
    assert "Traceback" not in text
    lines = text.splitlines()
    assert lines, "nothing was said"
    assert lines[-1].startswith(("Error: ", '{"error": ')), text
    return lines[-1]


def test_every_command_has_arguments_here() -> None:
    assert set(commands()) == set(ARGUMENTS)


@pytest.mark.parametrize("command", ARGUMENTS)
def test_help_has_an_example(command: str, env: dict[str, str]) -> None:
    done = callverify(*command.split(), "--help", env=env)
    assert done.returncode == 0
    assert "Example:\n" in done.stdout
    assert f"callverify {command}" in done.stdout.partition("Example:\n")[2]


@pytest.mark.parametrize("command", sorted(set(ARGUMENTS) - ALONE - NAMED))
def test_without_a_stack(command: str, env: dict[str, str], tmp_path: Path) -> None:
    profile = str(tmp_path / "none")
    done = callverify(*words(command), env=env | {"CALLVERIFY_PROFILE": profile}, stdin="{}")
    assert done.returncode == 1
    assert f"the profile can't be read: [Errno 2] No such file or directory: '{profile}'" in one_sentence(done.stderr)


@pytest.mark.parametrize("command", sorted(OF_AWS))
def test_without_credentials(command: str, env: dict[str, str]) -> None:
    named = [] if command in NAMED else ["--stack", "shop"]
    done = callverify(*words(command), *named, "--json", env=env | {"AWS_REGION": "eu-central-1"}, stdin="{}")
    assert done.returncode == 1
    assert json.loads(one_sentence(done.stderr))["error"].startswith("no AWS credentials: set AWS_PROFILE")
    assert done.stdout == ""


@pytest.mark.parametrize("command", sorted(OF_THE_API))
def test_without_a_key(command: str, env: dict[str, str], tmp_path: Path) -> None:
    write_env(tmp_path / "profile", {"BASE_URL": "http://127.0.0.1:9/v1"})
    done = callverify(*words(command), "--profile", str(tmp_path / "profile"), env=env)
    assert done.returncode == 1
    assert "no API key: set the variable CALLVERIFY_API_KEY" in one_sentence(done.stderr)


@pytest.mark.parametrize("command", sorted(OF_THE_API))
def test_where_nobody_answers(command: str, env: dict[str, str], tmp_path: Path) -> None:
    write_env(tmp_path / "profile", {"BASE_URL": "http://127.0.0.1:9/v1"})
    options = {"CALLVERIFY_API_KEY": "cv_test_x", "CALLVERIFY_PROFILE": str(tmp_path / "profile")}
    done = callverify(*words(command), env=env | options)
    assert done.returncode == 1
    assert "no answer from http://127.0.0.1:9/v1 (ConnectionError)" in one_sentence(done.stderr)
    assert "cv_test_x" not in done.stderr


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(SECONDS)
        yield server


@pytest.mark.parametrize("command", sorted(set(ARGUMENTS) - ALONE))
def test_ctrl_c_in_the_middle(command: str, env: Mapping[str, str], silent: socket.socket, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{silent.getsockname()[1]}"
    aws = {"AWS_ENDPOINT_URL": url, "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "x"}
    aws |= {"AWS_SECRET_ACCESS_KEY": "x"}
    write_env(tmp_path / "profile", {"BASE_URL": url, "API_KEY": "x", "TEST_API_KEY": "x", "STACK_NAME": "shop", **aws})
    options = aws if command in NAMED else {"CALLVERIFY_PROFILE": str(tmp_path / "profile")}
    with subprocess.Popen(
        [CALLVERIFY, *words(command)],
        env={**env, **options},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Run in the background of a shell, the tests ignore it, and so would the command.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdin
        process.stdin.write("{}")
        process.stdin.close()
        process.stdin = None
        connection, _ = silent.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "stopped" in one_sentence(said)


FINALIZER = """
import signal, sys, time
from cli import __main__ as command
class Closing:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
def main(*_given, **_options):
    Closing()
    time.sleep(600)
command.callverify.main = main
sys.exit(command.main([]))
"""


def test_ctrl_c_where_python_drops_it(env: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FINALIZER],
        env=env | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert done.returncode == 130
    assert "stopped" in one_sentence(done.stderr)


def test_an_unknown_command_and_option(env: dict[str, str]) -> None:
    for wrong in (["strat"], ["start"], ["show", "--jsn", "x"], ["trigger", "verification.lost"], ["show", "a/b"]):
        done = callverify(*wrong, env=env | {"CALLVERIFY_PROFILE": "/dev/null"})
        assert done.returncode == 2, wrong
        assert one_sentence(done.stderr).startswith("Error: ")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, env: dict[str, str]) -> None:
    assert "_CALLVERIFY_COMPLETE" in callverify("completion", shell, env=env).stdout
    asked = {"_CALLVERIFY_COMPLETE": "bash_complete", "COMP_WORDS": "callverify api-key cr", "COMP_CWORD": "2"}
    assert callverify(env=env | asked).stdout == "plain,create\n"
