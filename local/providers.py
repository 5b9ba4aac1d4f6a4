"""The providers of a local stack: accounts at the simulators, and whatever `make dev` was told instead."""

import json
from collections.abc import Mapping
from typing import Any

import requests

from callverify.domain.errors import ConfigurationFault
from callverify.providers import registry
from callverify.providers.http import VendorHttp
from callverify.providers.names import NAMES
from local.processes import LocalStackError
from simulators import accounts


def told(environment: Mapping[str, str]) -> Mapping[str, Any]:
    """What `<NAME>_BASE_URL` and PROVIDERS ask for, by provider. Raises LocalStackError."""
    try:
        changes: Any = json.loads(environment.get("PROVIDERS") or "{}")
    except ValueError as error:
        raise LocalStackError(f"PROVIDERS is no JSON: {error}") from error
    if not isinstance(changes, dict) or not all(isinstance(change, dict | None) for change in changes.values()):
        raise LocalStackError('PROVIDERS must be like {"<provider>": {"window_seconds": 20}}')
    if unknown := changes.keys() - {*NAMES}:
        raise LocalStackError(
            f"PROVIDERS: there is no provider {', '.join(sorted(unknown))}; known providers are {', '.join(NAMES)}"
        )
    urls = {name: {"base_url": url} for name in NAMES if (url := environment.get(f"{name.upper()}_BASE_URL"))}
    asked = {name: None if change is None else urls.get(name, {}) | change for name, change in changes.items()}
    return {**urls, **asked}


def credentials(simulators: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The secret `provider-credentials`: made-up accounts at the simulators, with `changes` merged into them.

    As RFC 7396 merges: an object is merged, null takes a member away, and anything else takes its place. Raises
    LocalStackError where the service could not use it.
    """
    made_up = {name: accounts.credentials(name) | {"base_url": f"{simulators}/{name}"} for name in NAMES}
    merged: dict[str, Any] = _patched(made_up, changes)
    for name, given in merged.items():
        try:
            registry.lines(name, given, VendorHttp())
        except ConfigurationFault as fault:
            raise LocalStackError(f"{fault.setting} {fault.problem}") from fault
    return merged


def at_own_ports(simulators: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The same secret, with each vendor that is simulated at its own port, where it can refuse a connection."""
    ports = requests.get(f"{simulators}/ports", timeout=30).json()["ports"]
    host = simulators.rpartition(":")[0]
    return {
        name: member | {"base_url": f"{host}:{ports[name]}/{name}"}
        if member.get("base_url") == f"{simulators}/{name}"
        else member
        for name, member in given.items()
    }


def fill_cabinets(simulators: str, given: Mapping[str, Any], base_url: str) -> None:
    """Tell the simulated vendors with one address for an account where to report calls, as an operator would."""
    for name, member in given.items():
        if cabinet := accounts.cabinet(name, member, base_url):
            requests.post(f"{simulators}/{name}/cabinet", json=cabinet, timeout=30).raise_for_status()


def environment(given: Mapping[str, Any], base_url: str) -> dict[str, str]:
    """What the env file says of vendors with one address for an account: where they report calls, signed by what."""
    said: dict[str, str] = {}
    for name, member in given.items():
        if url := accounts.webhook_url(name, member, base_url):
            said[f"{name.upper()}_WEBHOOK_URL"] = url
            signing = accounts.signing_secret(name, member)
            said |= {f"{name.upper()}_{field.upper()}": secret for field, secret in signing.items()}
    return said


def _patched(target: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, change in patch.items():
        if change is None:
            merged.pop(name, None)
        else:
            merged[name] = _patched(merged.get(name), change)
    return merged
