"""All attacks, in the order of the table, and how large each is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attacks import collected, credentials, doors, guessing, lockout, poison, pumping, records, sessions, webhooks
from attacks.report import Finding
from attacks.world import dynamodb

ATTACKS: Mapping[str, Callable[..., list[Finding]]] = {
    "guessing": guessing.run,
    "collected": collected.run,
    "webhooks": webhooks.run,
    "sessions": sessions.run,
    "poison": poison.run,
    "pumping": pumping.run,
    "credentials": credentials.run,
    "doors": doors.run,
    "records": records.run,
    "lockout": lockout.run,
}
LONGEST = [
    "webhooks",
    "doors",
    "pumping",
    "guessing",
    "lockout",
    "sessions",
    "poison",
    "credentials",
    "records",
    "collected",
]

# "full": a few minutes on two processors. "small": what the tests run.
SIZES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "full": {
        "guessing": {"phones": 20, "days": 3, "edges": 5, "codes": 1_000_000, "checks": 10_000},
        "collected": {"victims": 1_000_000},
        "webhooks": {"tries": 100_000},
        "sessions": {"sessions": 300},
        "poison": {"starts": 1_000},
        "pumping": {"rounds": 150, "checks": 100, "met": 7},
        "credentials": {"tokens": 5_000, "keys": 5_000},
        "doors": {"orders": 720},
        "records": {"phones": 6},
        "lockout": {"sieges": 21, "minutes": 60},
    },
    "small": {
        "guessing": {"phones": 1, "days": 2, "edges": 1, "codes": 60_000, "checks": 150},
        "collected": {"victims": 20_000},
        "webhooks": {"tries": 2_000},
        "sessions": {"sessions": 8},
        "poison": {"starts": 90},
        "pumping": {"rounds": 12, "checks": 25, "met": 3},
        "credentials": {"tokens": 150, "keys": 100},
        "doors": {"orders": 60},
        "records": {"phones": 2},
        "lockout": {"sieges": 3, "minutes": 11},
    },
}


def run(name: str, size: Mapping[str, Any]) -> list[Finding]:
    """One attack, with an embedded AWS of its own."""
    with dynamodb() as client:
        return ATTACKS[name](client, **size)
