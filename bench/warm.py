"""Warm invocations: each step of a journey, in turn with the same requests made by bare boto3 and urllib3."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import peers
from bench.artifacts import HERE, folder, runtime
from bench.counts import Counted
from bench.figures import Figure, figure
from bench.journeys import JOURNEYS, READ, READ_BACK, START, Containers, Journey, Person, answered
from bench.lambda_runtime import Invocation, running_function
from bench.wire import VENDORS, Sent
from bench.world import World

# Ids and hashes. A shorter one, or one of no verification's own, is left: all share it in the service too.
IDENTIFIER = re.compile(r"vrf_[0-9a-z]{26}|\b[0-9a-f]{64}\b|\b[A-Za-z0-9_-]{43}\b")


@dataclass(frozen=True, slots=True)
class Warm:
    """Times in ms, and how many times the floor's the service's and the floor's own once more were, turn by turn."""

    wall: Figure
    cpu: Figure
    floor: Figure
    floor_cpu: Figure
    ratio: Figure
    ratio_again: Figure


def measure(world: World, counted: Mapping[str, Counted], rounds: int) -> dict[tuple[str, str], Warm]:
    """By kind of journey and step."""
    rows: dict[tuple[str, str], list[tuple[float, ...]]] = defaultdict(list)
    bare = folder(HERE / "floors" / "bare")
    with (
        Containers(world, recorded=False) as containers,
        running_function(bare.directory, world.path(), world.environment(None)) as floor,
    ):
        for turn in range(rounds + 1):
            for kind in JOURNEYS:
                journey, others = Journey(world, kind), [Person(), Person()]
                for step, sent in {taken.step: taken.sent for taken in counted[kind].steps}.items():
                    ours = containers.take(step, journey)
                    if not step.bare:
                        continue
                    again = [floor.invoke(told(world, counted[kind].journey, sent, person)) for person in others]
                    if turn:  # the first round is warm nowhere
                        wall, cpu = again[0].wall, again[0].cpu
                        row = (ours.wall, ours.cpu, wall, cpu, ours.wall / wall, again[1].wall / wall)
                        rows[kind, step.name].append(row)
    return {step: Warm(*(figure(column) for column in zip(*values, strict=True))) for step, values in rows.items()}


def measure_peers(world: World, rounds: int) -> dict[str, tuple[Figure, Figure]]:
    """Wall time and CPU, ms, by what a peer does."""
    found: dict[str, list[Invocation]] = defaultdict(list)
    with (
        running_function(peers.built(peers.FASTAPI).directory, [runtime()], world.environment(None)) as fastapi,
        running_function(peers.built(peers.POWERTOOLS).directory, [runtime()], world.environment(None)) as powertools,
    ):
        for turn in range(rounds + 1):
            journey = Journey(world, READ_BACK)
            start = fastapi.invoke(journey.start())
            journey.id = json.loads(answered(start, 201)["body"])["id"]
            read, todo = fastapi.invoke(journey.read()), powertools.invoke(peers.read_todo())
            answered(read)
            answered(todo)
            if turn:
                found[f"FastAPI: {START.name}"].append(start)
                found[f"FastAPI: {READ.name}"].append(read)
                found["Powertools: read a todo"].append(todo)
    return {
        name: (figure([one.wall for one in all_]), figure([one.cpu for one in all_])) for name, all_ in found.items()
    }


def told(world: World, recorded: Journey, sent: Sequence[Sent], person: Person) -> dict[str, Any]:
    """The event that has the floor send the same for another person: with other ids, hashes and another phone."""
    requests = [
        {
            "method": one.operation,
            "url": world.wire.simulators + one.request["path"],
            "headers": one.request["headers"],
            "body": one.request["body"] or None,
        }
        if one.service in VENDORS
        else {"service": one.service, "operation": one.operation, "parameters": one.request}
        for one in sent
    ]
    text = json.dumps(requests).replace(recorded.person.phone[2:], person.phone[2:])
    suffix = f"{person.number:06}"
    return {"requests": json.loads(IDENTIFIER.sub(lambda found: found[0][:-6] + suffix, text))}
