"""Requests and capacity units of each step of each journey, read off the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.journeys import JOURNEYS, Containers, Journey, Step
from bench.wire import DYNAMODB, VENDORS, Sent
from bench.world import World


@dataclass(frozen=True, slots=True)
class Taken:
    """A step of a journey, with all that was sent in it."""

    step: Step
    sent: Sequence[Sent]

    @property
    def requests(self) -> int:
        return sum(one.service == DYNAMODB for one in self.sent)

    @property
    def writes(self) -> int:
        """Write requests; a transaction is one."""
        return sum(one.writes for one in self.sent)

    @property
    def read_units(self) -> float:
        return sum(one.read_units for one in self.sent)

    @property
    def write_units(self) -> float:
        return sum(one.write_units for one in self.sent)

    @property
    def vendor_requests(self) -> int:
        return sum(one.service in VENDORS for one in self.sent)

    @property
    def other_requests(self) -> int:
        return len(self.sent) - self.requests - self.vendor_requests


@dataclass(frozen=True, slots=True)
class Counted:
    """A journey, step by step; `journey` says whose it was."""

    journey: Journey
    steps: Sequence[Taken]


def count(world: World) -> Mapping[str, Counted]:
    """By kind; where a comma follows, with what else was done.

    Each journey is taken twice, and the second counts: its containers have their secrets.
    """
    counted = {}
    with Containers(world, recorded=True) as containers:
        for name, steps in JOURNEYS.items():
            for _ in range(2):
                journey = Journey(world, name.partition(",")[0])
                taken = []
                for step in steps:
                    world.wire.take()
                    containers.take(step, journey)
                    taken.append(Taken(step, world.wire.take()))
                counted[name] = Counted(journey, taken)
    return counted
