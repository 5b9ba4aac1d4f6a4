"""Turns: tests share a stack, and some need it for themselves."""

import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest


class Turn:
    """A test's hold on its stack, beside others or alone.

    Several pytest processes may share one stack; its log file is one that all of them know.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def alone(self) -> None:
        """Wait until no other test is on this stack, and keep all others from it."""
        # Let go of it first: two that share it and both want it alone would wait for each other.
        fcntl.flock(self._file, fcntl.LOCK_UN)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def together(self) -> None:
        """Let the others go on."""
        fcntl.flock(self._file, fcntl.LOCK_SH)


@pytest.fixture
def alone() -> None:
    """For a test that changes what every test on this stack would meet: no other one runs meanwhile."""


@pytest.fixture(autouse=True)
def turn(request: pytest.FixtureRequest) -> Iterator[Turn | None]:
    if "stack" not in request.fixturenames or "LOG_FILE" not in (env := request.getfixturevalue("stack")):
        yield None
        return
    with Path(env["LOG_FILE"]).open() as file:
        turn = Turn(file)
        if request.node.get_closest_marker("alone"):
            turn.alone()
        else:
            turn.together()
        yield turn
