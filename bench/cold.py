"""Cold starts: fresh processes of each function, in turn with fresh processes of the floors and the peers."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench import peers
from bench.artifacts import HERE, Artifact, folder, runtime
from bench.figures import Figure, figure
from bench.journeys import CODED, READ_BACK, Journey, load
from bench.lambda_runtime import Function, running_function
from bench.world import World

EMPTY, CLIENT, EMPTY_AGAIN = "empty handler", "boto3 client", "empty handler, again"
WARM_INVOCATIONS = 5


@dataclass(frozen=True, slots=True)
class Subject:
    """What is started. `path`: what it imports from besides its own folder; `event` makes the next one."""

    artifact: Artifact
    path: Sequence[Path]
    environment: Mapping[str, str]
    event: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Cold:
    """Times in ms, memory in MiB. answer, cpu: of init and first invocation together. warm: invocations after it."""

    init: Figure
    first: Figure
    answer: Figure
    cpu: Figure
    warm: Figure
    memory: Figure


@contextmanager
def subjects(world: World, functions: Sequence[str]) -> Iterator[dict[str, Subject]]:
    """The floors, the service's functions and the peers. Floors and functions have the same things to import from."""
    path = world.path()
    empty, client = folder(HERE / "floors" / "empty"), folder(HERE / "floors" / "client")
    found = {
        EMPTY: Subject(empty, path, {}, dict),
        CLIENT: Subject(client, path, {}, dict),
        EMPTY_AGAIN: Subject(empty, path, {}, dict),
    }
    with ExitStack() as stack:
        events = Events(world, stack)
        for name in functions:
            found[name] = Subject(world.artifacts[name], path, world.environment(name), events.of(name))
        for name, event in peers.events(world).items():
            found[name] = Subject(peers.built(name), [runtime()], world.environment(None), event)
        yield found


class Events:
    """Events that a function does its ordinary work on, each of them new. What has to come before is done elsewhere."""

    def __init__(self, world: World, stack: ExitStack) -> None:
        self.world = world
        self._start: Function = stack.enter_context(world.function("start_verification"))
        # A call with a code: no vendor is asked, however long ago it was started.
        self.coded = self.begun(CODED)
        self.dialled = self.begun(READ_BACK)

    def of(self, function: str) -> Callable[[], Any]:
        return partial(EVENTS[function], self)

    def begun(self, kind: str) -> Journey:
        journey = Journey(self.world, kind)
        journey.begin(self._start)
        return journey


EVENTS: Mapping[str, Callable[[Events], Any]] = {
    "authorize": lambda events: events.coded.authorize(),
    "authorize_updates": lambda _: load("authorize_updates"),
    "check_status": lambda events: events.coded.read(),
    # A sign-in's first: the others find the container warm.
    "cognito_triggers": lambda _: load("cognito_define"),
    "deliver_event": lambda _: load("delivery"),
    "manage_records": lambda _: load("block"),
    "publish_event": lambda events: events.begun(READ_BACK).transition_started(),
    "receive_webhook": lambda events: events.begun(READ_BACK).webhook(),
    "schedule_follow_up": lambda events: events.dialled.transition_created(),
    "serve_docs": lambda _: load("docs"),
    "serve_page": lambda _: load("page"),
    "follow_up": lambda events: events.coded.follow_up(),
    "start_verification": lambda events: Journey(events.world, READ_BACK).start(),
    "twilio_verify": lambda _: load("twilio_verify_create"),
}


def measure(subjects: Mapping[str, Subject], rounds: int) -> dict[str, Cold]:
    """Start each subject once in each round, in random order: the first after a pause is slower."""
    values: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    chance = random.Random(1)
    for turn in range(rounds + 1):
        for name in chance.sample([*subjects], len(subjects)):
            subject = subjects[name]
            with running_function(subject.artifact.directory, subject.path, subject.environment) as function:
                first = function.invoke(subject.event())
                warm = figure([function.invoke(subject.event()).wall for _ in range(WARM_INVOCATIONS)])
                init, peak = function.init_ms, function.peak_bytes() / 2**20
                row = (init, first.wall, init + first.wall, first.cpu, warm.median, peak)
            if turn:  # the first round brings the files into the page cache
                values[name].append(row)
    return {name: Cold(*(figure(column) for column in zip(*values[name], strict=True))) for name in subjects}
