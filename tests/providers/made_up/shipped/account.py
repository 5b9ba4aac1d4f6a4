"""What Ringbell says of our account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callverify.providers.account import Account, ask, number


def account(credentials: Mapping[str, Any], base_url: str) -> Account:
    headers = {"Authorization": f"Bearer {credentials['api_key']}"}
    body, time = ask("GET", f"{base_url}/balance", credentials, headers=headers)
    return Account(number(body, "balance"), time=time)
