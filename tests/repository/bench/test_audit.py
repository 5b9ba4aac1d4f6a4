"""The audit of `make load` finds whatever is doctored in a record that it has no complaint about."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bench.audit import Seen, audit, redelivered
from bench.travel import READ_BACK, RESENT, SIGNED, Outcome, expired, started, verified
from tests.support.client import STARTS
from tests.support.routes import ROUTES, At

TYPED, ASKED, SIGNING = RESENT[0], READ_BACK[0], SIGNED[0]
# Another route of a vendor above.
SIBLING = next(at for at in ROUTES if at.provider == TYPED.provider and at is not TYPED)


@dataclass
class Traveler:
    name: str
    phone: str
    id: str | None
    outcomes: tuple[Outcome, ...]
    wrong: list[str] = field(default_factory=list)


def resource(outcome: Outcome) -> dict[str, Any]:
    attempts = [{"provider": at.provider, "method": at.method, "outcome": result} for at, result, _ in outcome.attempts]
    return {"status": outcome.status, "reason": outcome.reason, "evidence": outcome.evidence, "attempts": attempts}


def event(id_: str, kind: str) -> dict[str, Any]:
    return {"id": f"evt_{id_}_{kind}", "type": f"verification.{kind}", "data": {"id": id_}}


def request(at: At, phone: str | None, *, paid: bool = True, unique: str | None = None) -> dict[str, Any]:
    action = min(STARTS)
    return {"provider": at.provider, "action": action, "phone": phone, "paid": paid, "unique": unique}


FLASH = Traveler("flash 0", "+79000000010", "vrf_a", (verified(started(TYPED)),))
# It met an error at the first provider, or found it resting.
OUTCOMES = (verified((ASKED, "unknown", 0), started(SIGNING)), verified(started(SIGNING)))
REVERSE = Traveler("reverse 1", "+79000000011", "vrf_b", OUTCOMES)
SILENT = Traveler("silent 2", "+79000000012", "vrf_c", (expired(started(ASKED)),))
JOURNEYS = [FLASH, REVERSE, SILENT]
EVENTS = [
    event("vrf_a", "created"),
    event("vrf_a", "started"),
    event("vrf_b", "created"),
    event("vrf_b", "started"),
    event("vrf_a", "verified"),
    event("vrf_c", "created"),
    event("vrf_c", "started"),
    event("vrf_b", "verified"),
    event("vrf_c", "expired"),
]
SEEN = Seen(
    resources={each.id or "": resource(each.outcomes[0]) for each in JOURNEYS},
    events=EVENTS,
    deliveries=[{"event": each, "answer": 200} for each in EVENTS],
    requests=[
        request(TYPED, FLASH.phone, unique="vrf_a-1"),
        request(TYPED, FLASH.phone, unique="vrf_a-1", paid=False),
        request(ASKED, REVERSE.phone, paid=False),
        request(SIGNING, REVERSE.phone),
        request(ASKED, SILENT.phone),
    ],
    locked=[],
    dead_letters=0,
    settled=0.0,
)


def test_a_record_without_fault_passes() -> None:
    assert audit(JOURNEYS, SEEN) == []
    # At least once is what is promised of deliveries.
    again = replace(SEEN, deliveries=[*SEEN.deliveries, {"event": EVENTS[0], "answer": 200}])
    assert audit(JOURNEYS, again) == []
    assert redelivered(again.deliveries) == 1


def resources(**changes: Any) -> dict[str, Any]:
    """The flash call's resource, changed."""
    found: dict[str, Any] = deepcopy(dict(SEEN.resources))
    found["vrf_a"] |= changes
    return found


DOCTORED: dict[str, tuple[Callable[[], Seen], str]] = {
    "another status": (lambda: replace(SEEN, resources=resources(status="failed")), "flash 0: ended as"),
    "another reason": (lambda: replace(SEEN, resources=resources(reason="window_elapsed")), "flash 0: ended as"),
    "other evidence": (lambda: replace(SEEN, resources=resources(evidence=None)), "flash 0: ended as"),
    "one attempt more": (
        lambda: replace(SEEN, resources=resources(attempts=[*SEEN.resources["vrf_a"]["attempts"]] * 2)),
        "flash 0: ended as",
    ),
    "another route of the same vendor": (
        lambda: replace(SEEN, resources=resources(attempts=resource(verified(started(SIBLING)))["attempts"])),
        "flash 0: ended as",
    ),
    "a lost record": (
        lambda: replace(SEEN, resources={id_: each for id_, each in SEEN.resources.items() if id_ != "vrf_a"}),
        "flash 0: verification vrf_a is lost",
    ),
    "paid twice": (
        lambda: replace(SEEN, requests=[*SEEN.requests, request(ASKED, SILENT.phone)]),
        f"silent 2: the vendors bill {{'{ASKED.provider}': 2}}",
    ),
    "paid at another vendor too": (
        lambda: replace(SEEN, requests=[*SEEN.requests, request(SIGNING, FLASH.phone)]),
        "flash 0: the vendors bill",
    ),
    "never asked for": (lambda: replace(SEEN, requests=SEEN.requests[2:]), "flash 0: the vendors bill {}"),
    "asked a third time, unpaid": (
        lambda: replace(SEEN, requests=[*SEEN.requests, request(TYPED, FLASH.phone, unique="vrf_a-1", paid=False)]),
        f"flash 0: {TYPED.provider} was asked 3 times",
    ),
    "asked again after an error": (
        lambda: replace(SEEN, requests=[*SEEN.requests, request(ASKED, REVERSE.phone, paid=False)]),
        f"reverse 1: {ASKED.provider} was asked 2 times",
    ),
    "asked for a call of no phone": (
        lambda: replace(SEEN, requests=[*SEEN.requests, request(ASKED, None, paid=False)]),
        "phones of nobody",
    ),
    "a call for nobody": (
        lambda: replace(SEEN, requests=[*SEEN.requests, request(SIGNING, "+79000000099")]),
        "phones of nobody",
    ),
    "an event lost": (lambda: replace(SEEN, events=EVENTS[2:]), "flash 0: the list of events tells ['verified']"),
    "an event told twice": (lambda: replace(SEEN, events=[*EVENTS, EVENTS[4]]), "flash 0: the list of events tells"),
    "events in another order": (lambda: replace(SEEN, events=EVENTS[::-1]), "flash 0: the list of events tells"),
    "two ends": (
        lambda: replace(SEEN, events=[*EVENTS, event("vrf_c", "verified")]),
        "silent 2: the list of events tells",
    ),
    "an event of nobody": (
        lambda: replace(SEEN, events=[*EVENTS, event("vrf_z", "started")]),
        "1 verifications of nobody",
    ),
    "a delivery lost": (
        lambda: replace(SEEN, deliveries=SEEN.deliveries[1:]),
        "evt_vrf_a_created was not delivered",
    ),
    "a delivery never taken": (
        lambda: replace(SEEN, deliveries=[{"event": each, "answer": 500} for each in EVENTS]),
        "evt_vrf_c_expired was not delivered",
    ),
    "another event delivered under its id": (
        lambda: replace(
            SEEN, deliveries=[*SEEN.deliveries, {"event": EVENTS[0] | {"data": {"id": "vrf_z"}}, "answer": 200}]
        ),
        "evt_vrf_a_created was not delivered as",
    ),
    "a phone left locked": (lambda: replace(SEEN, locked=["vrf_b"]), "the phone of vrf_b is still locked"),
    "a dead letter": (lambda: replace(SEEN, dead_letters=1), "1 dead letters"),
}


@pytest.mark.parametrize("name", DOCTORED)
def test_a_doctored_record_is_found(name: str) -> None:
    doctor, finding = DOCTORED[name]
    assert any(finding in found for found in audit(JOURNEYS, doctor())), audit(JOURNEYS, doctor())


def test_a_journey_that_met_something_else_is_found() -> None:
    assert "flash 0: answered otherwise" in audit([replace(FLASH, wrong=["500"]), REVERSE, SILENT], SEEN)[0]
    lost = audit([replace(FLASH, id=None), REVERSE, SILENT], SEEN)
    assert "flash 0: its start was lost" in lost
