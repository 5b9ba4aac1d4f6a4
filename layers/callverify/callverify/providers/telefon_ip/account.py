"""What telefon-ip.ru says of our account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callverify.providers.account import Account, AccountRefused, ask, number


def account(credentials: Mapping[str, Any], base_url: str) -> Account:
    """get_balance, docs.telefon-ip.ru (read 2026-10). `balance_limit` is taken for the least that must stay."""
    body, time = ask("GET", f"{base_url}/api/v1/authcalls/{credentials['token']}/get_balance/", credentials)
    data = body.get("data")
    if body.get("success") is not True or not isinstance(data, dict):
        raise AccountRefused("an answer without success")
    needed = sum(number(data, name) for name in ("price", "balance_limit") if name in data)
    return Account(number(data, "balance"), needed, time)
