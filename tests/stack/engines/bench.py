"""The service on a real engine, in as many containers at once as a test wants: threads that share the table alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from boto3.dynamodb.types import TypeDeserializer

from callverify import errors
from callverify.keys import Keys
from callverify.models import Caller, CallerKind, ProviderName, Scope, Unit
from callverify.providers.base import Provider
from callverify.service import Policy, Reply, Service
from callverify.store import Store
from tests.service.crashes.points import Points
from tests.service.crashes.vendors import FakeSmsc, FakeTelefonIp, FakeUcaller, Vendor

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

NOW = 1_800_000_000
PHONE = "+79000000031"
BASE_URL = "https://api.example/v1"
CALLER = Caller(CallerKind.API_KEY, key_id="shop", scopes=frozenset(Scope))


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: float = NOW

    def clock(self) -> float:
        return self.now


@dataclass
class Counts:
    """What services have counted, of all threads."""

    counted: list[str] = field(default_factory=list)

    def about(self, verification_id: str) -> None: ...

    def count(self, metric: str, **dimensions: str) -> None:  # noqa: ARG002
        self.counted.append(metric)

    def measure(self, metric: str, value: float, unit: Unit, **dimensions: str) -> None: ...

    def provider_answered(self, *_: object) -> None: ...


class Bench:
    """The service over one table, the vendors, and a clock that all share unless they bring another."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self.client, self.table = client, table
        self.clock = Clock()
        self.keys = Keys("pepper of the tests")
        self.counts = Counts()
        points = Points()
        self.telefon_ip = FakeTelefonIp(self.clock, points)
        self.smsc = FakeSmsc(self.clock, points)
        self.ucaller = FakeUcaller(self.clock, points)
        self.vendors: Sequence[Vendor] = (self.telefon_ip, self.smsc, self.ucaller)
        self.store = Store(client, table)

    def service(self, policy: Policy | None = None, clock: Callable[[], float] | None = None) -> Service:
        """A service as a container of its own has it."""
        providers = cast("Mapping[ProviderName, Provider]", {vendor.name: vendor for vendor in self.vendors})
        return Service(
            store=Store(self.client, self.table),
            keys=self.keys,
            policy=policy or Policy(),
            providers=lambda: providers,
            observer=self.counts,
            clock=clock or self.clock.clock,
        )

    def start(self, phone: str = PHONE, key: str | None = None, **fields: object) -> Reply:
        body = json.dumps({"phone": phone, **fields})
        return self.service().start(CALLER, body, idempotency_key=key, base_url=BASE_URL)

    def check(self, verification: str, code: str) -> Reply:
        return self.service().check(CALLER, verification, json.dumps({"code": code}))

    def items(self) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        read = TypeDeserializer().deserialize
        return [{name: read(value) for name, value in item.items()} for page in pages for item in page["Items"]]

    def item(self, pk: str) -> dict[str, Any] | None:
        return next((item for item in self.items() if item["pk"] == pk), None)


def at_once[T](acts: Sequence[Callable[[], T]]) -> list[T | errors.CallverifyError]:
    """Do all of it at the same moment: what each returned, or the error that its caller would get.

    Anything that would be answered with 500 is raised.
    """
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], T]) -> T | errors.CallverifyError:
        barrier.wait()
        try:
            return act()
        except errors.CallverifyError as error:
            return error

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(run, acts))
