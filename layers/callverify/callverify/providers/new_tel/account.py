"""What New-Tel says of our account."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from callverify.providers.account import Account, AccountRefused, ask, number
from callverify.providers.http import masked
from callverify.providers.new_tel.client import signed


def account(credentials: Mapping[str, Any], base_url: str) -> Account:
    """company/get-state, known from a public module for Bitrix (seen 2026-11). A credit line is not counted."""
    keys = str(credentials["api_key"]), str(credentials["signing_key"])
    body, headers = signed("company/get-state", {}, int(time.time()), *keys)
    answer, vendor_time = ask("POST", f"{base_url}/company/get-state", credentials, data=body, headers=headers)
    data = answer.get("data")
    state = data.get("state") if isinstance(data, dict) else None
    if answer.get("status") != "success" or not isinstance(state, dict):
        raise AccountRefused(masked(answer.get("message") or "an answer without success", *keys))
    return Account(number(state, "balance"), time=vendor_time)
