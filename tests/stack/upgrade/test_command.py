"""An operator's path with the real executable, on an empty embedded AWS: from the first deployment to the last."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from local.aws import EmbeddedAws
from local.build import ROOT, host_architecture
from local.processes import free_port
from tests.support.command import callverify

NAME = "shop"
TEST_NUMBER = "+79000000103"
CHANGES = ("--set", "RetentionHours=48", "--set", 'Brands={"acme": {"name": "Acme"}}')


class Operator:
    """Somebody at a terminal, and how long each of their steps took."""

    def __init__(self, aws: EmbeddedAws, directory: Path) -> None:
        self.aws = aws
        self.file = directory / "callverify.toml"
        self.env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "CALLVERIFY_DEPLOYMENTS": str(self.file),
            "SAM_CLI_POLL_DELAY": "0.5",
            **aws.environment,
        }
        self.took: dict[str, float] = {}

    def run(self, step: str, *arguments: str, stdin: str = "", code: int = 0) -> str:
        started = time.monotonic()
        done = callverify(*arguments, env=self.env, stdin=stdin)
        self.took[step] = time.monotonic() - started
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    def verify(self, step: str) -> None:
        states = [
            json.loads(line) for line in self.run(step, "start", TEST_NUMBER, "--stack", NAME, "--json").splitlines()
        ]
        assert [states[0]["status"], states[-1]["status"]] == ["pending", "verified"]

    def parameter(self, name: str) -> str:
        (stack,) = self.aws.cloud_formation.describe_stacks(StackName=NAME)["Stacks"]
        return next(each["ParameterValue"] for each in stack["Parameters"] if each["ParameterKey"] == name)

    def tables(self) -> list[str]:
        session = boto3.Session("local", "local", region_name=self.env["AWS_REGION"])
        return session.client("dynamodb", endpoint_url=self.aws.endpoint).list_tables()["TableNames"]

    def keep_earlier_states(self, table: str) -> None:
        """What the embedded AWS leaves out of a deployment."""
        session = boto3.Session("local", "local", region_name=self.env["AWS_REGION"])
        session.client("dynamodb", endpoint_url=self.aws.endpoint).update_continuous_backups(
            TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    aws = EmbeddedAws(free_port())
    with aws.running(tmp_path):
        aws.wait()
        yield Operator(aws, tmp_path)


def untracked() -> str:
    status = ["git", "status", "--porcelain"]
    return subprocess.run(status, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.stack
def test_from_the_first_deployment_to_the_last(operator: Operator) -> None:
    before = untracked()
    settings = ["--set", f"Architecture={host_architecture()}", "--set", "SecretCacheSeconds=1"]
    options = ["--region", operator.env["AWS_REGION"], "--countries", "RU,KZ", *settings]
    operator.run("dry run", "deploy", "--stack", NAME, *options, "--dry-run", "--json")
    assert not operator.file.exists()
    assert operator.tables() == []
    operator.run("deployment", "deploy", "--stack", NAME, *options, "--yes", "--json")
    assert "RetentionHours" not in operator.file.read_text()
    key = operator.run("key", "api-key", "create", "first", "--mode", "test", "--stack", NAME)
    operator.env["CALLVERIFY_API_KEY"] = key.strip()
    operator.verify("first verified call")

    credentials = '{"ucaller": {"key": "made-up", "service_id": 1}}'
    operator.run("credentials", "secrets", "set", "provider-credentials", "--stack", NAME, stdin=credentials)
    operator.run("update", "deploy", "--stack", NAME, *CHANGES, "--no-build", "--yes")
    assert 'RetentionHours = "48"' in operator.file.read_text()
    assert operator.parameter("Brands") == '{"acme": {"name": "Acme"}}'
    operator.verify("after the update")
    operator.run("rollback", "deploy", "--stack", NAME, "--unset", "RetentionHours", "--no-build", "--yes")
    assert "RetentionHours" not in operator.file.read_text()

    (own,) = [name for name in operator.tables() if name.startswith(f"{NAME}-Table")]
    operator.keep_earlier_states(own)
    restored = json.loads(operator.run("restore", "restore", "--stack", NAME, "--table", "earlier", "--json"))
    pointed = f"{restored['parameter']}={restored['stream_arn']}"
    operator.run("point at it", "deploy", "--stack", NAME, "--set", pointed, "--no-build", "--yes")
    operator.verify("after the restore")

    assert "nothing was deleted" not in operator.run("deletion", "destroy", "--stack", NAME, stdin=f"{NAME}\n")
    assert {own, "earlier"} <= set(operator.tables())
    assert NAME not in operator.file.read_text()
    assert "there is no stack" not in operator.run("dry run after it", "deploy", "--stack", NAME, *options, "--dry-run")
    assert untracked() == before
    print("\n" + "\n".join(f"{seconds:6.1f} s  {step}" for step, seconds in operator.took.items()))
