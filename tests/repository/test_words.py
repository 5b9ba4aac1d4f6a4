"""Phrases that every newcomer had to read twice are gone from what people read."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Each with what to write in its place. `*` is any word.
PHRASES = {
    "Proves that somebody holds": "Verify that a user controls a phone number",
    "Call again, or another way": "Repeat the call; Switch to another method",
    "would rather be told than ask": "Verification events: list them, or receive signed webhooks",
    "in order and without a gap": "List events",
    "is not valid, or no longer": "is invalid or has expired",
    "was started for * alone": "This verification allows only X",
    "earlier request of this phone": "an earlier verification of this phone",
    "go over to new versions": "How traffic shifts to new versions",
    "go back when an alarm is raised": "rolls back when an alarm fires",
    "the paths of the API come after": "Base URL of the API",
    "serve again, of docs": "Regenerate the served API docs",
    "Who has only": "If you only have",
    "end of the window is brought": "the window expires",
    "goes over to": "falls back to; switches to",
    "This is not possible now": "what is wrong, then what would be right",
    "message(s)": "1 message, 2 messages",
    "fault(s)": "1 fault, 2 faults",
    "whoever": "the role: an attacker, the caller",
    "who asks": "the role: an attacker, the caller",
    "a name that is none": "the name, and the names that there are",
}
# They tell of what was, in the words of then.
HISTORY = {"CHANGELOG.md", "docs/decisions.md"}
READ = {".py", ".yaml", ".md", ".js", ".mjs", ".html", ".json", ".toml", ""}
MINE = Path(__file__).relative_to(ROOT).as_posix()


def texts() -> dict[str, str]:
    """What is tracked and read by people, by path, with each run of white space as one space."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    paths = [name for name in names if name and name not in HISTORY | {MINE} and Path(name).suffix in READ]
    found = {name: (ROOT / name).read_text(errors="ignore") for name in paths if (ROOT / name).is_file()}
    # A comment goes on behind its sign.
    return {name: re.sub(r"\s+(?:#|//|\*) |\s+", " ", text) for name, text in found.items()}


TEXTS = texts()


@pytest.mark.parametrize("phrase", PHRASES)
def test_a_phrase_that_has_to_be_read_twice_is_gone(phrase: str) -> None:
    pattern = re.compile(r"(?<!\w)" + r"\S+".join(map(re.escape, phrase.split("*"))))
    assert [name for name, text in TEXTS.items() if pattern.search(text)] == [], f"write instead: {PHRASES[phrase]}"


def test_texts_are_looked_through() -> None:
    assert {"README.md", "Makefile", "template.yaml", "docs/openapi.yaml", "docs/operations.md"} <= TEXTS.keys()
    assert len(TEXTS) > 400
