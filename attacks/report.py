"""What the attacks came to, as a table and in docs/threat-model.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

THREAT_MODEL = Path(__file__).resolve().parents[1] / "docs" / "threat-model.md"
BEGIN, END = "<!-- attacks: begin -->", "<!-- attacks: end -->"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one attack came to.

    tries, successes: what was tried, and how often the attacker got what he wanted; of what, `bound` says. holds:
    whether that is within the bound. expected: the attack is known to succeed, and shown as not stopped.
    """

    attack: str
    tries: int
    successes: int
    bound: str
    holds: bool
    expected: bool = False


def table(findings: Sequence[Finding]) -> str:
    lines = ["| attack | tries | successes | bound, and why |", "| --- | ---: | ---: | --- |"]
    for finding in findings:
        verdict = "" if finding.holds else "**BROKEN.** "
        verdict += "**Not stopped.** " if finding.expected else ""
        lines.append(f"| {finding.attack} | {finding.tries:,} | {finding.successes:,} | {verdict}{finding.bound} |")
    return "\n".join(lines)


def write(findings: Sequence[Finding], path: Path = THREAT_MODEL) -> None:
    """Put the table between the markers of the document."""
    head, begin, rest = path.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{path.name} has lost its markers {BEGIN} and {END}")
    path.write_text(f"{head}{BEGIN}\n\n{table(findings)}\n\n{END}{tail}")
