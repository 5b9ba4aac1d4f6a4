"""Parts of documents that a program writes: between `<!-- name: begin -->` and `<!-- name: end -->`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path


def put(text: str, name: str, part: str) -> str:
    """The document with this part in the place of the former one. Raises ValueError where it has no such place."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    head, found, rest = text.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not (found and found_end):
        raise ValueError(f"the document has lost its markers {begin} and {end}")
    return f"{head}{begin}\n\n{part}\n\n{end}{tail}"


def write(path: Path, name: str, part: str) -> None:
    path.write_text(put(path.read_text(), name, part))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table: the first column is text, the others are figures."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
