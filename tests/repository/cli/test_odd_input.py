"""Odd words, files, streams and settings: a sentence that names what to look at, and never a traceback."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cli.__main__ import main
from cli.credentials import parse
from local.build import ROOT
from tests.support.command import CALLVERIFY

SET = ["secrets", "set", "provider-credentials"]
AWS = {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {**AWS, "AWS_ENDPOINT_URL": NOWHERE, "AWS_MAX_ATTEMPTS": "1", "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CALLVERIFY_DEPLOYMENTS", str(tmp_path / "deployments.toml"))
    monkeypatch.setenv("CALLVERIFY_PROFILE", str(tmp_path / "profile"))
    (tmp_path / "profile").write_text(f"export BASE_URL={NOWHERE}/v1\nexport API_KEY=k\nexport STACK_NAME=shop\n")


def says(capsys: pytest.CaptureFixture[str], code: int, *words: str) -> str:
    """What a command says as it fails: one line."""
    assert main(list(words)) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    "words",
    [
        "start @",
        "start +79000000103 --reference @",
        "start +79000000103 --provider @",
        "check vrf_1 @",
        "block @",
        "usage --day @",
        "search --phone +79000000103 --after @",
        "listen --after @",
        "listen --forward-to @",
        "restore --to @",
        "doctor --phone @",
        "api-key revoke @",
        "paid-calls stop --stack @",
        "deploy --yes --stack @",
        "deploy --yes --region @",
        "destroy --stack @",
    ],
)
def test_an_empty_word_is_no_default(capsys: pytest.CaptureFixture[str], words: str) -> None:
    assert "is empty: give it a value" in says(capsys, 2, *(word.replace("@", "") for word in words.split()))


@pytest.mark.parametrize(
    "words",
    [
        "listen --every nan",
        "listen --forward-to http://",
        "listen --forward-to http://[",
        "redrive",
        "secrets set",
        "start +7 900 000 12 37",
    ],
)
def test_wrong_usage_is_one_line(capsys: pytest.CaptureFixture[str], words: str) -> None:
    says(capsys, 2, *words.split())


@pytest.mark.parametrize("words", [["secrets", "set"], SET])
def test_a_credential_in_the_wrong_place_is_not_repeated(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert "s3cr%t" not in says(capsys, 2, *words, '{"ucaller": {"key": "s3cr%t", "service_id": 1}}')


def test_a_phone_in_the_wrong_place_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    assert "9000001237" not in says(capsys, 2, "show", "+79000001237")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"\xff", "profile: not UTF-8 text. Check --profile"),
        (b"export BASE_URL='x\n", "line 1: not `export NAME=value`"),
        (b"API_KEY=s3cr%t\n", "line 1: not `export NAME=value`"),
        (b"export BASE_URL=http://x/v1\n", "no API key: set the variable CALLVERIFY_API_KEY, or API_KEY"),
        (b"export API_KEY=k\n", "STACK_NAME=…`, or BASE_URL"),
        (b"export API_KEY=k\nexport BASE_URL=''\n", "BASE_URL is not a URL"),
        (b"export API_KEY=k\nexport BASE_URL=x.example/v1\n", "BASE_URL is not a URL"),
        (b"export API_KEY=k\nexport BASE_URL=http://x:99999/v1\n", "BASE_URL is not a URL"),
        ("export API_KEY=s3cr%tЫ\nexport BASE_URL=http://x/v1\n".encode(), "check API_KEY"),
        (b"# mine\n\nexport API_KEY=k\nexport BASE_URL=http://me:s3cr%t@127.0.0.1:9/v1\n", "no answer from http://127"),
    ],
)
def test_a_profile(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: bytes, named: str) -> None:
    (tmp_path / "profile").write_bytes(text)
    said = says(capsys, 1, "show", "vrf_1")
    assert named in said
    assert "s3cr%t" not in said


@pytest.mark.parametrize("text", [b"\xff", b"[shop\n", b"[shop]\nregion = 7\n", b"[shop]\nregion = ['x']\n", None])
def test_deployments(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: bytes | None
) -> None:
    monkeypatch.delenv("CALLVERIFY_PROFILE")
    file = tmp_path / "deployments.toml"
    if text is None:
        file.mkdir()
    else:
        file.write_bytes(text)
    assert str(file) in says(capsys, 1, "dashboard", "--stack", "shop")


@pytest.mark.parametrize("text", [b"", b"\xff\x80", b"[" * 100_000, b'{"ucaller": {"key": "s3cr%t'])
def test_credentials_from_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: bytes) -> None:
    (tmp_path / "file").write_bytes(text)
    said = says(capsys, 1, *SET, "--file", str(tmp_path / "file"))
    assert "it is not JSON" in said
    assert "s3cr%t" not in said


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_credentials_in_any_encoding(encoding: str) -> None:
    assert parse('{"a": "ы"}'.encode(encoding)) == {"a": "ы"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL", NOWHERE),
        ("AWS_ENDPOINT_URL", "somewhere"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:99999"),
        ("AWS_MAX_ATTEMPTS", "many"),
        ("AWS_DEFAULT_REGION", "eu central"),
    ],
)
def test_a_setting_for_aws(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert "AWS_" in says(capsys, 1, "dashboard")


@pytest.mark.parametrize("words", ["deploy", "destroy --stack shop", "secrets set provider-credentials"])
def test_a_closed_standard_input(words: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$0" {words} <&-', CALLVERIFY], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "koi8-r"])
def test_a_terminal_that_lacks_a_character(encoding: str) -> None:
    path = f"{ROOT}{os.pathsep}{ROOT / 'layers/callverify'}"
    env = {**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    script = (
        "import sys; from cli.__main__ import main; import cli.target as t; from cli.api import Api; "
        "Api.call = lambda *a, **k: {'day': 'ы→\\U0001f600é', 'mode': 'm', 'usage': []}; "
        "sys.exit(main(['usage', '--json']) or main(['usage']))"
    )
    done = subprocess.run([CALLVERIFY.parent / "python", "-c", script], capture_output=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
