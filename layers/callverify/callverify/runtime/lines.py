"""The vendors' routes, as the secret `provider-credentials` configures them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from callverify.domain.errors import ConfigurationFault
from callverify.providers import registry, stop
from callverify.providers.base import Line
from callverify.providers.http import VendorHttp
from callverify.providers.names import NAMES

CREDENTIALS = "provider-credentials"


class Lines:
    """The configured routes in the operator's order. The secret is read again when its cache time is over."""

    def __init__(
        self, order: Sequence[str], read: Callable[[], str], fault: Callable[[ConfigurationFault], None]
    ) -> None:
        self._order = order
        self._read = read
        self._fault = fault
        self._http = VendorHttp()
        self._text: str | None = None
        self._lines: list[Line] = []

    def __call__(self) -> Sequence[Line]:
        text = self._read()
        if text != self._text:
            self._lines = self._configured(text)
            self._text = text
        return self._lines

    def _configured(self, text: str) -> list[Line]:
        try:
            given: Any = json.loads(text or "{}", object_pairs_hook=stop.once)
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict):
            self._fault(ConfigurationFault(CREDENTIALS, "it must be a JSON object"))
            return []
        stopped, wrong = stop.paid_calls_stopped(given)
        if wrong:
            self._fault(wrong)
        for name in given.keys() - set(NAMES):
            if stop.is_meant(name, given[name]):
                continue
            told = registry.tellable(name, NAMES)
            problem = f"unknown provider{told}; known providers are {', '.join(NAMES)}"
            self._fault(ConfigurationFault(CREDENTIALS, problem))
        lines: list[Line] = []
        for name in dict.fromkeys(entry.partition(":")[0] for entry in self._order):
            if name in given:
                try:
                    lines += registry.lines(name, given[name], self._http)
                except ConfigurationFault as fault:
                    self._fault(fault)
                except Exception as error:  # one provider's mistake must not take the others down with it
                    problem = f"can't be used ({type(error).__name__}): compare it with vendors/{name}/README.md"
                    self._fault(ConfigurationFault(f"{CREDENTIALS}: {name}", problem))
        lines = [replace(line, stopped=stopped and line.route.paid) for line in lines]
        return registry.in_order(lines, self._order)
