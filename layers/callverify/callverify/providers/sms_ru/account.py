"""What SMS.RU says of our account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callverify.providers.account import Account, AccountRefused, ask, number
from callverify.providers.http import masked


def account(credentials: Mapping[str, Any], base_url: str) -> Account:
    """my/balance, sms.ru/api/balance (public clients, seen 2026-11): errors travel over HTTP 200, in `status`."""
    form = {"api_id": str(credentials["api_id"]), "json": "1"}
    body, time = ask("POST", f"{base_url}/my/balance", credentials, data=form)
    if body.get("status") != "OK":
        words = f"{body.get('status_code')}: {body.get('status_text')}"
        raise AccountRefused(masked(words, *(str(given) for given in credentials.values())))
    return Account(number(body, "balance"), time=time)
