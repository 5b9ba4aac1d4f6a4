"""The simulators on a port, and the vendors' public clients, unmodified, in an environment of their own."""

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from simulators.__main__ import QuietHandler
from simulators.app import create_app

ROOT = Path(__file__).resolve().parents[3]

# A method of a client: its name and arguments to the type and the content of its answer.
Call = Callable[..., tuple[str, Any]]


@pytest.fixture
def simulators() -> Iterator[str]:
    """Where the simulators are."""
    server = make_server("127.0.0.1", 0, create_app(), threaded=True, request_handler=QuietHandler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@contextmanager
def client(
    module: str, class_name: str, *, environment: str = ".venv-vendors", elsewhere: str = "", **arguments: Any
) -> Iterator[Call]:
    """One object of a client's class. `arguments` are those of its constructor. elsewhere: see call.py."""
    command = [
        str(ROOT / environment / "bin/python"),
        str(Path(__file__).with_name("call.py")),
        module,
        class_name,
        json.dumps(arguments),
        *([elsewhere] if elsewhere else []),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={}) as process:
        assert process.stdin
        assert process.stdout
        stdin, stdout = process.stdin, process.stdout

        def call(method: str, **given: object) -> tuple[str, Any]:
            print(json.dumps([method, given]), file=stdin, flush=True)
            kind, _, content = stdout.readline().partition(" ")
            assert content, f"{method} raised an exception"
            return kind, json.loads(content)

        yield call
        stdin.close()
