"""Whether a deployment can succeed, asked before anything is built: `sam deploy` finds out by rolling back."""

from __future__ import annotations

import tomllib
from typing import Any

from botocore.exceptions import ClientError

from cli.errors import Refused, code_of
from local.build import ROOT, SAM

SECRETS = ("pepper", "provider-credentials", "api-keys", "event-signing")
# The stack in which the SAM CLI keeps its bucket for uploads.
BUCKET_STACK = "aws-sam-cli-managed-default"


def preflight(session: Any, stack: str, *, has_push: bool) -> str:
    """The state of the stack so far, "" for none. Raises Refused where `sam deploy` would fail or roll back.

    has_push: whether the stack is to have an AppSync Event API.
    """
    if not SAM.exists():
        raise Refused("the SAM CLI is missing: `make install` installs it")
    cloud_formation = session.client("cloudformation")  # first: unlike sts, it wants a region
    session.client("sts").get_caller_identity()
    if has_push and session.region_name not in session.get_available_regions("appsync"):
        raise Refused(
            f"{session.region_name} has no AppSync, which push needs: deploy without it, with --set PushUpdates=false, "
            "or choose another --region"
        )
    state = state_of(cloud_formation, stack)
    _check_state(stack, state)
    _check_bucket(session, cloud_formation, bucket_of_samconfig())
    if not state:
        _check_names(session, stack)
    return state


def bucket_of_samconfig() -> str | None:
    """The bucket for uploads that samconfig.toml names, None for the SAM CLI's own."""
    try:
        default = tomllib.loads((ROOT / "samconfig.toml").read_text()).get("default", {})
        found: str | None = default.get("deploy", {}).get("parameters", {}).get("s3_bucket")
    except (OSError, ValueError, AttributeError) as error:
        raise Refused(
            f"samconfig.toml can't be read ({error}): `git checkout samconfig.toml` brings back ours"
        ) from None
    return found


def state_of(cloud_formation: Any, stack: str) -> str:
    try:
        return str(cloud_formation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        if code_of(error) == "ValidationError":  # "Stack with id … does not exist"
            return ""
        raise


def _check_state(stack: str, state: str) -> None:
    if state in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"):
        raise Refused(
            f"{stack} is in {state}: its creation or deletion failed, and it can't be updated. See why in its events; "
            f"then `callverify destroy --stack {stack}`, and deploy again"
        )
    if state == "UPDATE_ROLLBACK_FAILED":
        command = f"aws cloudformation continue-update-rollback --stack-name {stack}"
        raise Refused(f"{stack} is in {state}: fix what its events show, then `{command}`, and deploy again")
    if state.endswith("_IN_PROGRESS") and state != "REVIEW_IN_PROGRESS":
        raise Refused(f"{stack} is in {state}: a change is in progress; wait until it ends")


def _check_bucket(session: Any, cloud_formation: Any, bucket: str | None) -> None:
    if not bucket:
        try:
            described = cloud_formation.describe_stacks(StackName=BUCKET_STACK)["Stacks"][0]
        except ClientError as error:
            if code_of(error) == "ValidationError":
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
            code_of(error), f"can't be used ({code_of(error)})"
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
            if code_of(error) == "ResourceNotFoundException":
                continue
            raise
        command = f"aws secretsmanager delete-secret --force-delete-without-recovery --secret-id {secret_id}"
        state = "is waiting to be deleted" if deleted else "is there"
        raise Refused(
            f"there is no stack {stack}, but the secret {secret_id} {state}, so that the stack can't make it. If "
            f"nobody needs it: `{command}`; or choose another name with --stack"
        )
