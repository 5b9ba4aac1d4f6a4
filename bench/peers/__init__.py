"""Two services that others would write for the same runtime, each built as this one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.artifacts import Artifact, folder
from bench.journeys import READ_BACK, Journey, load
from bench.world import World

FASTAPI, POWERTOOLS = "fastapi", "powertools"


def built(name: str) -> Artifact:
    return folder(Path(__file__).resolve().parent / name)


def events(world: World) -> Mapping[str, Callable[[], Any]]:
    """By peer: what makes its next event."""
    return {POWERTOOLS: read_todo, FASTAPI: lambda: Journey(world, READ_BACK).start()}


def read_todo() -> dict[str, Any]:
    return load("status") | {"path": "/todos/1", "resource": "/todos/{id}", "pathParameters": {"id": "1"}}
