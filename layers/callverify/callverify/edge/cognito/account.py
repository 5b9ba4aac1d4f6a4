"""An account of the pool, in an administrator's hands."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any


def is_proven(attributes: Mapping[str, str]) -> bool:
    """Whether the account's phone was proven before."""
    return str(attributes.get("phone_number_verified", "")).lower() == "true"


class Accounts:
    """The accounts of one pool. client: of Cognito, made when it is first needed."""

    def __init__(self, client: Callable[[], Any], pool_id: str) -> None:
        self._client = client
        self._pool_id = pool_id

    def give_to_phone(self, username: str, attributes: Mapping[str, str]) -> None:
        """Mark the phone proven, once nobody gets in who could before.

        The account may have been made by somebody else, who knows its password and may be signed in. The mark comes
        last: what fails on the way is done again at the next proof.
        """
        pool_client, account = self._client(), {"UserPoolId": self._pool_id, "Username": username}
        pool_client.admin_set_user_password(**account, Password=_password(), Permanent=True)
        if "email" in attributes:  # by which a new password can be had
            pool_client.admin_delete_user_attributes(**account, UserAttributeNames=["email"])
        for identity in _identities(attributes):
            pool_client.admin_disable_provider_for_user(UserPoolId=self._pool_id, User=identity)
        pool_client.admin_user_global_sign_out(**account)
        proven = {"Name": "phone_number_verified", "Value": "true"}
        pool_client.admin_update_user_attributes(**account, UserAttributes=[proven])


def _password() -> str:
    """One that nobody knows, with a character of each kind that a pool may ask for."""
    return secrets.token_urlsafe(48) + "aA1!"


def _identities(attributes: Mapping[str, str]) -> list[dict[str, str]]:
    """The accounts at other providers that are linked to this one, as Cognito's API names them."""
    linked = json.loads(attributes.get("identities") or "[]")
    return [
        {
            "ProviderName": each["providerName"],
            "ProviderAttributeName": "Cognito_Subject",
            "ProviderAttributeValue": each["userId"],
        }
        for each in linked
    ]
