"""The env file: what a shell exports from it, Python and Node find, and our own tools read back."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.env import read_env, write_env

ENV = {
    "BASE_URL": "http://127.0.0.1:4566/_aws/execute-api/ca11ab1e/v1",
    "EVENT_SIGNING_SECRET": "whsec_a+/b==",
    "LOG_FILE": '/srv/it\'s a folder/$HOME `x` "y" /functions.log',
    "EMPTY": "",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_env(tmp_path / "env", ENV)
    return tmp_path / "env"


def test_a_program_of_the_shell_finds_every_name(file: Path) -> None:
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    script = f'. "{file}"; exec "$0" -c "$1"'
    command = ["sh", "-c", script, sys.executable, program]
    found = subprocess.run(command, capture_output=True, text=True, check=True, env={})
    assert json.loads(found.stdout).items() >= ENV.items()


def test_our_tools_read_the_same(file: Path) -> None:
    assert read_env(file) == ENV


def test_only_its_owner_reads_it(file: Path) -> None:
    assert file.stat().st_mode & 0o077 == 0
    assert [each.name for each in file.parent.iterdir()] == ["env"]


@pytest.mark.parametrize("line", ["BASE_URL=http://127.0.0.1", "export BASE_URL", "export A=1 B=2", "export A='1"])
def test_another_form_is_refused_by_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "env").write_text(f"export A=1\n{line}\n")
    with pytest.raises(ValueError, match=r"env, line 2: not `export NAME=value`"):
        read_env(tmp_path / "env")
