"""What an attack takes place in: the service on a table of its own, vendors that obey the attack, a clock to move."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config

from callverify.domain.keys import Keys
from callverify.domain.verification import Verification
from callverify.domain.words import (
    Caller,
    CallerKind,
    CallOrder,
    CallOutcome,
    CallReport,
    Clock,
    Deadline,
    Mode,
    Outcome,
    Scope,
)
from callverify.providers import registry
from callverify.providers.base import Client, Identifies, Line, Manifest, Proof, Route
from callverify.providers.http import Answer, VendorHttp
from callverify.service.policy import Policy
from callverify.store import Index, Store
from local.aws import EmbeddedAws
from local.processes import free_port
from tests.support.service import BASE_URL, Parts
from tests.support.simulators import CREDENTIALS, Simulators
from tests.support.template import INDEX_TABLE, TABLE, table_definition
from tests.support.vendors import FakeVendor

PEPPER = "PepperOfTheAttacksPepperOfTheAttacksPepperOfTheAttacksPepperOfTh"
# The middle of a day, and not the turn of an hour.
NOON = 1_800_000_000 - 1_800_000_000 % 86_400 + 12 * 3600 + 1234

ROUTES: Sequence[tuple[Manifest, Route]] = [
    (manifest, route) for manifest in registry.manifests() for route in manifest.routes
]
CODED = [(manifest, route) for manifest, route in ROUTES if route.code]
DIALLED = [(manifest, route) for manifest, route in ROUTES if not route.code]
BY_PHONE = [(manifest, route) for manifest, route in ROUTES if route.identifies is Identifies.BY_PHONE]
# Of calls that users made; a signed key press verifies nobody: it is told a code, and attacked in vendors/.
REPORTS = [(manifest, route.webhook) for manifest, route in ROUTES if route.webhook and not route.webhook.say]
HINTING = [manifest for manifest, webhook in REPORTS if webhook.proof is Proof.HINT]
SIGNING = [manifest for manifest, webhook in REPORTS if webhook.proof is Proof.SIGNATURE]


def wish(manifest: Manifest, route: Route) -> dict[str, str]:
    """The fields of a start that asks for this route alone."""
    return {"provider": manifest.name, "method": route.method}


@contextmanager
def dynamodb() -> Iterator[Any]:
    """A DynamoDB client of an embedded AWS that runs until the block ends: its transactions are atomic."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        aws = EmbeddedAws(free_port())
        stack.enter_context(aws.running(Path(directory)))
        aws.wait()
        session = boto3.Session("local", "local", region_name=aws.environment["AWS_REGION"])
        yield session.client("dynamodb", endpoint_url=aws.endpoint, config=Config(max_pool_connections=64))


@dataclass(frozen=True, slots=True)
class Call:
    """A call that a vendor agreed to. `repeat`: the vendor's own, of an earlier one."""

    route: Route
    at: int
    phone: str
    verification_id: str
    repeat: bool = False


class Watched(FakeVendor):
    """A vendor that notes the calls that it agrees to."""

    def __init__(self, manifest: Manifest, world: World) -> None:
        super().__init__(manifest, world)
        self.calls: list[Call] = []
        self._orders: dict[str, CallOrder] = {}

    def start(self, order: CallOrder, deadline: Deadline) -> CallOutcome:
        outcome = super().start(order, deadline)
        if outcome.outcome is Outcome.STARTED:
            self._orders[outcome.call_id or ""] = order
            self._note(order, repeat=False)
        return outcome

    def repeat(self, call_id: str, deadline: Deadline) -> CallOutcome:
        outcome = super().repeat(call_id, deadline)
        if outcome.outcome is Outcome.STARTED:
            self._note(self._orders[call_id], repeat=True)
        return outcome

    def _note(self, order: CallOrder, *, repeat: bool) -> None:
        verification_id = order.unique.rpartition("-")[0]
        route = self.route(order.method)
        self.calls.append(Call(route, int(self.time.now), order.phone.e164, verification_id, repeat))


class World(Parts):
    """The service, its store, its vendors. `now` is everybody's time, and only the attack moves it."""

    def __init__(self, client: Any, policy: Policy = Policy(), *, now: float = NOON) -> None:  # noqa: B008 (a value)
        super().__init__(policy=policy, client=client, now=now)
        self.table = f"attack-{uuid4()}"
        index_table = f"{self.table}-index"
        for name, properties in ((self.table, TABLE), (index_table, INDEX_TABLE)):
            client.create_table(**table_definition(name, properties))
        # Attackers wait less than others do between two tries of a transaction: that is when things meet.
        self.store = Store(client, self.table, sleep=lambda seconds: time.sleep(seconds / 20))
        self.index = Index(client, index_table)
        self.watched = [Watched(manifest, self) for manifest in self.manifests]
        self.vendors = list(self.watched)
        self.use_keys(Keys(PEPPER))

    def use_keys[K: Keys](self, keys: K) -> K:
        """Have the service derive with these from now on."""
        self.keys = keys
        self.service = self.new_service()
        return keys

    def calls(self) -> list[Call]:
        """What all vendors agreed to."""
        return [call for vendor in self.watched for call in vendor.calls]

    def items(self) -> list[dict[str, Any]]:
        """All items of the table, as DynamoDB writes them."""
        pages = self.client.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]

    def verified(self) -> set[str]:
        """The ids of all verifications that are stored as verified."""
        return {
            item["id"]["S"]
            for item in self.items()
            if item["pk"]["S"].startswith("verification#") and item["status"]["S"] == "verified"
        }

    # Asking the service directly

    def start(self, caller: Caller, phone: str, **fields: Any) -> Verification:
        """Raises what a start raises."""
        body = json.dumps({"phone": phone} | fields)
        return self.service.start(caller, body, idempotency_key=None, base_url=BASE_URL).verification

    def repeat(self, caller: Caller, verification_id: str) -> Verification:
        return self.service.repeat(caller, verification_id, None, idempotency_key=None, base_url=BASE_URL).verification

    def switch(self, caller: Caller, verification_id: str, **fields: Any) -> Verification:
        return self.service.switch(
            caller, verification_id, json.dumps(fields), idempotency_key=None, base_url=BASE_URL
        ).verification


# The vendors' real clients


class ObedientHttp(VendorHttp):
    """Requests go to the simulated vendors, in the world's time. `says`: what the next one is answered instead."""

    def __init__(self, simulators: Simulators, clock: Clock) -> None:
        super().__init__(clock)
        self.says: bytes | None = None
        self._simulators = simulators

    def send(self, method: str, url: str, *, deadline: Deadline, **request: Any) -> Answer:
        if self.says is not None:
            return Answer(200, self.says)
        self._simulators.now = self._clock()
        return self._simulators.http.send(method, url, deadline=deadline, **request)


class Obedient:
    """A vendor's client whose question about a call is answered as the attack wants. checks: by the call's id."""

    def __init__(self, client: Client, http: ObedientHttp, checks: Mapping[str, bytes]) -> None:
        self.start, self.repeat, self.open_webhook = client.start, client.repeat, client.open_webhook
        self._client = client
        self._http = http
        self._checks = checks

    def check(self, call_id: str, deadline: Deadline) -> CallReport:
        self._http.says = self._checks.get(call_id)
        try:
            return self._client.check(call_id, deadline)
        finally:
            self._http.says = None


class SimulatedWorld(World):
    """The service with the vendors' real clients, which meet the simulators. checks: see Obedient; by provider."""

    def __init__(
        self,
        client: Any,
        policy: Policy = Policy(),  # noqa: B008 (a value)
        *,
        now: float = NOON,
        simulators: Simulators | None = None,
    ) -> None:
        super().__init__(client, policy, now=now)
        self.simulators = simulators or Simulators()
        self.checks: dict[str, dict[str, bytes]] = {manifest.name: {} for manifest in self.manifests}
        self._lines = [line for name in self.checks for line in self._lines_of(name)]

    def _lines_of(self, name: str) -> list[Line]:
        http = ObedientHttp(self.simulators, self.clock)
        found = self.simulators.lines(name, http)
        return [replace(line, client=Obedient(line.client, http, self.checks[name])) for line in found]

    def lines(self) -> list[Line]:
        return self._lines

    def token(self, manifest: Manifest) -> str:
        """What the path of an account's webhook ends in."""
        return str(CREDENTIALS[manifest.name]["webhook_token"])


# Callers


def server(name: str = "a", mode: Mode = Mode.LIVE) -> Caller:
    """A customer's server, by its API key."""
    key_id = hashlib.sha256(name.encode()).hexdigest()[:16]
    return Caller(CallerKind.API_KEY, key_id=key_id, mode=mode, scopes=frozenset(Scope))


def browser(verification: Verification, address: str, now: float) -> Caller:
    """A browser with the client token of a verification."""
    return Caller(
        CallerKind.CLIENT_TOKEN,
        verification_id=verification.id,
        expires_at=int(now) + 1800,
        address=address,
    )


def phone_number(number: int) -> str:
    """One of 8,000 numbers that are nobody's. Left out are the test numbers, and 1,000 that no attack starts with."""
    return f"+7900000{1_000 + number % 8_000:04}"
