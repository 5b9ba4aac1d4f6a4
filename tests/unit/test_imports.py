"""What is in memory when a function was imported and has not been called: with SnapStart, that is the snapshot."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
# No client or connection, and of the settings what the environment says: nothing that could grow old in a snapshot, or
# be shared by what starts from it.
IMPORT = """
import socket
from unittest import mock

import callverify.aws as aws
from callverify.runtime import secrets, wiring

aws.client = socket.socket.connect = mock.Mock()
import functions.{name}.app
assert not aws.client.called and not socket.socket.connect.called and not aws._clients
made = [
    name for module in (wiring, secrets) for name, cached in vars(module).items()
    if hasattr(cached, "cache_info") and cached.cache_info().currsize
]
assert set(made) <= set(["policy", "telemetry"]), made
"""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_snapshot_holds_imports_alone(name: str) -> None:
    environment = {
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'layers/callverify'}",
        **dict.fromkeys(("PEPPER_SECRET", "API_KEYS_SECRET", "PROVIDER_CREDENTIALS_SECRET", "TABLE_NAME"), "its-name"),
    }
    command = [sys.executable, "-c", IMPORT.format(name=name)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_chance_comes_from_the_operating_system() -> None:
    """The generator of `random` is seeded at import: every container of a snapshot would draw the same."""
    for path in [*(ROOT / "layers/callverify/callverify").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random":
                assert node.attr == "SystemRandom", f"{path}:{node.lineno}"
