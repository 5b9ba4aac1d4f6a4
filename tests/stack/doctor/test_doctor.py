"""`callverify doctor` on the deployed local stack: each fault, put in on purpose, is named with cause and setting."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
import requests

from cli.doctor.command import CHECKS
from local.env import write_env
from tests.repository.cli.test_doctor_domain import DOMAIN_FAULTS
from tests.stack.cognito.test_doctor import POOL_FAULTS
from tests.support.client import SECRETS_KEPT_SECONDS
from tests.support.command import callverify

ROOT = Path(__file__).resolve().parents[3]
LINE = re.compile(r"(ok|warn|FAULT|skip) {2,}(.+?) {2,}(.+)")


class Operator:
    """The hands of somebody who can change everything about a stack."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env
        session: Any = boto3.Session(
            env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], region_name=env["AWS_REGION"]
        )
        self.client: Callable[[str], Any] = lambda name: session.client(name, endpoint_url=env["AWS_ENDPOINT_URL"])
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        self.resources = {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for page in pages
            for each in page["StackResourceSummaries"]
        }

    @property
    def name(self) -> str:
        return self.env["STACK_NAME"]

    @contextmanager
    def secret(self, name: str, change: Callable[[Any], Any]) -> Iterator[None]:
        client, secret_id = self.client("secretsmanager"), f"{self.name}/{name}"
        before = client.get_secret_value(SecretId=secret_id)["SecretString"]
        client.put_secret_value(SecretId=secret_id, SecretString=json.dumps(change(json.loads(before))))
        try:
            yield
        finally:
            client.put_secret_value(SecretId=secret_id, SecretString=before)
            # Functions run beside the doctor's own verification: the next test would meet what they have read.
            time.sleep(SECRETS_KEPT_SECONDS)

    @contextmanager
    def fingerprint(self, text: str) -> Iterator[None]:
        """Have the table know another pepper."""
        client, key = self.client("dynamodb"), {"pk": {"S": "pepper"}}
        name = self.resources["Table"]
        before = client.get_item(TableName=name, Key=key).get("Item")
        client.put_item(TableName=name, Item=key | {"fingerprint": {"S": text}})
        try:
            yield
        finally:
            if before:
                client.put_item(TableName=name, Item=before)
            else:
                client.delete_item(TableName=name, Key=key)

    def credentials(self, provider: str, **changed: str) -> AbstractContextManager[None]:
        return self.secret("provider-credentials", lambda all_: all_ | {provider: all_[provider] | changed})

    @contextmanager
    def simulators(self, path: str, body: dict[str, Any]) -> Iterator[None]:
        url = self.env["SIMULATOR_URL"] + path
        requests.post(url, json=body, timeout=60).raise_for_status()
        try:
            yield
        finally:
            requests.delete(url, timeout=60).raise_for_status()

    @contextmanager
    def table(self, variable: str = "TABLE_NAME", *, ttl: bool = True, backups: bool = True) -> Iterator[None]:
        def set_table(ttl: bool, backups: bool) -> None:
            client, name = self.client("dynamodb"), self.env[variable]
            if client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"] != (
                "ENABLED" if ttl else "DISABLED"
            ):
                client.update_time_to_live(
                    TableName=name, TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": ttl}
                )
            client.update_continuous_backups(
                TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": backups}
            )

        set_table(ttl, backups)
        try:
            yield
        finally:
            set_table(True, True)

    @contextmanager
    def without_alarm(self, logical_id: str) -> Iterator[None]:
        client = self.client("cloudwatch")
        (alarm,) = client.describe_alarms(AlarmNames=[self.resources[logical_id]])["MetricAlarms"]
        client.delete_alarms(AlarmNames=[alarm["AlarmName"]])
        try:
            yield
        finally:
            accepted = client.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
            client.put_metric_alarm(**{name: value for name, value in alarm.items() if name in accepted and value})

    @contextmanager
    def dead_letter(self, logical_id: str) -> Iterator[None]:
        client, url = self.client("sqs"), self.resources[logical_id]
        client.send_message(QueueUrl=url, MessageBody="{}")
        try:
            yield
        finally:
            client.purge_queue(QueueUrl=url)

    @contextmanager
    def disabled_mapping(self, logical_id: str) -> Iterator[None]:
        client, uuid = self.client("lambda"), self.resources[logical_id]
        client.update_event_source_mapping(UUID=uuid, Enabled=False)
        try:
            yield
        finally:
            client.update_event_source_mapping(UUID=uuid, Enabled=True)

    @contextmanager
    def published_by_anybody(self) -> Iterator[None]:
        client, api_id = self.client("appsync"), self.resources["UpdatesApi"].rpartition("/")[2]

        def publishers(auth_type: str) -> None:
            modes = {"publishAuthModes": [{"authType": auth_type}], "subscribeAuthModes": [{"authType": "AWS_LAMBDA"}]}
            client.update_channel_namespace(apiId=api_id, name="verifications", **modes)

        publishers("API_KEY")
        try:
            yield
        finally:
            publishers("AWS_IAM")

    @contextmanager
    def without_concurrency(self, logical_id: str) -> Iterator[None]:
        client, name = self.client("lambda"), self.resources[logical_id]
        version = client.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        # In AWS it holds for all versions, in the embedded AWS for this one alone.
        client.update_alias(FunctionName=name, Name="live", FunctionVersion="$LATEST")
        try:
            yield
        finally:
            client.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
            client.delete_function_concurrency(FunctionName=name)

    @contextmanager
    def without_route(self, path: str) -> Iterator[None]:
        client, api = self.client("apigateway"), self.resources["Api"]
        resources = client.get_resources(restApiId=api, limit=500)["items"]
        (resource,) = [each["id"] for each in resources if each["path"] == path]
        method = {"restApiId": api, "resourceId": resource, "httpMethod": "GET"}
        integration = client.get_method(**method)["methodIntegration"]
        client.delete_method(**method)
        client.create_deployment(restApiId=api, stageName="v1")
        try:
            yield
        finally:
            client.put_method(**method, authorizationType="NONE")
            client.put_integration(
                **method, type=integration["type"], integrationHttpMethod="POST", uri=integration["uri"]
            )
            client.create_deployment(restApiId=api, stageName="v1")


class Seed(NamedTuple):
    """A fault: how it is put in (and out again), the check that finds it, and words of the cause and of the fix."""

    plant: Callable[[Operator], AbstractContextManager[None]]
    check: str
    cause: str
    fix: str


# By the words of docs/operations.md.
SEEDS = {
    "a vendor's key was changed or mistyped": Seed(
        lambda operator: operator.credentials("ucaller", key="another"),
        "account ucaller",
        "401: ",
        "provider-credentials, ucaller",
    ),
    "a vendor's token was taken back": Seed(
        lambda operator: operator.credentials("telefon_ip", token="00000000-0000-4000-8000-000000000001"),
        "account telefon_ip",
        "HTTP 401: Invalid token",
        "provider-credentials, telefon_ip",
    ),
    "SMS.RU's `api_id` was changed or mistyped": Seed(
        lambda operator: operator.credentials("sms_ru", api_id="00000000-0000-0000-0000-000000000001"),
        "account sms_ru",
        "200",
        "provider-credentials, sms_ru",
    ),
    "New-Tel's keys were changed or mistyped": Seed(
        lambda operator: operator.credentials("new_tel", signing_key="0" * 48),
        "account new_tel",
        "",
        "provider-credentials, new_tel",
    ),
    "Twilio's `auth_token` was changed or mistyped": Seed(
        lambda operator: operator.credentials("twilio", auth_token="0" * 32),
        "account twilio",
        "Authenticate",
        "provider-credentials, twilio",
    ),
    "a vendor's reports don't reach this API by its token": Seed(
        lambda operator: operator.without_route("/webhooks/{provider}/{rest+}"),
        "webhook sms_ru",
        "answered ",
        "sms_ru.webhook_token",
    ),
    "a vendor's account has no money left": Seed(
        lambda operator: operator.simulators(
            "/faults", {"provider": "smsc", "mode": "no_money", "on": "balance", "times": None}
        ),
        "account smsc",
        "0.00 RUB left",
        "top up the account",
    ),
    "a secret of SMSC is too short, so that SMSC is off": Seed(
        lambda operator: operator.credentials("smsc", callback_secret="short"),
        "secret provider-credentials",
        "smsc.callback_secret: must have at least 16 characters",
        "only smsc is off",
    ),
    "paid calls are stopped, on purpose or by a slip": Seed(
        lambda operator: operator.secret("provider-credentials", lambda all_: all_ | {"paid_calls": "stoped"}),
        "paid calls",
        "paid_calls",
        "resumes them",
    ),
    "an entry of `api-keys` is malformed, so that this key does not work": Seed(
        lambda operator: operator.secret("api-keys", lambda keys: [*keys, {"name": "shop", "sha256": "abc"}]),
        "secret api-keys",
        "api-keys[",
        "this key does not work until it is corrected",
    ),
    "`api-keys` is no list, so that no key works": Seed(
        lambda operator: operator.secret("api-keys", lambda keys: {"keys": keys}),
        "secret api-keys",
        "the secret must be a JSON list",
        "no key works until it is corrected",
    ),
    "the pepper is another one than the table's": Seed(
        lambda operator: operator.fingerprint("0" * 64),
        "secret pepper",
        "it is not the pepper that the table",
        "pepper",
    ),
    "events are to be sent, and nothing is there to sign them with": Seed(
        lambda operator: operator.secret("event-signing", lambda _: []),
        "secret event-signing",
        "the list is empty",
        "event-signing",
    ),
    "the vendors' reports don't reach this API": Seed(
        lambda operator: operator.without_route("/webhooks/{provider}/{rest+}"),
        "webhook telefon_ip",
        "answered 404, not this API's 404",
        "PublicBaseUrl",
    ),
    "a vendor's clock is wrong": Seed(
        lambda operator: operator.simulators("/clock", {"advance": 86_000}),
        "clock smsc",
        "s off AWS's",
        "tell the vendor",
    ),
    "telefon-ip names the claimed phone before anybody called": Seed(
        lambda operator: operator.simulators("/faults", {"provider": "telefon_ip", "mode": "pending_echoes_phone"}),
        "pending reply telefon_ip",
        "without a status, though nobody has called",
        "remove telefon_ip",
    ),
    "the table's TTL is off": Seed(
        lambda operator: operator.table(ttl=False), "table", "TTL is DISABLED", "TTL on attribute `ttl`"
    ),
    "the table has no point-in-time recovery": Seed(
        lambda operator: operator.table(backups=False), "table", "point-in-time recovery is off", "set it by hand"
    ),
    "the index's TTL is off": Seed(
        lambda operator: operator.table("INDEX_TABLE_NAME", ttl=False),
        "index table",
        "TTL is DISABLED",
        "TTL on attribute `ttl`",
    ),
    "the stream or a queue leads nowhere": Seed(
        lambda operator: operator.disabled_mapping("FollowUpMapping"),
        "stream and queues",
        "FollowUpMapping: Disabl",
        "update-event-source-mapping",
    ),
    "anybody may publish updates": Seed(
        lambda operator: operator.published_by_anybody(),
        "push",
        "publish and subscribe auth modes are [['API_KEY'], ['AWS_LAMBDA']]",
        "PushUpdates=false, then true",
    ),
    "an alarm was deleted": Seed(
        lambda operator: operator.without_alarm("ThrottlesAlarm"),
        "alarms",
        "deleted: ThrottlesAlarm",
        "template.yaml",
    ),
    "a dead letter waits": Seed(
        lambda operator: operator.dead_letter("DeliveryDeadLetterQueue"),
        "dead letters",
        "DeliveryDeadLetterQueue holds 1",
        "callverify redrive",
    ),
    "a function does not run": Seed(
        lambda operator: operator.without_concurrency("StartVerificationFunction"),
        "test verification",
        "POST /verifications answered 429",
        "start-verification",
    ),
}


class Report(NamedTuple):
    code: int
    findings: list[tuple[str, str, str]]
    text: str

    def faults(self) -> list[tuple[str, str, str]]:
        """Without warnings: an alarm may still stand for what another test did."""
        return [finding for finding in self.findings if finding[0] == "FAULT"]


@pytest.fixture
def operator(alone: None, stack: dict[str, str]) -> Operator:  # noqa: ARG001
    operator = Operator(stack)
    for name, url in operator.resources.items():
        if name.endswith("DeadLetterQueue"):
            operator.client("sqs").purge_queue(QueueUrl=url)  # what other tests left
    return operator


@pytest.fixture
def examine(operator: Operator, tmp_path: Path) -> Callable[[], Report]:
    def run() -> Report:
        write_env(tmp_path / "env", operator.env)
        done = callverify("doctor", "--profile", str(tmp_path / "env"))
        found = [(m[1], m[2], m[3]) for line in done.stdout.splitlines() if (m := LINE.match(line))]
        return Report(done.returncode, found, done.stdout)

    return run


def test_a_healthy_stack_passes_and_keeps_its_keys(operator: Operator, examine: Callable[[], Report]) -> None:
    def names() -> list[str]:
        secret = operator.client("secretsmanager").get_secret_value(SecretId=operator.env["API_KEYS_SECRET"])
        return [key["name"] for key in json.loads(secret["SecretString"])]

    before = names()
    report = examine()
    assert report.faults() == []
    assert report.code == 0
    assert len(report.findings) >= len(CHECKS)
    assert names() == before


@pytest.mark.parametrize("fault", SEEDS)
def test_a_fault_is_named(operator: Operator, examine: Callable[[], Report], fault: str) -> None:
    seed = SEEDS[fault]
    with seed.plant(operator):
        report = examine()
    (found,) = [line for line in report.faults() if line[1] == seed.check]
    assert seed.cause in found[2]
    assert seed.fix in report.text
    assert report.code == 1
    secret = json.loads(
        operator.client("secretsmanager").get_secret_value(SecretId=operator.env["PROVIDER_CREDENTIALS_SECRET"])[
            "SecretString"
        ]
    )
    values = [str(value) for account in secret.values() for name, value in account.items() if name != "login"]
    assert [value for value in values if len(value) > 6 and value in report.text] == []


def test_all_is_well_again_afterwards(examine: Callable[[], Report]) -> None:
    assert examine().faults() == []


def test_the_documents_list_the_same_faults() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    _, _, rest = text.partition("\n## Doctor\n")
    rows = [line.strip("|").split("|") for line in rest.split("\n## ")[0].splitlines() if line.startswith("| ")]
    listed = {cells[0].strip(): cells[1].strip(" `") for cells in rows[2:]}
    doors = dict.fromkeys(POOL_FAULTS, "user pool") | dict.fromkeys(DOMAIN_FAULTS, "domain")
    assert listed == {fault: seed.check for fault, seed in SEEDS.items()} | doors
