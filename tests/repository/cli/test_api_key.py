"""Keys that are made and revoked at the same time: nobody's write undoes another's."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import boto3
import pytest
from moto import mock_aws

from cli.__main__ import main
from cli.api_keys import USUAL_SCOPES, add_key, revoke_key
from cli.errors import Refused
from cli.secret import TURNS

SECRET = "shop/api-keys"
Between = Callable[[], object]


class Interleaved:
    """A client that lets others work between what it reads and what it writes, once for each of `others`."""

    def __init__(self, client: Any, *others: Between, lose_answer: bool = False) -> None:
        self._client = client
        self._others = list(others)
        self._lose_answer = lose_answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_secret_value(self, **request: Any) -> Any:
        answer = self._client.get_secret_value(**request)
        if self._others:
            self._others.pop(0)()
        return answer

    def update_secret_version_stage(self, **request: Any) -> Any:
        answer = self._client.update_secret_version_stage(**request)
        if self._lose_answer and request["VersionStage"] == "AWSCURRENT":
            self._lose_answer = False
            # What boto3 does about an answer that is lost.
            return self._client.update_secret_version_stage(**request)
        return answer


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        client: Any = boto3.client("secretsmanager", region_name="eu-central-1")
        client.create_secret(Name=SECRET, SecretString="[]")
        yield client
        # Moto is one for all tests of a process.
        client.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)


def names(client: Any) -> list[str]:
    return [
        entry["name"]
        for entry in json.loads(client.get_secret_value(SecretId=SECRET, VersionStage="AWSCURRENT")["SecretString"])
    ]


def add(client: Any, name: str) -> str:
    return add_key(client, SECRET, name, "live", list(USUAL_SCOPES))


def test_a_key_is_made_and_revoked(client: Any) -> None:
    assert add(client, "shop").startswith("cv_live_")
    add(client, "other")
    assert names(client) == ["shop", "other"]
    with pytest.raises(Refused, match="in force"):
        add(client, "shop")
    revoke_key(client, SECRET, "shop")
    assert names(client) == ["other"]
    with pytest.raises(Refused, match="'other'"):
        revoke_key(client, SECRET, "shop")


@pytest.mark.parametrize(
    "name", ["", "x" * 65, "a\nb", "\x00", "\x7f", "\x85", "shop\ufffe", "\ufdd0", "\U0010ffff", "\ud800"], ids=ascii
)
def test_a_name_that_a_log_cannot_carry_is_refused(client: Any, name: str) -> None:
    with pytest.raises(Refused, match="a key's name must have 1 to 64 characters, none of them a control character"):
        add(client, name)
    assert names(client) == []


def test_any_other_name_will_do(client: Any) -> None:
    written = ["x", "x" * 64, "магазин № 1", "\U0001f4de"]
    for name in written:
        add(client, name)
    assert names(client) == written


def test_a_name_from_before_can_be_revoked(client: Any) -> None:
    """One that was added by hand, or before there was a rule."""
    client.put_secret_value(SecretId=SECRET, SecretString=json.dumps([{"name": "a\nb"}]))
    revoke_key(client, SECRET, "a\nb")
    assert names(client) == []


@pytest.mark.parametrize("name", ["a" * 65, "a\nb"])
def test_the_command_says_what_a_name_must_be(
    client: Any,  # noqa: ARG001 (its secret)
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert main(["api-key", "create", name, "--stack", "shop"]) == 1
    assert "Error: a key's name must have 1 to 64 characters" in capsys.readouterr().err


def test_a_key_that_could_not_be_printed_is_named(
    client: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setattr("cli.api_keys.print_json", full)
    assert main(["api-key", "create", "unseen", "--stack", "shop", "--json"]) == 1
    assert "the key 'unseen' is in force, but could not be printed" in capsys.readouterr().err
    assert names(client) == ["unseen"]


@pytest.mark.parametrize("secret", ["{", "{}"])
def test_a_secret_that_is_no_list(
    client: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], secret: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    client.put_secret_value(SecretId=SECRET, SecretString=secret)
    assert main(["api-key", "list", "--stack", "shop"]) == 1
    assert capsys.readouterr().err.startswith("Error: api-keys: ")


def test_another_stack_has_no_such_secret(
    client: Any,  # noqa: ARG001 (its secret)
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert main(["api-key", "list", "--stack", "shpo"]) == 1
    assert "check --stack and the region" in capsys.readouterr().err


def test_making_a_key_does_not_bring_back_one_that_is_revoked_meanwhile(client: Any) -> None:
    add(client, "leaked")
    add(Interleaved(client, lambda: revoke_key(client, SECRET, "leaked")), "new")
    assert names(client) == ["new"]


def test_revoking_a_key_does_not_lose_one_that_is_made_meanwhile(client: Any) -> None:
    add(client, "leaked")
    revoke_key(Interleaved(client, lambda: add(client, "new")), SECRET, "leaked")
    assert names(client) == ["new"]


def test_a_write_by_hand_is_not_undone_either(client: Any) -> None:
    client.put_secret_value(SecretId=SECRET, SecretString='[{"name": "leaked"}]')
    by_hand = json.dumps([{"name": "by hand"}])
    add(Interleaved(client, lambda: client.put_secret_value(SecretId=SECRET, SecretString=by_hand)), "new")
    assert names(client) == ["by hand", "new"]


def test_two_that_revoke_the_same_key_both_succeed(client: Any) -> None:
    add(client, "leaked")
    revoke_key(Interleaved(client, lambda: revoke_key(client, SECRET, "leaked")), SECRET, "leaked")
    assert names(client) == []


def test_two_that_take_the_same_name_at_once(client: Any) -> None:
    with pytest.raises(Refused, match="in force"):
        add(Interleaved(client, lambda: add(client, "shop")), "shop")
    assert names(client) == ["shop"]


def test_an_answer_that_is_lost_loses_no_key(client: Any) -> None:
    key = add(Interleaved(client, lose_answer=True), "shop")
    assert key
    assert names(client) == ["shop"]
    revoke_key(Interleaved(client, lose_answer=True), SECRET, "shop")
    assert names(client) == []


def test_others_that_write_without_end_are_told_of(client: Any) -> None:
    others = [partial(add, client, f"other {number}") for number in range(TURNS)]
    with pytest.raises(Refused, match="run this one again"):
        add(Interleaved(client, *others), "shop")
    assert len(names(client)) == TURNS


def test_no_label_is_left_behind(client: Any) -> None:
    """Versions with a label are kept for ever, and there may be a hundred."""
    for number in range(4):
        add(Interleaved(client, partial(add, client, f"other {number}")), f"key {number}")
    versions = client.list_secret_version_ids(SecretId=SECRET, IncludeDeprecated=True)["Versions"]
    labels = sorted(label for version in versions for label in version.get("VersionStages", []))
    assert labels == ["AWSCURRENT", "AWSPREVIOUS"]


def test_entries_that_cannot_be_read_are_left_alone(client: Any) -> None:
    broken = [7, None, {"name": 1}, "x"]
    client.put_secret_value(SecretId=SECRET, SecretString=json.dumps(broken))
    add(client, "shop")
    revoke_key(client, SECRET, "shop")
    assert json.loads(client.get_secret_value(SecretId=SECRET, VersionStage="AWSCURRENT")["SecretString"]) == broken


@pytest.mark.parametrize("text", ["{}", "not JSON", "null", "7"])
def test_what_is_no_list_is_not_written_over(client: Any, text: str) -> None:
    client.put_secret_value(SecretId=SECRET, SecretString=text)
    with pytest.raises(Refused, match="not a JSON list"):
        add(client, "shop")
    assert client.get_secret_value(SecretId=SECRET, VersionStage="AWSCURRENT")["SecretString"] == text
