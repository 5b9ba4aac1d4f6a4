"""What a command says when it can't do what was asked: one sentence, naming what would be right."""

from __future__ import annotations

import click


class Refused(click.ClickException):
    """What was asked can't be done; the message says why, and what would be right."""

    # What is true after Ctrl-C; a command that has changed something by then says more.
    stopped = "stopped"


def on_ctrl_c(says: str) -> None:
    """From here on, Ctrl-C ends the command with this sentence."""
    Refused.stopped = says


def explain(error: Exception) -> str | None:
    """AWS's and the network's errors in a sentence; None for what this command did not expect."""
    from botocore.exceptions import BotoCoreError, ClientError
    from requests import RequestException

    match error:
        case ClientError():
            return refusal(error)
        case BotoCoreError():
            return _unreachable(error)
        case RequestException():
            return f"no answer: {type(error).__name__}"
        case OSError():
            return str(error)
    return None


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
        case exceptions.EndpointConnectionError():
            return f"AWS does not answer: {error}"
    return str(error)


def refusal(error: object) -> str:
    """What AWS refused, of a ClientError."""
    response = getattr(error, "response", {})
    code, message = response["Error"]["Code"], response["Error"].get("Message", "")
    if code in ("ExpiredToken", "ExpiredTokenException", "RequestExpired"):
        return "the AWS credentials have expired: log in again"
    if code in ("InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "AuthFailure"):
        return f"AWS does not know these credentials ({code}): check AWS_PROFILE, AWS_ACCESS_KEY_ID and the region"
    if "AccessDenied" in code:
        return f"these credentials may not do this: {message}"
    return f"AWS refuses {getattr(error, 'operation_name', '')}: {code} {message}"
