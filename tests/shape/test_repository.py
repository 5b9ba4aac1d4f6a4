"""What must not, and what must, be in the repository's files."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = [
    *sorted((ROOT / "requirements").glob("*.txt")),
    ROOT / "layers/callverify/requirements.txt",
    *sorted((ROOT / "bench").glob("**/requirements.txt")),
]
REGISTRY = re.compile(
    r"py[p]i\.org|py[t]honhosted\.org|registry\.np[m]js|(?:extra-)?index[-]url\s*[ =]\s*\S*//|find-links\s*[ =]\s*\S*/"
)
MACHINE_PATH = re.compile(r"(?<![\w./{}-])/(?:home|root|work|Users)/")


def tracked_files() -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked_files()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_package_registry() -> None:
    assert lines_with(REGISTRY) == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert lines_with(MACHINE_PATH) == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name + "/" + lock.name)
def test_every_locked_requirement_has_a_hash(lock: Path) -> None:
    requirements = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", lock.read_text(), flags=re.MULTILINE).strip())
    assert len(requirements) > 5
    for requirement in requirements:
        assert re.match(r"[a-z0-9-]+==\S+", requirement), requirement
        assert "--hash=sha256:" in requirement, requirement


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name + "/" + lock.name)
def test_what_is_asked_for_is_locked(lock: Path) -> None:
    asked = re.findall(r"^([a-z0-9-]+)", lock.with_suffix(".in").read_text(), flags=re.MULTILINE)
    locked = re.findall(r"^([a-z0-9-]+)==", lock.read_text(), flags=re.MULTILINE)
    assert {name for name in asked if not name.startswith("-")} <= set(locked)
