"""What must be so when all journeys are over: each came to the end that its script implies, and was told of once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bench.travel import RESENT, Outcome
from tests.support.client import STARTS

RESENDING = {at.provider for at in RESENT}


class Traveled(Protocol):
    """What the audit knows of a journey."""

    name: str
    phone: str
    id: str | None
    outcomes: tuple[Outcome, ...]
    wrong: list[str]


@dataclass(frozen=True)
class Seen:
    """What was found when all was over.

    resources: verifications as they are read, by id. events: the list's, in order. deliveries: the receiver's.
    requests: what the vendors were asked. locked: ids that hold a phone. settled: seconds from the last window's end
    until no more events were waited for.
    """

    resources: Mapping[str, Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]
    deliveries: Sequence[Mapping[str, Any]]
    requests: Sequence[Mapping[str, Any]]
    locked: Sequence[str]
    dead_letters: int
    settled: float


def audit(journeys: Sequence[Traveled], seen: Seen) -> list[str]:
    """Everything that is not as it must be, a line each; nothing where all is well."""
    return [
        *_answers(journeys),
        *_ends(journeys, seen),
        *_calls(journeys, seen),
        *_events(journeys, seen),
        *[f"the phone of {id_} is still locked" for id_ in seen.locked],
        *([f"{seen.dead_letters} dead letters"] if seen.dead_letters else []),
    ]


def _answers(journeys: Sequence[Traveled]) -> Iterator[str]:
    for journey in journeys:
        for wrong in journey.wrong:
            yield f"{journey.name}: answered otherwise than expected: {wrong}"
        if journey.id is None:
            yield f"{journey.name}: its start was lost"


def _ends(journeys: Sequence[Traveled], seen: Seen) -> Iterator[str]:
    for journey in journeys:
        found = seen.resources.get(journey.id or "")
        if found is None:
            yield f"{journey.name}: verification {journey.id} is lost"
        elif _outcome(journey, found) is None:
            attempts = [(each["provider"], each["method"], each["outcome"]) for each in found["attempts"]]
            got = (found["status"], found["reason"], found["evidence"], attempts)
            expected = " or ".join(map(str, journey.outcomes))
            yield f"{journey.name}: ended as {got}, expected {expected}"


def _outcome(journey: Traveled, resource: Mapping[str, Any]) -> Outcome | None:
    """Which of its outcomes a journey came to."""
    end = (resource["status"], resource["reason"], resource["evidence"])
    attempts = [(each["provider"], each["method"], each["outcome"]) for each in resource["attempts"]]
    for outcome in journey.outcomes:
        known = [(at.provider, at.method, result) for at, result, _ in outcome.attempts]
        if (outcome.status, outcome.reason, outcome.evidence) == end and known == attempts:
            return outcome
    return None


def _outcome_of(journey: Traveled, seen: Seen) -> Outcome | None:
    found = seen.resources.get(journey.id or "")
    return _outcome(journey, found) if found else None


def _calls(journeys: Sequence[Traveled], seen: Seen) -> Iterator[str]:
    """Nothing is paid twice, and no vendor is asked more often than a step allows."""
    asked: dict[str | None, list[Mapping[str, Any]]] = defaultdict(list)
    for request in seen.requests:
        if request["action"] in STARTS:
            asked[request["phone"]].append(request)
    for journey in journeys:
        outcome = _outcome_of(journey, seen)
        of_phone = asked.pop(journey.phone, [])
        if outcome is None:
            continue
        paid = Counter(request["provider"] for request in of_phone if request["paid"])
        expected = Counter(at.provider for at, _, calls in outcome.attempts for _ in range(calls))
        if paid != expected:
            yield f"{journey.name}: the vendors bill {dict(paid)}, expected {dict(expected)}"
        # One that failed at once is on record without what it bore.
        calls = Counter((each["provider"], each["action"], each.get("unique")) for each in of_phone)
        for (provider, action, _), times in calls.items():
            if times > (2 if provider in RESENDING else 1):
                yield f"{journey.name}: {provider} was asked {times} times for one call, by {action}"
    if asked:
        yield f"vendors were asked for calls of {len(asked)} phones of nobody"


def _events(journeys: Sequence[Traveled], seen: Seen) -> Iterator[str]:
    """Each transition is in the list once, in order, and was delivered as it stands there.

    A journey is created, each provider that agreed is started, and it ends. What a signed report has overtaken is told
    as ended alone.
    """
    transitions: dict[str, list[str]] = defaultdict(list)
    for event in seen.events:
        transitions[event["data"]["id"]].append(event["type"].removeprefix("verification."))
    delivered = {each["event"]["id"]: each["event"] for each in seen.deliveries if each["answer"] == 200}
    for journey in journeys:
        outcome = _outcome_of(journey, seen)
        agreed = sum(each[1] == "started" for each in outcome.attempts) if outcome else 0
        expected = ["created", *["started"] * agreed, *([outcome.status] if outcome else [])]
        if (found := transitions.pop(journey.id or "", [])) != expected:
            yield f"{journey.name}: the list of events tells {found}, expected {expected}"
    if transitions:
        yield f"events tell of {len(transitions)} verifications of nobody"
    undelivered = [event["id"] for event in seen.events if delivered.get(event["id"]) != event]
    yield from (f"{id_} was not delivered as the list has it" for id_ in undelivered)


def redelivered(deliveries: Iterable[Mapping[str, Any]]) -> int:
    """How often an event was taken again: allowed, since events are delivered at least once."""
    taken = [each["event"]["id"] for each in deliveries if each["answer"] == 200]
    return len(taken) - len(set(taken))
