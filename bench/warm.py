"""Warm invocations: each step of a journey, in turn with the same requests made by bare boto3 and urllib3."""

from __future__ import annotations

import json
import math
import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench import peers
from bench.artifacts import HERE, folder, runtime
from bench.counts import Counted
from bench.figures import Figure, figure
from bench.journeys import JOURNEYS, READ, READ_BACK, START, Containers, Journey, Person, answered
from bench.lambda_runtime import Function, Invocation, running_function
from bench.wire import VENDORS, Sent
from bench.world import World

# Ids and hashes. A shorter one, or one of no verification's own, is left: all share it in the service too.
CONDITIONAL = ("ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues")
CALL = re.compile(r'call#\w+#[^"]+')  # of a vendor
IDENTIFIER = re.compile(r"vrf_[0-9a-z]{26}|\b[0-9a-f]{64}\b|\b[A-Za-z0-9_-]{43}\b")


@dataclass(frozen=True, slots=True)
class Warm:
    """Times in ms. ratio: how many times the floor's the service's were, turn by turn. control: the same of two floors.

    The two are alike in everything, so that only what is not measured here can take their control away from 1.
    """

    wall: Figure
    cpu: Figure
    floor: Figure
    floor_cpu: Figure
    ratio: Figure
    control: Figure


class Floors:
    """Two processes of the floor for each function, so that each is called as often as the function, and rests as long.

    One process for all steps would have been called just before, more often than not, and would be faster for that.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._running: dict[str, tuple[Function, Function]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Floors:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def of(self, function: str) -> tuple[Function, Function]:
        if function not in self._running:
            self._running[function] = (self._new(), self._new())
        return self._running[function]

    def _new(self) -> Function:
        bare, world = folder(HERE / "floors" / "bare"), self._world
        context = running_function(bare.directory, world.path(), world.environment(None))
        return self._stack.enter_context(context)


def measure(world: World, counted: Mapping[str, Counted], rounds: int) -> dict[tuple[str, str], Warm]:
    """By kind of journey and step. Within each step the function and its two floors take turns in random order."""
    rows: dict[tuple[str, str], list[tuple[float, ...]]] = defaultdict(list)
    chance = random.Random(1)
    with Containers(world, recorded=False) as containers, Floors(world) as floors:
        for turn in range(rounds + 1):
            for kind in chance.sample([*JOURNEYS], len(JOURNEYS)):
                journey, others = Journey(world, kind), [Person(), Person()]
                for step, sent in {taken.step: taken.sent for taken in counted[kind].steps}.items():
                    if not step.bare:
                        containers.take(step, journey)
                        continue
                    told_to = [told(world, counted[kind].journey, sent, person) for person in others]
                    acts = [
                        partial(containers.take, step, journey),
                        *(
                            partial(floor.invoke, event)
                            for floor, event in zip(floors.of(step.function), told_to, strict=True)
                        ),
                    ]
                    taken = {place: acts[place]() for place in chance.sample(range(3), 3)}
                    if turn:  # the first round is warm nowhere
                        rows[kind, step.name].append(_row(taken[0], taken[1], taken[2]))
    return {step: Warm(*(figure(column) for column in zip(*values, strict=True))) for step, values in rows.items()}


def _row(ours: Invocation, one: Invocation, other: Invocation) -> tuple[float, ...]:
    floor, floor_cpu = math.sqrt(one.wall * other.wall), (one.cpu + other.cpu) / 2
    return (ours.wall, ours.cpu, floor, floor_cpu, ours.wall / floor, other.wall / one.wall)


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
    text = CALL.sub(lambda found: f"{found[0]}-{suffix}", text)
    told_to = json.loads(IDENTIFIER.sub(lambda found: found[0][:-6] + suffix, text))
    for each in told_to:
        if each.get("operation") == "PutItem":  # by itself, it may be of an item that all share, and as it was then
            for name in CONDITIONAL:
                each["parameters"].pop(name, None)
    return {"requests": told_to}
