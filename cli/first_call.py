"""What comes after a deployment: the first verified call, in test mode, and what is still to be done."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from cli.api import Api, Problem
from cli.api_keys import USUAL_SCOPES, add_key, secret_of
from cli.errors import Refused
from cli.output import summary
from cli.target import KEY_VARIABLE, TEST, Target

KEY_NAME = "first call"
# A container that has just read the secret again does not know a new key for 10 s.
KEY_APPEARS_WITHIN_SECONDS = 30
TEST_NUMBER, TEST_CODE = "+79000000101", "0000"


def first_call(target: Target) -> None:
    """Make a test key, print it, and carry one verification of a test number through with it. Raises Refused."""
    key = add_key(target.client("secretsmanager"), secret_of(target.name), KEY_NAME, TEST, list(USUAL_SCOPES))
    click.echo(f"A test key named {KEY_NAME!r}. It is shown only now:\n  {key}")
    started = _started(Api(target.base_url, key))
    click.echo(f"  {summary(started)}")
    checked = Api(target.base_url, key).call(
        "POST", f"/verifications/{started['id']}/check", {"code": TEST_CODE}, has="valid"
    )
    click.echo(f"  {summary(checked)}")
    click.echo(f"The same by hand: {KEY_VARIABLE}=… callverify start {TEST_NUMBER} --stack {target.name}\n")


def _started(api: Api) -> Any:
    deadline = time.monotonic() + KEY_APPEARS_WITHIN_SECONDS
    while True:
        try:
            return api.call("POST", "/verifications", {"phone": TEST_NUMBER, "method": "flash_call"})
        except Problem as problem:
            if problem.status not in (401, 403) or time.monotonic() > deadline:
                raise Refused(f"the first call did not work: {problem.format_message()}") from None
            time.sleep(1)


def next_steps(target: Target) -> list[str]:
    """What a deployed stack still needs before it can verify anybody."""
    client, stack = target.client("secretsmanager"), target.name

    def is_empty(name: str) -> bool:
        text = client.get_secret_value(SecretId=f"{stack}/{name}").get("SecretString") or ""
        try:
            return not json.loads(text or "null")
        except ValueError:
            return False

    steps = []
    if is_empty("provider-credentials"):
        steps.append(
            "set the vendors' credentials; without them, no call can be made (docs/operations.md, Secrets):\n"
            f"    callverify secrets set provider-credentials --stack {stack}"
        )
    if is_empty("api-keys"):
        steps.append(f"create an API key:\n    callverify api-key create NAME --mode test --stack {stack}")
    if target.parameters.get("EventWebhookUrl") and is_empty("event-signing"):
        steps.append(
            "set a secret to sign events with; without it, none is sent:\n"
            f"""    echo "[\\"whsec_$(openssl rand -base64 32)\\"]" | aws secretsmanager put-secret-value """
            f"--secret-id {stack}/event-signing --secret-string file:///dev/stdin"
        )
    if not target.parameters.get("AlarmTopicArn"):
        steps.append("name an SNS topic for the alarms: callverify deploy --set AlarmTopicArn=ARN")
    steps.append(f"check the stack:\n    callverify doctor --stack {stack}")
    return steps
