"""`make deploy`: looks first whether a deployment can succeed, then builds and deploys, then says what is left to do.

`sam deploy` finds out about most of this after minutes, by rolling back.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)
from samcli.yamlhelper import yaml_parse  # type: ignore[import-untyped]

from callverify.providers import registry
from callverify.providers.names import NAMES
from local.build import ROOT, SAM, build, sam_environment
from local.processes import LocalStackError
from tools.target import DEFAULT_STACK

SECRETS = ("pepper", "provider-credentials", "api-keys", "event-signing")
# The stack in which the SAM CLI keeps its bucket for uploads.
BUCKET_STACK = "aws-sam-cli-managed-default"
NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, ProfileNotFound)


class Refused(Exception):
    """A deployment would not succeed; the message says why and what to do."""


def settings_of(config_env: str, file: Path = ROOT / "samconfig.toml") -> dict[str, Any]:
    """What samconfig.toml says about deploying in this environment. Raises Refused for one that it does not have."""
    config = tomllib.loads(file.read_text())
    if config_env not in config:
        known = ", ".join(name for name in config if name != "version")
        raise Refused(f"samconfig.toml has no environment {config_env!r}; it has {known}")
    tables = (config[config_env].get(command, {}).get("parameters", {}) for command in ("global", "deploy"))
    return {name: value for table in tables for name, value in table.items()}


def check_parameters(settings: dict[str, Any]) -> None:
    """Raises Refused for a parameter that template.yaml does not have, and for a provider that there is not."""
    given = settings.get("parameter_overrides", [])
    pairs = shlex.split(given) if isinstance(given, str) else given
    parameters = {name: value for name, _, value in (pair.partition("=") for pair in pairs)}
    known = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]
    if unknown := [name for name in parameters if name not in known]:
        raise Refused(
            f"template.yaml has no parameter {', '.join(unknown)}: take it out of samconfig.toml. "
            "Vendors' settings are in the secret provider-credentials (docs/operations.md, Secrets)"
        )
    for entry in filter(None, parameters.get("ProviderOrder", "").split(",")):
        name, _, method = entry.partition(":")
        if name not in NAMES:
            raise Refused(f"ProviderOrder: there is no provider {name}; there are {', '.join(NAMES)}")
        if ":" in entry and registry.route(name, method) is None:
            offered = ", ".join(f"{name}:{route.method}" for route in registry.manifest(name).routes)
            raise Refused(f"ProviderOrder: there is no route {entry}; there are {offered}")


def preflight(session: Any, settings: dict[str, Any]) -> str:
    """The state of the stack so far, "" for none. Raises Refused where `sam deploy` would fail or roll back."""
    stack = settings.get("stack_name", DEFAULT_STACK)
    try:
        cloud_formation = session.client("cloudformation")  # first: unlike sts, it wants a region
        session.client("sts").get_caller_identity()
        state = state_of(cloud_formation, stack)
        _check_state(stack, state)
        _check_bucket(session, cloud_formation, settings)
        if not state:
            _check_names(session, stack)
    except NoRegionError:
        raise Refused("no region is set: AWS_DEFAULT_REGION=eu-central-1 make deploy, or `aws configure`") from None
    except NO_CREDENTIALS as error:
        raise Refused(f"no AWS credentials: set AWS_PROFILE, or `aws configure` ({error})") from None
    except EndpointConnectionError as error:
        raise Refused(f"AWS does not answer: {error}") from None
    except ClientError as error:
        raise Refused(_explain(error)) from None
    return state


def state_of(cloud_formation: Any, stack: str) -> str:
    try:
        return str(cloud_formation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":  # "Stack with id … does not exist"
            return ""
        raise


def _check_state(stack: str, state: str) -> None:
    if state in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"):
        raise Refused(
            f"{stack} is in {state}: its creation or deletion failed, and it can't be updated. See why in its events; "
            f"then `make destroy STACK={stack}`, and deploy again"
        )
    if state == "UPDATE_ROLLBACK_FAILED":
        command = f"aws cloudformation continue-update-rollback --stack-name {stack}"
        raise Refused(f"{stack} is in {state}: mend what its events name, then `{command}`, and deploy again")
    if state.endswith("_IN_PROGRESS") and state != "REVIEW_IN_PROGRESS":
        raise Refused(f"{stack} is in {state}: somebody is at it; wait for the end")


def _check_bucket(session: Any, cloud_formation: Any, settings: dict[str, Any]) -> None:
    bucket = settings.get("s3_bucket")
    if not bucket:
        try:
            described = cloud_formation.describe_stacks(StackName=BUCKET_STACK)["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return  # the SAM CLI will make it
            raise
        state = described["StackStatus"]
        bucket = next(
            (o["OutputValue"] for o in described.get("Outputs", []) if o["OutputKey"] == "SourceBucket"), None
        )
        if not bucket:
            raise Refused(
                f"the SAM CLI's stack {BUCKET_STACK} is in {state} and has no bucket: delete that stack, or name a "
                "bucket of yours in samconfig.toml: s3_bucket instead of resolve_s3"
            )
    try:
        session.client("s3").head_bucket(Bucket=bucket)
    except ClientError as error:
        why = {"403": "may not be used with these credentials", "404": "does not exist"}.get(
            error.response["Error"]["Code"], f"can't be used ({error.response['Error']['Code']})"
        )
        raise Refused(
            f"the bucket for uploads, {bucket}, {why}: use a role that may put objects there, or name another in "
            "samconfig.toml: s3_bucket instead of resolve_s3"
        ) from None


def _check_names(session: Any, stack: str) -> None:
    """A first deployment makes secrets by name; one that is left of an earlier stack would roll it back."""
    client = session.client("secretsmanager")
    for name in SECRETS:
        secret_id = f"{stack}/{name}"
        try:
            deleted = client.describe_secret(SecretId=secret_id).get("DeletedDate")
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                continue
            raise
        command = f"aws secretsmanager delete-secret --force-delete-without-recovery --secret-id {secret_id}"
        state = "is waiting to be deleted" if deleted else "is there"
        raise Refused(
            f"there is no stack {stack}, but the secret {secret_id} {state}, so that the stack can't make it. If "
            f"nobody needs it: `{command}`; or choose another stack_name in samconfig.toml"
        )


def _explain(error: ClientError) -> str:
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code in ("ExpiredToken", "ExpiredTokenException", "RequestExpired"):
        return "the AWS credentials have expired: log in again"
    if code in ("InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "AuthFailure"):
        return f"AWS does not know these credentials ({code}): look at AWS_PROFILE, AWS_ACCESS_KEY_ID and the region"
    if "AccessDenied" in code:
        return f"these credentials may not do what a deployment needs: {message}"
    return f"AWS refuses {error.operation_name}: {code} {message}"


def next_steps(session: Any, stack: str) -> list[str]:
    """What a deployed stack still needs before it can verify anybody."""
    described = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in described.get("Parameters", [])}
    client = session.client("secretsmanager")

    def is_empty(name: str) -> bool:
        text = client.get_secret_value(SecretId=f"{stack}/{name}").get("SecretString") or ""
        try:
            return not json.loads(text or "null")
        except ValueError:
            return False

    steps = []
    if is_empty("provider-credentials"):
        steps.append(
            "put in the vendors' credentials, else no call can be made (docs/operations.md, Secrets):\n"
            f"    aws secretsmanager put-secret-value --secret-id {stack}/provider-credentials "
            "--secret-string file:///dev/stdin\n"
            "    then paste the JSON, press Enter and Ctrl-D"
        )
    if is_empty("api-keys"):
        steps.append(f"make an API key:\n    make api-key NAME=… MODE=test STACK={stack}")
    if parameters.get("EventWebhookUrl") and is_empty("event-signing"):
        steps.append(
            "put in a secret to sign events with, else none is sent:\n"
            f"""    echo "[\\"whsec_$(openssl rand -base64 32)\\"]" | aws secretsmanager put-secret-value """
            f"--secret-id {stack}/event-signing --secret-string file:///dev/stdin"
        )
    if not parameters.get("AlarmTopicArn"):
        steps.append("name an SNS topic for the alarms: parameter AlarmTopicArn")
    steps.append(f"look whether all is in place:\n    make doctor STACK={stack}")
    return [f"BASE_URL={outputs.get('BaseUrl', '')}", *steps]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.deploy", description=__doc__)
    parser.add_argument("--config-env", default="default", help="an environment of samconfig.toml")
    chosen = parser.parse_args(arguments)
    try:
        settings = settings_of(chosen.config_env)
        check_parameters(settings)
        session = boto3.Session(region_name=settings.get("region"), profile_name=settings.get("profile"))
        preflight(session, settings)
        build()
    except (Refused, LocalStackError, BotoCoreError) as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    command = [SAM, "deploy", "--config-env", chosen.config_env]
    deployed = subprocess.run(command, cwd=ROOT, env=sam_environment(), check=False)  # noqa: S603
    if deployed.returncode:
        return deployed.returncode
    stack = settings.get("stack_name", DEFAULT_STACK)
    try:
        first, *steps = next_steps(session, stack)
    except (BotoCoreError, ClientError) as error:
        print(f"deployed; what is left to do could not be looked at: {error}", file=sys.stderr)
        return 0
    print(f"\nDeployed {stack}: {first}\nNext:")
    for number, step in enumerate(steps, 1):
        print(f" {number}. {step}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
