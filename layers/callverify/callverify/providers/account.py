"""What a vendor says of our account there: whether it takes our credentials, and what money is left. Free of charge.

Asked by tools alone. A provider's module `account` has a function of the same name: it takes the provider's part of the
secret `provider-credentials` and the vendor's base URL, and raises AccountRefused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from importlib import import_module
from typing import Any

from callverify.domain.value import value
from callverify.providers.http import json_object, masked

TIMEOUT_SECONDS = 10


@value
class Account:
    """`balance` in `currency`; `needed`: what one more call needs. `time`: the vendor's, in epoch seconds."""

    balance: float
    needed: float = 0.0
    time: float | None = None
    currency: str = "RUB"

    @property
    def has_money(self) -> bool:
        return self.balance > 0 and self.balance >= self.needed


class AccountRefused(Exception):
    """The vendor does not know us, or says nothing that can be read. The message holds no credential."""


def account_at(name: str) -> Callable[[Mapping[str, Any], str], Account]:
    """The question to one of NAMES."""
    found: Callable[[Mapping[str, Any], str], Account] = import_module(f"callverify.providers.{name}.account").account
    return found


def ask(
    method: str, url: str, credentials: Mapping[str, Any], **request: Any
) -> tuple[Mapping[str, Any], float | None]:
    """The JSON object of an answer that is no error, and the vendor's time."""
    import requests

    try:
        answer = requests.request(method, url, timeout=TIMEOUT_SECONDS, allow_redirects=False, **request)
    except requests.RequestException as error:
        # Without its text, which holds the URL and so a token.
        raise AccountRefused(f"no answer: {type(error).__name__}") from None
    body = json_object(answer.content)
    words = None if body is None else body.get("error") or (answer.status_code >= 400 and body.get("message"))
    if body is not None and words:
        code = body.get("error_code", body.get("code", f"HTTP {answer.status_code}"))
        raise AccountRefused(masked(f"{code}: {words}", *(str(given) for given in credentials.values())))
    if answer.status_code != 200 or body is None:
        raise AccountRefused(f"HTTP {answer.status_code}" if body is not None else "an answer that is not JSON")
    date = answer.headers.get("Date")
    return body, parsedate_to_datetime(date).timestamp() if date else None


def number(body: Mapping[str, Any], name: str) -> float:
    try:
        return float(body[name])
    except (KeyError, TypeError, ValueError):
        raise AccountRefused(f"an answer without `{name}`") from None
