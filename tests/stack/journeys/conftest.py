"""What every journey through the deployed local stack starts with."""

import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from callverify.providers import registry
from callverify.providers.names import NAMES
from tests.support.client import READ, WRITE, Api, Operator, Secrets, Vendors, Webhooks, new_api_key, new_phone, until

LOG_BEHIND_SECONDS = 1
# Of one test: who starts a thousand starts them all alike.
MOST_JUDGED = 50


@pytest.fixture(scope="session")
def used(operator: Operator) -> Iterator[Secrets]:
    """What must not be logged. It is looked for at the end of the run, whatever the tests were about."""
    used = Secrets()
    yield used
    credentials = operator.secret("PROVIDER_CREDENTIALS_SECRET")
    settings = ("login", *registry.SETTINGS)
    used.texts |= {
        str(value) for account in credentials.values() for name, value in account.items() if name not in settings
    }
    time.sleep(LOG_BEHIND_SECONDS)
    assert used.found_in(operator.log) == []


@pytest.fixture(scope="session")
def api(stack: dict[str, str], used: Secrets) -> Api:
    return Api(stack, used)


@pytest.fixture(autouse=True)
def histories_judged(api: Api) -> Iterator[None]:
    """At the end of every journey: what it started has its history."""
    before = len(api.accepted)
    yield
    api.judge_histories([*api.accepted][before:][:MOST_JUDGED])


@pytest.fixture(scope="session")
def vendors(stack: dict[str, str], used: Secrets) -> Vendors:
    return Vendors(stack, used)


@pytest.fixture(scope="session")
def webhooks(stack: dict[str, str], used: Secrets) -> Webhooks:
    return Webhooks(stack, used)


@pytest.fixture(scope="session")
def operator(stack: dict[str, str]) -> Operator:
    return Operator(stack)


@pytest.fixture
def phone() -> str:
    """A number that no other test uses, so that its limits are this test's own."""
    return new_phone()


@pytest.fixture(scope="session")
def added_keys(stack: dict[str, str], api: Api, operator: Operator) -> Iterator[dict[str, str]]:
    """Two more live keys, until the end of the run: `other` may do everything, `reader` may read."""
    keys = {"other": new_api_key(), "reader": new_api_key()}
    scopes = {"other": [READ, WRITE], "reader": [READ]}
    digests = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in keys.items()}
    added = [{"name": name, "sha256": digests[name], "scopes": scopes[name], "mode": "live"} for name in keys]
    with _locked(stack):
        operator.put_secret("API_KEYS_SECRET", [*operator.secret("API_KEYS_SECRET"), *added])
    for key in keys.values():
        # A container that does not know a key reads the secret again, but not at once if it has just done so.
        until(lambda key=key: api.read("vrf_none", key=key).status, lambda status: status == 404)  # type: ignore[misc]
    yield keys
    with _locked(stack):
        left = [entry for entry in operator.secret("API_KEYS_SECRET") if entry["sha256"] not in digests.values()]
        operator.put_secret("API_KEYS_SECRET", left)


@contextmanager
def _locked(stack: dict[str, str]) -> Iterator[None]:
    """Of the tests on this stack, one at a time writes a secret that it has read."""
    with Path(stack["LOG_FILE"]).with_name("keys.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def forgiven(operator: Operator) -> Iterator[None]:
    """At the end, no provider's failures count: one that has failed often is asked last for a while."""
    yield
    for provider in NAMES:
        operator.delete(f"breaker#{provider}")


@pytest.fixture
def faults(vendors: Vendors, forgiven: None, phone: str) -> Callable[..., None]:  # noqa: ARG001 (at the end)
    """Puts a fault into a vendor: `faults(provider, mode, times=…)`. Calls about other numbers than `phone` go well."""

    def fault(provider: str, mode: str, **more: Any) -> None:
        vendors.fault(provider, mode, **{"phone": phone, **more})

    return fault


@pytest.fixture
def failing(alone: None, vendors: Vendors, forgiven: None) -> Iterator[Vendors]:  # noqa: ARG001 (before and at the end)
    """Vendors that may fail for everybody, whatever number a call is about."""
    yield vendors
    vendors.clear_faults()
