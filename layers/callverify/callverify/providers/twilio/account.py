"""What Twilio says of our account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callverify.providers.account import Account, ask, number


def account(credentials: Mapping[str, Any], base_url: str) -> Account:
    """Balance.json, twilio-oai's FetchBalance (read 2026-11): a text, in the currency of the account."""
    sid, token = str(credentials["account_sid"]), str(credentials["auth_token"])
    body, time = ask("GET", f"{base_url}/2010-04-01/Accounts/{sid}/Balance.json", credentials, auth=(sid, token))
    return Account(number(body, "balance"), time=time, currency=str(body.get("currency") or "USD"))
