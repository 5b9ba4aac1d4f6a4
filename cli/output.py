"""What commands print: a line for a person, or JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

# A client token opens the verification to everyone who holds it.
TOKENS = ("client_token", "page_url", "updates")


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))


def counted(number: int, thing: str) -> str:
    """`1 message`, `2 messages`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def without_tokens(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name not in TOKENS}


def clock(moment: str | None = None) -> str:
    """Hours, minutes and seconds of a time of the API, or of now, where the reader is."""
    at = datetime.fromisoformat(moment) if moment else datetime.now().astimezone()
    return at.astimezone().strftime("%H:%M:%S")


def table(rows: Sequence[Sequence[object]], headings: Sequence[str]) -> str:
    """Rows under headings, each column as wide as its longest value."""
    lines = [[str(heading) for heading in headings], *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _text(cell: object) -> str:
    return "" if cell is None else str(cell)


def summary(resource: Mapping[str, Any]) -> str:
    """One line: the time, the state and why."""
    why = resource.get("reason") or resource.get("evidence")
    parts = [clock(), resource["status"].ljust(8), f"{resource['method']} by {resource['provider']}", resource["phone"]]
    return "  ".join([*parts, *([f"({why})"] if why else [])])


def fields(resource: Mapping[str, Any]) -> Iterable[str]:
    """The members of a resource, one a line; those that are lists of objects, a line for each."""
    width = max(map(len, resource))
    for name, value in resource.items():
        for number, line in enumerate(value if isinstance(value, list) and value else [value]):
            text = json.dumps(line, ensure_ascii=False) if isinstance(line, dict | list) else _text(line)
            yield f"{'' if number else name:{width}}  {text}".rstrip()
