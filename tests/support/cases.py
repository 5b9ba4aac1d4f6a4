"""What the tests of every provider have to know of each vendor: see `vendors/<name>/cases.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cache
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, urlsplit

from callverify.domain.words import CallOrder, InboundWebhook, Method, Phone
from callverify.providers.base import Line, Per, Route
from callverify.providers.http import VendorHttp
from callverify.providers.names import NAMES
from callverify.providers.registry import lines, manifest
from simulators.webhooks import Webhook
from tests.support.fake_vendor import SeenRequest

PHONE = Phone(e164="+79000000001", region="RU", mask="+7******0001")
# What the path of a webhook for one verification ends in.
VERIFICATION, WEBHOOK_TOKEN = "vrf_1", "token-of-vrf_1"
EVERY_ROUTE = [(name, route.method) for name in NAMES for route in manifest(name).routes]


@dataclass(frozen=True)
class Sent:
    """The one request that a start makes: the body as `json` or as `form`, and headers that must be among its own."""

    method: str
    path: str
    json: Any = None
    form: Mapping[str, str] | None = None
    query: str = ""
    headers: Mapping[str, str] = dataclass_field(default_factory=dict)

    def check(self, seen: SeenRequest) -> None:
        assert (seen.method, seen.path, seen.query) == (self.method, self.path, self.query)
        for name, value in self.headers.items():
            assert seen.headers[name] == value
        if self.json is not None:
            assert seen.headers["content-type"] == "application/json"
            assert json.loads(seen.body) == self.json
        if self.form is not None:
            assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
            given = parse_qs(seen.body.decode(), keep_blank_values=True, strict_parsing=True)
            assert given == {name: [value] for name, value in self.form.items()}


@dataclass(frozen=True)
class Case:
    """What a vendor is given, and what it should be asked.

    credentials: made up, and all that are required. secrets: which of their values may never be seen. starts: by
    method, the request for `order(name, method)`. answers: regular expressions of answers of a form of its own.
    """

    credentials: Mapping[str, Any]
    secrets: tuple[str, ...]
    starts: Mapping[Method, Sent]
    answers: tuple[str, ...] = ()


@cache
def case(name: str) -> Case:
    found: Case = import_module(f"vendors.{name}.cases").CASE
    return found


def line_of(
    name: str,
    method: Method | None = None,
    base_url: str = "https://vendor.example",
    *,
    http: VendorHttp | None = None,
    **changed: Any,
) -> Line:
    """A route (by default the first) of a provider with its made-up credentials, some of them `changed`."""
    asked = any(route.asks_countries for route in manifest(name).routes)
    countries = {"countries": [PHONE.region]} if asked else {}
    given = {**case(name).credentials, **countries, "base_url": base_url, **changed}
    found = lines(name, given, http or VendorHttp())
    return next(line for line in found if method in (None, line.method))


def order(name: str, method: Method | None = None) -> CallOrder:
    """What such a line is told to start, for PHONE."""
    route = _route(name, method)
    per_verification = route.webhook is not None and route.webhook.per is Per.VERIFICATION
    return CallOrder(
        PHONE,
        route.method,
        unique="attempt-1",
        code="042742"[: route.code.digits] if route.code else None,
        webhook_url=_webhook_url(name) if per_verification else None,
    )


def inbound(name: str, parameters: Mapping[str, tuple[str, ...]], signature: str = "") -> InboundWebhook:
    """A report to the address that `order` names, or to the account's."""
    hook = manifest(name).webhook
    of_one = hook is not None and hook.per is Per.VERIFICATION
    return InboundWebhook(parameters, VERIFICATION if of_one else None, _webhook_url(name), signature)


def _webhook_url(name: str) -> str:
    return f"https://verify.example/v1/webhooks/{name}/{VERIFICATION}/{WEBHOOK_TOKEN}"


def _route(name: str, method: Method | None) -> Route:
    return next(route for route in manifest(name).routes if method in (None, route.method))


def parameters_of(sent: Webhook) -> dict[str, tuple[str, ...]]:
    """Those of query and body together, as the service reads them."""
    query = parse_qs(urlsplit(sent.url).query, keep_blank_values=True, strict_parsing=bool(urlsplit(sent.url).query))
    body = {**(sent.form or {}), **(sent.json or {})}
    return {field: tuple(values) for field, values in query.items()} | {
        field: (str(given),) for field, given in body.items()
    }
