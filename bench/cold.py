"""Cold starts: fresh processes of a function, in turn with fresh processes of the two floors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.artifacts import HERE, LAYER, folder, runtime, service
from bench.environment import variables
from bench.figures import Figure, figure
from bench.lambda_runtime import running_function

EMPTY, CLIENT, EMPTY_AGAIN = "empty handler", "boto3 client", "empty handler, again"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is started. `path`: what it imports from besides its own folder."""

    task: Path
    path: Sequence[Path]
    environment: Mapping[str, str]
    event: Any


@dataclass(frozen=True, slots=True)
class Cold:
    """Times in ms, memory in MiB. cpu: of the start and the first invocation together."""

    init: Figure
    first: Figure
    cpu: Figure
    memory: Figure


def subjects(functions: Sequence[str], *, rebuild: bool) -> dict[str, Subject]:
    """The floors and the service's functions. All have the same things to import from."""
    artifacts = service(rebuild=rebuild)
    path = [artifacts[LAYER].directory / "python", runtime()]
    floors = {
        EMPTY: HERE / "floors" / "empty",
        CLIENT: HERE / "floors" / "client",
        EMPTY_AGAIN: HERE / "floors" / "empty",
    }
    found = {name: Subject(folder(source).directory, path, {}, {}) for name, source in floors.items()}
    for name in functions:
        found[name] = Subject(artifacts[name].directory, path, variables(name), {})
    return found


def measure(subjects: Mapping[str, Subject], rounds: int) -> dict[str, Cold]:
    """Start each subject once in each round."""
    values: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    for turn in range(rounds + 1):
        for name, subject in subjects.items():
            with running_function(subject.task, subject.path, subject.environment) as function:
                function.must_succeed = False
                first = function.invoke(subject.event)
                if turn:  # the first round brings the files into the page cache
                    values[name].append((function.init_ms, first.wall, first.cpu, function.peak_bytes() / 2**20))
    return {name: Cold(*(figure(column) for column in zip(*rows, strict=True))) for name, rows in values.items()}
