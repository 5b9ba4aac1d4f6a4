"""What a vendor says of our account there: whether it takes our credentials, and what money is left. Free of charge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from callverify.models import ProviderName
from callverify.providers.http import json_object, masked

TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Account:
    """`balance` in roubles; `needed`: what must be left for one more call. `time`: the vendor's, in epoch seconds."""

    balance: float
    needed: float = 0.0
    time: float | None = None

    @property
    def has_money(self) -> bool:
        return self.balance > 0 and self.balance >= self.needed


class AccountRefused(Exception):
    """The vendor does not know us, or says nothing that can be read. The message holds no credential."""


def ucaller(credentials: Mapping[str, Any], base_url: str) -> Account:
    """getService and getBalance, developer.ucaller.ru (read 2026-09): errors travel over HTTP 200."""
    headers = {"Authorization": f"Bearer {credentials['key']}.{credentials['service_id']}"}
    _ask("POST", f"{base_url}/v1.0/getService", credentials, headers=headers, json={})
    body, time = _ask("POST", f"{base_url}/v1.0/getBalance", credentials, headers=headers, json={})
    return Account(_number(body, "rub_balance"), time=time)


def telefon_ip(credentials: Mapping[str, Any], base_url: str) -> Account:
    """get_balance, docs.telefon-ip.ru (read 2026-10). `balance_limit` is taken for the least that must stay."""
    body, time = _ask("GET", f"{base_url}/api/v1/authcalls/{credentials['token']}/get_balance/", credentials)
    data = body.get("data")
    if body.get("success") is not True or not isinstance(data, dict):
        raise AccountRefused("an answer without success")
    needed = sum(_number(data, name) for name in ("price", "balance_limit") if name in data)
    return Account(_number(data, "balance"), needed, time)


def smsc(credentials: Mapping[str, Any], base_url: str) -> Account:
    """balance.php, smsc.ru/api/http/balance (read 2026-11): a text in `balance`; errors travel over HTTP 200."""
    names = ("apikey", "login") if credentials.get("apikey") else ("login", "psw")
    form = {name: str(credentials[name]) for name in names if credentials.get(name)}
    form |= {"fmt": "3", "charset": "utf-8"}
    body, time = _ask("POST", f"{base_url}/sys/balance.php", credentials, data=form)
    return Account(_number(body, "balance"), time=time)


# Each takes the provider's part of the secret `provider-credentials` and its base URL. Raises AccountRefused.
ACCOUNTS: Mapping[ProviderName, Callable[[Mapping[str, Any], str], Account]] = {
    ProviderName.UCALLER: ucaller,
    ProviderName.TELEFON_IP: telefon_ip,
    ProviderName.SMSC: smsc,
}


def _ask(
    method: str, url: str, credentials: Mapping[str, Any], **request: Any
) -> tuple[Mapping[str, Any], float | None]:
    """The JSON object of an answer that is no error, and the vendor's time."""
    try:
        answer = requests.request(method, url, timeout=TIMEOUT_SECONDS, allow_redirects=False, **request)
    except requests.RequestException as error:
        # Without its text, which holds the URL and so a token.
        raise AccountRefused(f"no answer: {type(error).__name__}") from None
    body = json_object(answer.content)
    if body is not None and (words := body.get("error")):
        code = body.get("error_code", body.get("code", f"HTTP {answer.status_code}"))
        raise AccountRefused(masked(f"{code}: {words}", *(str(value) for value in credentials.values())))
    if answer.status_code != 200 or body is None:
        raise AccountRefused(f"HTTP {answer.status_code}" if body is not None else "an answer that is not JSON")
    date = answer.headers.get("Date")
    return body, parsedate_to_datetime(date).timestamp() if date else None


def _number(body: Mapping[str, Any], name: str) -> float:
    try:
        return float(body[name])
    except (KeyError, TypeError, ValueError):
        raise AccountRefused(f"an answer without `{name}`") from None
