"""The stack's secrets."""

from __future__ import annotations

import time
from functools import cache

from botocore.exceptions import ClientError

from callverify import aws
from callverify.domain.errors import ConfigurationFault, busy
from callverify.events.telemetry import Telemetry
from callverify.runtime import settings
from callverify.runtime.secret_cache import SecretCache


@cache
def telemetry() -> Telemetry:
    return Telemetry(settings.text("POWERTOOLS_METRICS_NAMESPACE"), settings.text("POWERTOOLS_LOG_LEVEL"))


def secret(setting: str, *, force: bool = False) -> str:
    """The text of the secret that the environment variable `setting` names, cached for SECRET_CACHE_SECONDS.

    Raises Busy where Secrets Manager refuses it: it may be deleted, or access to it denied.
    """
    try:
        text = _cache().get(setting, max_age=settings.secret_seconds(), force=force)
    except ClientError as error:
        if aws.is_busy(error):
            raise
        fault = ConfigurationFault(setting, f"Secrets Manager says {error.response['Error']['Code']}")
        telemetry().configuration_fault(fault)
        raise busy() from fault
    # Which some editors put in front.
    return text.removeprefix("\ufeff")


@cache
def _cache() -> SecretCache:
    def read(setting: str) -> str:
        answer = aws.client("secretsmanager").get_secret_value(SecretId=settings.needed(setting))
        return str(answer.get("SecretString") or "")

    return SecretCache(read=read, clock=time.time, unreadable=telemetry().secret_unreadable)
