"""Reading a provider's part of the secret `provider-credentials`; every fault names the field, and never its value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from callverify.errors import ConfigurationFault
from callverify.models import ProviderName

# Goes into a URL's path as it is, and can't be "." or "..".
PATH_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._~\-]*")
# Goes into a header as it is.
HEADER_SAFE = re.compile(r"[!-~]+")
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]+")


def credential(
    credentials: Mapping[str, Any],
    provider: ProviderName,
    name: str,
    *,
    at_least: int = 1,
    pattern: re.Pattern[str] = _PRINTABLE,
) -> str:
    """The text of field `name`, of `at_least` that many characters and only characters of `pattern`.

    Raises ConfigurationFault otherwise.
    """
    setting = f"provider-credentials: {provider}"
    if not isinstance(credentials, Mapping):
        raise ConfigurationFault(setting, "must be an object")
    setting = f"{setting}.{name}"
    value = credentials.get(name)
    if value is None or value == "":
        raise ConfigurationFault(setting, "is missing")
    if not isinstance(value, str):
        raise ConfigurationFault(setting, "must be text")
    if len(value) < at_least:
        raise ConfigurationFault(setting, f"must have at least {at_least} characters")
    if not pattern.fullmatch(value):
        raise ConfigurationFault(setting, "has characters that it can't have: was it copied whole, without spaces?")
    return value
