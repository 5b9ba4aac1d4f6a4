"""From names and credentials to lines: the routes that can be dialled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from callverify.domain.errors import ConfigurationFault
from callverify.domain.words import Method
from callverify.providers.base import Line, Manifest, Route
from callverify.providers.http import VendorHttp
from callverify.providers.names import NAMES

# Plain http is for vendors' stand-ins beside the stack: this machine, or the one that hosts a container.
LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "172.17.0.1", "host.docker.internal"})
# A host, perhaps a port and a path; no user, query or fragment, which a request would carry on.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*)"
    r"(:(?P<port>[0-9]{1,5}))?(/[A-Za-z0-9._~-]+)*/?"
)
SETTINGS = ("base_url", "window_seconds", "methods", "countries")


@cache
def manifest(name: str) -> Manifest:
    """The manifest of one of NAMES."""
    found: Manifest = import_module(f"callverify.providers.{name}").MANIFEST
    return found


def route(name: str, method: str) -> Route | None:
    """The route of a provider's manifest; None for a name or a method that this version doesn't have."""
    routes = manifest(name).routes if name in NAMES else ()
    return next((route for route in routes if route.method == method), None)


def is_paid(name: str, method: str) -> bool:
    """Whether calls of a route cost money; of one that this version doesn't have, they may."""
    found = route(name, method)
    return found is None or found.paid


def in_order(lines: Sequence[Line], order: Sequence[str]) -> list[Line]:
    """Lines in the order in which a start that names no method asks them.

    order: entries `provider`, or `provider:method` for one route of it. Free routes come first, then paid ones with our
    code, then paid ones with the vendor's, each in this order; an entry with a method keeps its own place.
    """
    left, placed, own = list(lines), list[Line](), set[int]()
    named = {entry for entry in order if ":" in entry}
    for entry in order:
        provider, _, method = entry.partition(":")
        for line in [each for each in left if each.provider == provider]:
            route = f"{line.provider}:{line.method}"
            if (method and line.method == method) or (not method and route not in named):
                if method:
                    own.add(len(placed))
                placed.append(line)
                left.remove(line)
    rest = iter(sorted((line for place, line in enumerate(placed) if place not in own), key=_rank))
    return [line if place in own else next(rest) for place, line in enumerate(placed)]


def tellable(name: str, known: Iterable[str]) -> str:
    """A name that is one of the `known` mistyped, quoted after a space. Another one may be a credential: nothing."""
    from difflib import get_close_matches

    return f" {name!r}" if get_close_matches(name, known, cutoff=0.75) else ""


def _rank(line: Line) -> int:
    code = line.route.code
    return 0 if not line.route.paid else 1 if code is None or code.ours else 2


def manifests() -> list[Manifest]:
    return [manifest(name) for name in NAMES]


def lines(name: str, given: Any, http: VendorHttp) -> list[Line]:
    """A provider's routes under its part of `provider-credentials`. Raises ConfigurationFault, naming the field."""
    declared, setting = manifest(name), f"provider-credentials: {name}"
    if not isinstance(given, Mapping):
        raise ConfigurationFault(setting, "must be a JSON object")
    known = {*SETTINGS, *(option.name for option in declared.options)}
    known |= {each for field in declared.credentials for each in field.names}
    for member in given:
        if member not in known:
            raise ConfigurationFault(
                setting, f"has an unknown field{tellable(member, known)}; known fields are {', '.join(sorted(known))}"
            )
    values = {each: text for field in declared.credentials for each, text in field.read(given, setting).items()}
    for option in declared.options:
        chosen = given.get(option.name, option.choices[0])
        if chosen not in option.choices:
            raise ConfigurationFault(f"{setting}.{option.name}", f"must be one of {', '.join(option.choices)}")
        values[option.name] = chosen
    client = import_module(f"callverify.providers.{name}.client").Client(
        values, _base_url(declared, given, setting), http
    )
    methods, countries = _methods(declared, given, setting), _countries(given, setting)
    return [
        Line(
            declared,
            route,
            client,
            _window(route, given, setting),
            values.get("webhook_token", ""),
            _reached(route, countries),
        )
        for route in declared.routes
        if route.method in methods and (countries or not route.asks_countries)
    ]


def _base_url(declared: Manifest, given: Mapping[str, Any], setting: str) -> str:
    url = given.get("base_url", declared.base_url)
    found = _URL.fullmatch(url) if isinstance(url, str) else None
    if found is None or _too_long(found) or (found["scheme"] == "http" and found["host"] not in LOCAL_HOSTS):
        raise ConfigurationFault(
            f"{setting}.base_url", "must be an https URL (plain http is for the local stack alone)"
        )
    return str(url).rstrip("/")


def _too_long(url: re.Match[str]) -> bool:
    """Whether a host's label or a port is none that a connection can be made to."""
    labels, port = url["host"].split("."), int(url["port"] or 443)
    return max(map(len, labels)) > 63 or len(url["host"]) > 253 or not 0 < port < 65536


def _methods(declared: Manifest, given: Mapping[str, Any], setting: str) -> list[str]:
    offered = [str(route.method) for route in declared.routes]
    chosen = given.get("methods", offered)
    if not isinstance(chosen, list) or any(each not in offered for each in chosen):
        raise ConfigurationFault(f"{setting}.methods", f"must be a list of any of {', '.join(offered)}")
    return chosen


def _countries(given: Mapping[str, Any], setting: str) -> frozenset[str] | None:
    countries = given.get("countries")
    if countries is None:
        return None
    known = isinstance(countries, list) and all(re.fullmatch(r"[A-Z]{2}", str(country)) for country in countries)
    if not known or not countries:
        raise ConfigurationFault(f"{setting}.countries", 'must be a list of countries such as ["RU", "KZ"]')
    return frozenset(countries)


def _reached(route: Route, countries: frozenset[str] | None) -> frozenset[str] | None:
    """Where a route is used: where the vendor reaches, and no further than the operator says."""
    if route.countries is None:
        return countries
    return frozenset(route.countries) & countries if countries else frozenset(route.countries)


def _window(route: Route, given: Mapping[str, Any], setting: str) -> int:
    setting = f"{setting}.window_seconds"
    told = given.get("window_seconds", route.window.default)
    if isinstance(told, Mapping):
        if not set(told) <= set(Method):
            raise ConfigurationFault(setting, f"must be a number, or numbers by {', '.join(Method)}")
        told = told.get(route.method, route.window.default)
    if isinstance(told, bool) or not isinstance(told, int) or not 1 <= told <= route.window.most:
        raise ConfigurationFault(setting, f"must be from 1 to {route.window.most} for {route.method}")
    return told
