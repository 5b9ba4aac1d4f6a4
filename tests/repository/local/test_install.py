"""The first `make dev`: by uv, and where uv can't reach its packages, by pip."""

import subprocess
import venv
from pathlib import Path
from typing import Any

import pytest

from local import install
from local.build import ROOT


@pytest.mark.parametrize(("uv_fails", "last"), [(False, "uv"), (True, "pip")])
def test_pip_is_fallen_back_on_and_progress_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, uv_fails: bool, last: str
) -> None:
    ran: list[list[str]] = []

    def run(command: list[Any], *, check: bool) -> subprocess.CompletedProcess[bytes]:
        ran.append([str(each) for each in command])
        if command[-1] != requirements:
            assert Path(command[-1]).read_text().startswith("uv==")  # by its hashes alone
        failed = uv_fails and Path(command[0]).name == "uv"
        assert not (failed and check)
        return subprocess.CompletedProcess(command, int(failed))

    requirements = ROOT / "requirements/aws.txt"
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(venv, "create", lambda *_, **__: None)
    install.install(tmp_path / "venv", requirements)

    assert all("--require-hashes" in command for command in ran)
    assert (last == "pip") == ("pip" in ran[-1][:3] and Path(ran[-1][0]).name == "python")
    assert [Path(command[0]).name for command in ran] == ["python", "uv"] + ["python"] * uv_fails
    said = capsys.readouterr().out
    assert "packages of" in said
    assert said.splitlines()[-1].endswith("Done.")
    assert ("pip takes some minutes" in said) == uv_fails
