"""What `make dev` says: where everything is, how to move it, and a first command to try."""

import re
from pathlib import Path

import pytest

from local.dev import announce
from local.stack import Options, Stack

ENV = {
    "BASE_URL": "http://127.0.0.1:4566/v1",
    "API_KEY": "cv_live_fake",
    "SIMULATOR_URL": "http://127.0.0.1:4600",
    "RECEIVER_URL": "http://127.0.0.1:4650",
}


def test_ports_are_named_with_the_setting_that_changes_each(capsys: pytest.CaptureFixture[str]) -> None:
    announce(Options(Path(".dev"), 4566, 4600, 4650), Stack(ENV, lambda: None))
    said = capsys.readouterr().out
    for address, setting in (("4566", "AWS_PORT"), ("4600", "SIMULATOR_PORT"), ("4650", "RECEIVER_PORT")):
        assert re.search(rf"http://127.0.0.1:{address}.*\({setting}=", said)
    assert "`. .dev/env`" in said


def test_the_first_command_needs_no_variable(capsys: pytest.CaptureFixture[str]) -> None:
    announce(Options(Path(".dev"), 4566, 4600, 4650), Stack(ENV, lambda: None))
    (first, *_) = re.findall(r"^  curl (?:.*\\\n)*.*$", capsys.readouterr().out, re.MULTILINE)
    assert "$" not in first
    assert ENV["BASE_URL"] in first
    assert ENV["API_KEY"] in first
