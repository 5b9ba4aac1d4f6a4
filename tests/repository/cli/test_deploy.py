"""`callverify deploy` refuses what could not succeed, before anything is built or changed, and says what to do."""

import contextlib
import json
import os
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from click.testing import CliRunner

from cli import deploy, parameters
from cli.deployments import Deployment, Deployments
from cli.errors import Refused, explain
from cli.first_call import next_steps
from cli.preflight import BUCKET_STACK, SECRETS, bucket_of_samconfig, preflight
from cli.target import Target
from local.build import ROOT
from tests.support.command import CALLVERIFY, callverify

CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/00000000-0000-4000-8000-000000000000"
BUCKET = {"OutputKey": "SourceBucket", "OutputValue": "uploads"}


class Aws:
    """A session whose clients answer what a test has put in, in order, and nothing else."""

    def __init__(self) -> None:
        session: Any = boto3.Session("test", "test", region_name="eu-central-1")
        self._clients = {name: session.client(name) for name in ("sts", "cloudformation", "s3", "secretsmanager")}
        self.stubs = {name: Stubber(client) for name, client in self._clients.items()}
        for stub in self.stubs.values():
            stub.activate()

    region_name = "eu-central-1"

    def client(self, name: str) -> Any:
        return self._clients[name]

    def get_available_regions(self, service: str) -> list[str]:  # noqa: ARG002
        return ["eu-central-1"]

    def says(self, service: str, operation: str, answer: dict[str, Any]) -> None:
        self.stubs[service].add_response(operation, answer)

    def refuses(self, service: str, operation: str, code: str, message: str = "") -> None:
        self.stubs[service].add_client_error(operation, code, message)

    def has_stack(self, name: str, state: str, **more: Any) -> None:
        stack = {"StackName": name, "StackStatus": state, "CreationTime": "2026-11-22T10:00:00Z", **more}
        self.says("cloudformation", "describe_stacks", {"Stacks": [stack]})

    def has_no_stack(self) -> None:
        self.refuses("cloudformation", "describe_stacks", "ValidationError", "Stack with id shop does not exist")


@pytest.fixture
def aws() -> Iterator[Aws]:
    aws = Aws()
    aws.says("sts", "get_caller_identity", {"Account": "123456789012"})
    yield aws
    for stub in aws.stubs.values():
        stub.assert_no_pending_responses()


def test_a_first_deployment_may_go_on(aws: Aws) -> None:
    aws.has_no_stack()
    aws.has_stack(BUCKET_STACK, "CREATE_COMPLETE", Outputs=[BUCKET])
    aws.says("s3", "head_bucket", {})
    for _ in SECRETS:
        aws.refuses("secretsmanager", "describe_secret", "ResourceNotFoundException")
    assert preflight(aws, "shop", has_push=True) == ""


def test_the_first_deployment_of_an_account_makes_the_bucket(aws: Aws) -> None:
    aws.has_stack("shop", "UPDATE_COMPLETE")
    aws.has_no_stack()
    assert preflight(aws, "shop", has_push=True) == "UPDATE_COMPLETE"


@pytest.mark.parametrize(
    "given",
    [
        {"LogLevel": "DEBUG", "LogRetentionDays": "7"},
        {"AllowedCountries": "RU,KZ", "ProviderOrder": "smsc,ucaller"},
        {"ProviderOrder": "ucaller:flash_call,smsc,ucaller"},
        {"DomainName": "verify.example.com", "CertificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/1"},
        parameters.defaults(parameters.declared()),
        {},
    ],
)
def test_parameters_that_there_are(given: dict[str, str]) -> None:
    parameters.check(given)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"LogLevle": "DEBUG"}, "no parameter LogLevle: remove it .--unset LogLevle"),
        # Version 1 had it.
        ({"TelefonIpWindowSeconds": "60"}, "secret provider-credentials"),
        ({"ProviderOrder": "telefon_ip,ucaler"}, "there is no provider ucaler; there are "),
        ({"ProviderOrder": "smsc,ucaller:reverse_call"}, "no route ucaller:reverse_call; there are ucaller:flash_call"),
        ({"AllowedCountries": "UK"}, "AllowedCountries='UK' is not valid: Countries whose numbers may be called"),
        ({"RetentionHours": "a day"}, "it must be a number from 1 to "),
        ({"RetentionHours": "0"}, "it must be a number from 1 to "),
        ({"Architecture": "arm"}, "it must be one of "),
        ({"DomainName": "verify.example.com"}, "DomainName needs CertificateArn"),
    ],
)
def test_parameters_that_there_are_not(given: dict[str, str], why: str) -> None:
    with pytest.raises(Refused, match=why):
        parameters.check(given)


def test_what_was_chosen_about_a_stack_is_what_differs_from_its_own_template() -> None:
    """`sam deploy --guided` gives every default as a value of the operator's."""
    template = {"Parameters": {"RetentionHours": {"Default": 12}, "LogLevel": {"Default": "INFO"}, "Gone": {}}}
    values = {"RetentionHours": "12", "LogLevel": "DEBUG", "Gone": "1"}
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
    assert parameters.chosen({"Parameters": given}, template) == {"LogLevel": "DEBUG"}


@pytest.mark.parametrize("config_env", ["default", "dev", "prod"])
def test_the_configuration_of_the_sam_cli_can_be_deployed(config_env: str) -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    given = config[config_env]["deploy"]["parameters"].get("parameter_overrides", "")
    parameters.check(dict(pair.split("=") for pair in given.split()))


def test_the_file_holds_what_was_chosen_and_keeps_what_others_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "callverify.toml"
    monkeypatch.setenv("CALLVERIFY_DEPLOYMENTS", str(file))
    file.write_text("# ours\n[other]\nparameters = { RetentionHours = 48, Tracing = true }\n")
    Deployments.read().put(Deployment("shop", "eu-central-1", {"LogLevel": "DEBUG"}))
    found = Deployments.read()
    assert found.get("shop") == Deployment("shop", "eu-central-1", {"LogLevel": "DEBUG"})
    assert found.get("other") == Deployment("other", None, {"RetentionHours": "48", "Tracing": "true"})
    found.remove("shop")
    assert file.read_text().startswith("# ours\n[other]")
    assert Deployments.read().names == ["other"]


@pytest.mark.parametrize("text", ["shop", "[shop]\nregoin = 'eu-central-1'\n", "shop = 7\n"])
def test_a_file_with_a_mistake_is_not_deployed_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    file = tmp_path / "callverify.toml"
    monkeypatch.setenv("CALLVERIFY_DEPLOYMENTS", str(file))
    file.write_text(text)
    done = callverify("deploy", "--stack", "shop", "--yes")
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {file}")


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        ("ROLLBACK_COMPLETE", "callverify destroy --stack shop"),
        ("DELETE_FAILED", "callverify destroy --stack shop"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name shop"),
        ("UPDATE_IN_PROGRESS", "wait until it ends"),
    ],
)
def test_a_stack_that_can_t_be_updated(aws: Aws, state: str, remedy: str) -> None:
    aws.has_stack("shop", state)
    with pytest.raises(Refused, match=state) as refused:
        preflight(aws, "shop", has_push=True)
    assert remedy in str(refused.value)


@pytest.mark.parametrize(("code", "why"), [("403", "may not be used"), ("404", "does not exist")])
def test_a_bucket_that_can_t_be_used(aws: Aws, monkeypatch: pytest.MonkeyPatch, code: str, why: str) -> None:
    monkeypatch.setattr("cli.preflight.bucket_of_samconfig", lambda: "mine")
    aws.has_stack("shop", "CREATE_COMPLETE")
    aws.refuses("s3", "head_bucket", code)
    with pytest.raises(Refused, match=f"mine, {why}.*s3_bucket"):
        preflight(aws, "shop", has_push=True)


def test_a_bucket_that_was_never_made(aws: Aws) -> None:
    aws.has_stack("shop", "CREATE_COMPLETE")
    aws.has_stack(BUCKET_STACK, "ROLLBACK_COMPLETE")
    with pytest.raises(Refused, match=f"{BUCKET_STACK} is in ROLLBACK_COMPLETE"):
        preflight(aws, "shop", has_push=True)


def test_a_secret_that_an_earlier_stack_left(aws: Aws) -> None:
    aws.has_no_stack()
    aws.has_no_stack()
    aws.says("secretsmanager", "describe_secret", {"Name": "shop/pepper", "DeletedDate": "2026-11-22T10:00:00Z"})
    with pytest.raises(Refused, match="shop/pepper is waiting to be deleted"):
        preflight(aws, "shop", has_push=True)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("ExpiredToken", "have expired"),
        ("InvalidClientTokenId", "does not know these credentials"),
        ("AccessDenied", "may not do"),
    ],
)
def test_credentials_that_aws_refuses(code: str, said: str) -> None:
    aws = Aws()
    aws.refuses("sts", "get_caller_identity", code)
    with pytest.raises(ClientError) as refused:
        preflight(aws, "shop", has_push=True)
    assert said in str(explain(refused.value))


def test_a_region_without_push(aws: Aws) -> None:
    aws.region_name = "nowhere-1"
    with pytest.raises(Refused) as refused:
        preflight(aws, "shop", has_push=True)
    assert "nowhere-1 has no AppSync" in str(refused.value)
    assert "--set PushUpdates=false" in str(refused.value)


@pytest.mark.parametrize(("region", "said"), [("", "no region is set"), ("eu-central-1", "no AWS credentials")])
def test_a_machine_that_knows_no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, region: str, said: str) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("CALLVERIFY_DEPLOYMENTS", str(tmp_path / "deployments.toml"))
    options = ["--region", region] if region else []
    done = callverify("deploy", "--stack", "shop", "--yes", *options)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Building" not in done.stderr
    assert not (tmp_path / "deployments.toml").exists()


def test_nobody_is_asked_where_there_is_no_terminal() -> None:
    done = callverify("deploy")
    assert (done.returncode, done.stderr) == (
        1,
        "Error: there is no terminal to ask in: --yes deploys without asking, --dry-run shows what would change\n",
    )


def next_of(aws: Aws) -> list[str]:
    target = Target("shop", {})
    target.session = aws
    return next_steps(target)


def test_what_is_left_to_do_after_the_first_deployment() -> None:
    aws = Aws()
    event_url = {"ParameterKey": "EventWebhookUrl", "ParameterValue": "https://shop.example.com/events"}
    for empty in ("{}", "[]", "[]"):
        aws.says("secretsmanager", "get_secret_value", {"SecretString": empty})
    aws.has_stack("shop", "CREATE_COMPLETE", Parameters=[event_url])
    steps = "\n".join(next_of(aws))
    for said in (
        "callverify secrets set provider-credentials --stack shop",
        "callverify api-key create",
        "shop/event-signing",
        "AlarmTopicArn",
        "callverify doctor --stack shop",
    ):
        assert said in steps


def test_nothing_but_a_look_is_left_when_all_is_in_place() -> None:
    aws = Aws()
    topic = {"ParameterKey": "AlarmTopicArn", "ParameterValue": "arn:aws:sns:eu-central-1:123456789012:alarms"}
    aws.has_stack("shop", "UPDATE_COMPLETE", Parameters=[topic])
    for filled in ({"telefon_ip": {"token": "fake"}}, [{"name": "shop"}]):
        aws.says("secretsmanager", "get_secret_value", {"SecretString": json.dumps(filled)})
    assert len(next_of(aws)) == 1


def typed(tmp_path: Path, lines: list[str]) -> tuple[int, str]:
    """`callverify deploy` at a terminal, with these lines typed: its exit code, and what the terminal shows."""
    ours, its = os.openpty()
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "CALLVERIFY_DEPLOYMENTS": str(tmp_path / "callverify.toml"),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # nobody answers
        "AWS_MAX_ATTEMPTS": "1",
    }
    os.write(ours, "".join(line + "\n" for line in lines).encode())
    with subprocess.Popen([CALLVERIFY, "deploy"], stdin=its, stdout=its, stderr=its, env=environment) as process:
        code = process.wait(60)
    os.close(its)
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while some := os.read(ours, 65536):
            shown += some
    os.close(ours)
    return code, shown.decode().replace("\r", "")


def test_what_is_answered_wrongly_is_asked_again(tmp_path: Path) -> None:
    code, shown = typed(tmp_path, ["my shop!", "shop", "moon", "eu-central-1"])
    assert code == 1
    for said in ("a stack's name is", "there is no region moon", "Could not connect to the endpoint"):
        assert said in shown, shown
    assert not (tmp_path / "callverify.toml").exists()


def test_a_parameter_that_is_answered_wrongly_is_asked_for_again() -> None:
    lines = ["Russia", "ru, kz", "a domain", "verify.example.com", "abc", CERTIFICATE]
    with CliRunner().isolation("\n".join(lines)) as (shown, *_):
        answers = deploy._answers()
    assert answers == {"AllowedCountries": "RU,KZ", "DomainName": "verify.example.com", "CertificateArn": CERTIFICATE}
    for said in ("AllowedCountries='RUSSIA'", "DomainName='a domain'", "CertificateArn='abc'"):
        assert said.encode() in shown.getvalue()


def test_a_name_that_no_stack_can_have_is_refused_at_once(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = callverify("deploy", "--stack", "my shop!", "--yes", env=environment)
    assert done.returncode == 2
    assert "a stack's name is a letter" in done.stderr


@pytest.mark.parametrize("text", ["[", "default = 1"])
def test_a_samconfig_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    (tmp_path / "samconfig.toml").write_text(text)
    monkeypatch.setattr("cli.preflight.ROOT", tmp_path)
    with pytest.raises(Refused, match=r"samconfig\.toml can't be read"):
        bucket_of_samconfig()
