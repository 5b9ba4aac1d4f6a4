"""What uCaller says of our account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callverify.providers.account import Account, ask, number


def account(credentials: Mapping[str, Any], base_url: str) -> Account:
    """getService and getBalance, developer.ucaller.ru (read 2026-09): errors travel over HTTP 200."""
    headers = {"Authorization": f"Bearer {credentials['key']}.{credentials['service_id']}"}
    ask("POST", f"{base_url}/v1.0/getService", credentials, headers=headers, json={})
    body, time = ask("POST", f"{base_url}/v1.0/getBalance", credentials, headers=headers, json={})
    return Account(number(body, "rub_balance"), time=time)
