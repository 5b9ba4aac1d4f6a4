"""The recorded payloads: what the vendors answer and report, and what we should make of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callverify.domain.words import InboundWebhook, Method
from callverify.providers.names import NAMES
from callverify.providers.registry import manifest
from tests.support.cases import inbound

VENDORS = Path(__file__).parents[2] / "vendors"


@dataclass(frozen=True)
class Payload:
    """One file of vendors/<provider>/payloads/.

    evidence: "captured" from the live vendor, "documented" by it, or "assumed". operation: "start", "repeat", "check"
    or "info" (answers), "webhook" (a report). route: the method that it speaks of, the provider's first by default.
    expect: what the vendor's client makes of it. signature: in the header of a report
    that came to the address of `tests.support.cases.order`.
    """

    provider: str
    name: str
    evidence: str
    date: str
    source: str
    operation: str
    status: int = 200
    body: Any = None
    text: str | None = None
    encoding: str = "utf-8"
    parameters: dict[str, list[str]] | None = None
    expect: dict[str, Any] | None = None
    route: str | None = None
    signature: str = ""

    @property
    def inbound(self) -> InboundWebhook:
        """A report, as the service hands it to the client."""
        given = {name: tuple(values) for name, values in (self.parameters or {}).items()}
        return inbound(self.provider, given, self.signature)

    @property
    def method(self) -> Method:
        return Method(self.route) if self.route else manifest(self.provider).routes[0].method

    @property
    def content(self) -> bytes:
        return json.dumps(self.body).encode() if self.text is None else self.text.encode(self.encoding)

    def __str__(self) -> str:
        return f"{self.provider}/{self.name}"


def load(provider: str, name: str) -> Payload:
    return Payload(provider, name, **json.loads((VENDORS / provider / "payloads" / f"{name}.json").read_text()))


def load_all() -> list[Payload]:
    return [load(name, path.stem) for name in NAMES for path in sorted((VENDORS / name / "payloads").glob("*.json"))]


def good_start(provider: str, method: Method) -> Payload:
    """The recorded start of this route that went well: the first by name."""
    recorded = [each for each in load_all() if (each.provider, each.method) == (provider, method)]
    return next(each for each in recorded if each.name.startswith("start_success"))
