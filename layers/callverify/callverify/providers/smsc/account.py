"""What SMSC says of our account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callverify.providers.account import Account, ask, number


def account(credentials: Mapping[str, Any], base_url: str) -> Account:
    """balance.php, smsc.ru/api/http/balance (read 2026-11): a text in `balance`; errors travel over HTTP 200."""
    names = ("apikey", "login") if credentials.get("apikey") else ("login", "psw")
    form = {name: str(credentials[name]) for name in names if credentials.get(name)}
    form |= {"fmt": "3", "charset": "utf-8"}
    body, time = ask("POST", f"{base_url}/sys/balance.php", credentials, data=form)
    return Account(number(body, "balance"), time=time)
