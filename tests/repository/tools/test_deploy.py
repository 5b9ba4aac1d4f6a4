"""`make deploy` refuses what could not succeed, before anything is built or changed, and says what to do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from tools import deploy
from tools.deploy import BUCKET_STACK, SECRETS, Refused, check_parameters, next_steps, preflight, settings_of

SETTINGS = {"stack_name": "shop"}
BUCKET = {"OutputKey": "SourceBucket", "OutputValue": "uploads"}


class Aws:
    """A session whose clients answer what a test has put in, in order, and nothing else."""

    def __init__(self) -> None:
        session: Any = boto3.Session("test", "test", region_name="eu-central-1")
        self._clients = {name: session.client(name) for name in ("sts", "cloudformation", "s3", "secretsmanager")}
        self.stubs = {name: Stubber(client) for name, client in self._clients.items()}
        for stub in self.stubs.values():
            stub.activate()

    def client(self, name: str) -> Any:
        return self._clients[name]

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
    assert preflight(aws, SETTINGS) == ""


def test_the_first_deployment_of_an_account_makes_the_bucket(aws: Aws) -> None:
    aws.has_stack("shop", "UPDATE_COMPLETE")
    aws.has_no_stack()
    assert preflight(aws, SETTINGS) == "UPDATE_COMPLETE"


@pytest.mark.parametrize(
    "given",
    [
        "LogLevel=DEBUG LogRetentionDays=7",
        'AllowedCountries="RU,KZ"',
        ["ProviderOrder=smsc,ucaller", "LogLevel=INFO"],
        ["ProviderOrder=ucaller:flash_call,smsc,ucaller"],
        "",
    ],
)
def test_parameters_that_there_are(given: object) -> None:
    check_parameters({"parameter_overrides": given})
    check_parameters({})


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("LogLevle=DEBUG", "no parameter LogLevle"),
        # Version 1 had them.
        (
            "TelefonIpWindowSeconds=60 SmscBaseUrl=https://smsc.example",
            "TelefonIpWindowSeconds, SmscBaseUrl",
        ),
        ("TelefonIpStart=get", "secret provider-credentials"),
        ("ProviderOrder=telefon_ip,ucaler", "there is no provider ucaler; there are "),
        (["ProviderOrder=telefon-ip"], "there is no provider telefon-ip"),
        ("ProviderOrder=smsc,ucaller:reverse_call", "no route ucaller:reverse_call; there are ucaller:flash_call, "),
        ("ProviderOrder=ucaller:", "there is no route ucaller:; there are "),
    ],
)
def test_parameters_that_there_are_not(given: object, why: str) -> None:
    with pytest.raises(Refused, match=why):
        check_parameters({"parameter_overrides": given})


@pytest.mark.parametrize("config_env", ["default", "dev", "prod"])
def test_our_own_configuration_can_be_deployed(config_env: str) -> None:
    check_parameters(settings_of(config_env))


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        ("ROLLBACK_COMPLETE", "make destroy STACK=shop"),
        ("DELETE_FAILED", "make destroy STACK=shop"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name shop"),
        ("UPDATE_IN_PROGRESS", "wait for the end"),
    ],
)
def test_a_stack_that_can_t_be_updated(aws: Aws, state: str, remedy: str) -> None:
    aws.has_stack("shop", state)
    with pytest.raises(Refused, match=state) as refused:
        preflight(aws, SETTINGS)
    assert remedy in str(refused.value)


@pytest.mark.parametrize(("code", "why"), [("403", "may not be used"), ("404", "does not exist")])
def test_a_bucket_that_can_t_be_used(aws: Aws, code: str, why: str) -> None:
    aws.has_stack("shop", "CREATE_COMPLETE")
    aws.refuses("s3", "head_bucket", code)
    with pytest.raises(Refused, match=f"mine, {why}.*s3_bucket"):
        preflight(aws, SETTINGS | {"s3_bucket": "mine"})


def test_a_bucket_that_was_never_made(aws: Aws) -> None:
    aws.has_stack("shop", "CREATE_COMPLETE")
    aws.has_stack(BUCKET_STACK, "ROLLBACK_COMPLETE")
    with pytest.raises(Refused, match=f"{BUCKET_STACK} is in ROLLBACK_COMPLETE"):
        preflight(aws, SETTINGS)


def test_a_secret_that_an_earlier_stack_left(aws: Aws) -> None:
    aws.has_no_stack()
    aws.has_no_stack()
    aws.says("secretsmanager", "describe_secret", {"Name": "shop/pepper", "DeletedDate": "2026-11-22T10:00:00Z"})
    with pytest.raises(Refused, match="shop/pepper is waiting to be deleted"):
        preflight(aws, SETTINGS)


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
    with pytest.raises(Refused, match=said):
        preflight(aws, SETTINGS)


def without_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.parametrize(("region", "said"), [(None, "no region is set"), ("eu-central-1", "no AWS credentials")])
def test_a_machine_that_knows_no_aws(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    region: str | None,
    said: str,
) -> None:
    without_aws(monkeypatch, tmp_path)
    if region:
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setattr(deploy, "build", lambda: pytest.fail("it builds"))
    assert deploy.main([]) == 1
    assert said in capsys.readouterr().err


def test_an_environment_that_samconfig_does_not_have() -> None:
    assert settings_of("prod")["stack_name"] == "callverify-prod"
    with pytest.raises(Refused, match="it has default, dev, prod"):
        settings_of("production")


def test_what_is_left_to_do_after_the_first_deployment() -> None:
    aws = Aws()
    url = {"OutputKey": "BaseUrl", "OutputValue": "https://api.example.com/v1"}
    event_url = {"ParameterKey": "EventWebhookUrl", "ParameterValue": "https://shop.example.com/events"}
    aws.has_stack("shop", "CREATE_COMPLETE", Outputs=[url], Parameters=[event_url])
    for empty in ("{}", "[]", "[]"):
        aws.says("secretsmanager", "get_secret_value", {"SecretString": empty})
    steps = "\n".join(next_steps(aws, "shop"))
    for said in (
        "BASE_URL=https://api.example.com/v1",
        "shop/provider-credentials",
        "make api-key",
        "shop/event-signing",
        "AlarmTopicArn",
        "make doctor STACK=shop",
    ):
        assert said in steps


def test_nothing_but_a_look_is_left_when_all_is_in_place() -> None:
    aws = Aws()
    topic = {"ParameterKey": "AlarmTopicArn", "ParameterValue": "arn:aws:sns:eu-central-1:123456789012:alarms"}
    aws.has_stack("shop", "UPDATE_COMPLETE", Parameters=[topic])
    for filled in ({"telefon_ip": {"token": "fake"}}, [{"name": "shop"}]):
        aws.says("secretsmanager", "get_secret_value", {"SecretString": json.dumps(filled)})
    assert len(next_steps(aws, "shop")) == 2
