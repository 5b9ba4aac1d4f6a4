"""Accounts at the simulated vendors: the credentials that they accept, and what they have to be told once."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from callverify.providers.base import Per
from callverify.providers.registry import manifest
from simulators.registry import simulator

COUNTRIES = ["RU", "KZ"]  # that calls may go to, where the operator has to say


def credentials(name: str, choose: Callable[[str], str] = lambda _: secrets.token_urlsafe(24)) -> dict[str, Any]:
    """A provider's part of `provider-credentials`. `choose(name)` makes each of its members that is ours to choose."""
    given = dict(simulator(name).credentials)
    ours = [field for field in manifest(name).credentials if not {*field.names} & {*given}]
    countries = {"countries": COUNTRIES} if any(route.asks_countries for route in manifest(name).routes) else {}
    return given | {each: choose(each) for field in ours for each in field.names} | countries


def webhook_url(name: str, given: Mapping[str, Any], base_url: str) -> str | None:
    """Where a vendor reports all calls of an account, by its `provider-credentials`; None where each names its own."""
    webhook = manifest(name).webhook
    if webhook is None or webhook.per is not Per.ACCOUNT:
        return None
    return f"{base_url}/webhooks/{name}/{given['webhook_token']}"


def cabinet(name: str, given: Mapping[str, Any], base_url: str) -> dict[str, str] | None:
    """What an operator writes into a vendor's settings: the body of `POST /<provider>/cabinet`, where there is one."""
    url = webhook_url(name, given, base_url)
    return None if url is None else {"handler_url": url} | signing_secret(name, given)


def signing_secret(name: str, given: Mapping[str, Any]) -> dict[str, str]:
    """The credential that a vendor signs its reports with, by its name; empty where it signs none."""
    field = simulator(name).signs_with
    return {field: str(given[field])} if field else {}
