"""The service on a real engine, in as many containers at once as a test wants: threads that share the table alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer

from callverify.domain import errors
from callverify.domain.limits import Limit
from callverify.domain.verification import Change, Verification
from callverify.service.check import Checked
from callverify.service.started import Started
from callverify.service.webhooks import Request
from callverify.store import Index, Store
from tests.support.points import Points
from tests.support.routes import METHODS, At
from tests.support.service import BASE_URL, LIVE, Parts
from tests.support.states import STARTED

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

    from callverify.domain.claims import Counted, Unless

NOW = 1_800_000_000
PHONE = "+79000000031"


def index_of(table: str) -> str:
    return f"{table}-index"


class Bench(Parts):
    """The service over one table, whose containers share vendors and a clock, unless they bring another."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self.table, self.points = table, Points()
        store, index = Store(client, table), Index(client, index_of(table))
        super().__init__(client=client, store=store, index=index, now=NOW, points=self.points)

    def only(self, *routes: At) -> None:
        """Have these routes alone configured, in this order."""
        self.vendors = [self.vendor(at.provider) for at in routes]

    def start(
        self, at: At | None = None, phone: str = PHONE, key: str | None = None, *, again: bool = False, **fields: object
    ) -> Started:
        """A start at a route, or at those that are configured. again: in a container of its own."""
        chosen = {"provider": at.provider, "method": at.method, "allowed_methods": METHODS} if at else {}
        service = self.new_service() if again else self.service
        body = json.dumps({"phone": phone, **chosen, **fields})
        return service.start(LIVE, body, idempotency_key=key, base_url=BASE_URL)

    def check(self, id: str, code: str) -> Checked:  # noqa: A002
        return self.new_service().check(LIVE, id, json.dumps({"code": code}))

    def code(self, at: At, phone: str = PHONE) -> str:
        """What the last call to this phone showed."""
        return self.vendor(at.provider).last_code(phone) or ""

    def report(self, at: At, phone: str = PHONE) -> list[Callable[[], str]]:
        """The phone calls: the vendor's reports, each to be delivered by a container of its own."""
        return [
            lambda rest=rest, read=parameters: self.new_service().report(Request(at.provider, rest, lambda: read)).body  # type: ignore[misc]
            for rest, parameters in self.vendor(at.provider).dial(phone)
        ]

    def count(self, limits: Sequence[Limit | Counted | Unless], now: int) -> None:
        """Raises LimitReached."""
        self.store.take(limits, Change(None, STARTED), now)

    def counted(self, *metrics: str) -> list[str]:
        """What services have counted of these, of all threads."""
        return [metric for metric, _ in self.observer.counts if metric in metrics]

    def record(self, id: str) -> Verification:  # noqa: A002
        found = self.store.get(id, NOW)
        assert found is not None
        return found

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
