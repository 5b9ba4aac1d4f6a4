"""The recorded payloads: what the vendors answer and report, and what we should make of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callverify.models import ProviderName

FOLDER = Path(__file__).parent / "payloads"


@dataclass(frozen=True)
class Payload:
    """One file of payloads/<vendor>/.

    evidence: "captured" from the live vendor, "documented" by it, or "assumed". operation: "start", "repeat", "check"
    or "info" (answers), "webhook" (a report). expect: what the vendor's module makes of it.
    """

    provider: ProviderName
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

    @property
    def content(self) -> bytes:
        return json.dumps(self.body).encode() if self.text is None else self.text.encode(self.encoding)

    def __str__(self) -> str:
        return f"{self.provider}/{self.name}"


def load(provider: ProviderName, name: str) -> Payload:
    return Payload(provider, name, **json.loads((FOLDER / provider / f"{name}.json").read_text()))


def load_all() -> list[Payload]:
    return [
        load(ProviderName(folder.name), path.stem)
        for folder in sorted(FOLDER.iterdir())
        for path in sorted(folder.glob("*.json"))
    ]
