"""What a command says when it can't do what was asked: one sentence, naming what would be right."""

from __future__ import annotations

import traceback
from pathlib import Path

import click

HERE = Path(__file__).parent
AWS_SETTINGS = "the region, AWS_ENDPOINT_URL, AWS_CA_BUNDLE and HTTPS_PROXY"


class Refused(click.ClickException):
    """What was asked can't be done; the message says why, and what would be right."""

    # What is true after Ctrl-C; a command that has changed something by then says more.
    stopped = "stopped"


def on_ctrl_c(says: str) -> None:
    """From here on, Ctrl-C ends the command with this sentence."""
    Refused.stopped = says


def explain(error: Exception) -> str:
    """An error in a sentence, that of AWS, of the network and of what this command did not expect."""
    from botocore.exceptions import BotoCoreError, ClientError
    from requests import RequestException

    from callverify.domain.errors import ConfigurationFault

    match error:
        case click.ClickException():
            return error.format_message()
        case ClientError():
            return refusal(error)
        case BotoCoreError():
            return _unreachable(error)
        case RequestException():
            return f"no answer: {type(error).__name__}"
        case OSError() | ConfigurationFault():
            return str(error)
    return _unexpected(error)


def _unexpected(error: Exception) -> str:
    """Names the place, and not the words: they may hold what was being read."""
    frames = traceback.extract_tb(error.__traceback__)
    what = type(error).__name__
    if any("botocore" in Path(frame.filename).parts for frame in frames):
        return f"AWS's answer or a setting for it can't be read ({what}): check the variables AWS_…, {AWS_SETTINGS}"
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(HERE)]
    place = f" at {Path(ours[-1].filename).relative_to(HERE.parent)}:{ours[-1].lineno}" if ours else ""
    return (
        f"callverify did not expect this ({what}{place}): check BASE_URL and AWS_ENDPOINT_URL. If they are right, "
        "report this as a bug"
    )


def _unreachable(error: Exception) -> str:
    from botocore import exceptions

    match error:
        case (
            exceptions.NoCredentialsError()
            | exceptions.PartialCredentialsError()
            | exceptions.CredentialRetrievalError()
            | exceptions.ProfileNotFound()
        ):
            return f"no AWS credentials: set AWS_PROFILE, or run `aws configure` ({error})"
        case exceptions.NoRegionError():
            return "no region is set: set AWS_DEFAULT_REGION=eu-central-1, or run `aws configure`"
        case exceptions.InvalidRegionError():
            return f"{error} Check --region, callverify.toml and AWS_REGION"
        case exceptions.HTTPClientError() | exceptions.ConnectionError():
            return f"AWS does not answer: {str(error).rstrip('.')}. Check {AWS_SETTINGS}"
    return str(error)


def code_of(error: object) -> str:
    """AWS's code of a ClientError; "" for an answer that has none."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def refusal(error: object) -> str:
    """What AWS refused, of a ClientError."""
    code, operation = code_of(error), getattr(error, "operation_name", "")
    message = getattr(error, "response", {}).get("Error", {}).get("Message", "")
    if not code or code.isdecimal():
        return f"what answers {operation} is not AWS, or is failing ({code} {message}): check {AWS_SETTINGS}"
    if code in ("ExpiredToken", "ExpiredTokenException", "RequestExpired"):
        return "the AWS credentials have expired: log in again"
    if code in ("InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "AuthFailure"):
        return f"AWS does not know these credentials ({code}): check AWS_PROFILE, AWS_ACCESS_KEY_ID and the region"
    if "AccessDenied" in code:
        return f"these credentials may not do this: {message}"
    look = ": check --stack and the region" if code == "ResourceNotFoundException" else ""
    return f"AWS refuses {operation}: {code} {message}{look}"
