"""What must not, and what must, be in the repository's files."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LOCKS = [
    *sorted((ROOT / "requirements").glob("*.txt")),
    ROOT / "layers/callverify/requirements.txt",
    *sorted((ROOT / "bench").glob("**/requirements.txt")),
]
CI_RUN = (ROOT / ".ci/run").read_text()
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


def test_what_a_group_asks_for_is_locked() -> None:
    makefile = (ROOT / "Makefile").read_text()
    variables = dict(re.findall(r"^(\w+) := (.+)$", makefile, flags=re.MULTILINE))
    compiled = [
        (group.replace("$$client", client), target.replace("$$client", client))
        for group, target in re.findall(r"--group (\S+) .*?--output-file (\S+)", makefile)
        for client in (variables["CLIENTS_APART"].split() if "$$client" in group else [""])
    ]
    targets = {group: ROOT / variables.get(target.strip("$()"), target) for group, target in compiled}
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert targets.keys() == groups.keys()
    assert set(targets.values()) == set(LOCKS)
    for group, lock in targets.items():
        asked = {re.split(r"[^a-z0-9-]", entry)[0] for entry in groups[group] if isinstance(entry, str)}
        locked = set(re.findall(r"^([a-z0-9-]+)==", lock.read_text(), flags=re.MULTILINE))
        assert asked, group
        assert asked <= locked, group


def test_the_version_stands_once() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    stands = re.compile(rf"version\W+{re.escape(version)}(?![\d.])", re.IGNORECASE)
    # Documents tell of versions; locks and the served documentation are generated.
    told = {*(ROOT / "functions/serve_docs").iterdir(), *LOCKS}
    sources = [path for path in tracked_files() if path.suffix != ".md" and path not in told]
    assert [path for path in sources if stands.search(path.read_text(errors="replace"))] == [ROOT / "pyproject.toml"]


def test_every_picture_is_shown_by_a_document() -> None:
    documents = [path for path in tracked_files() if path.suffix == ".md"]
    shown = {
        (document.parent / link).resolve()
        for document in documents
        for link in re.findall(r"(?:\]\(|src=\")([^)\"\s]+\.(?:png|svg))", document.read_text())
    }
    pictures = {path for path in tracked_files() if path.suffix == ".png"}
    assert pictures
    assert pictures <= shown


def test_ci_and_hooks_call_targets_of_make() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {
        target for line in re.findall(r"^\.PHONY: (.+)$", makefile, flags=re.MULTILINE) for target in line.split()
    }
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    commands = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    commands += [hook["entry"] for repo in hooks for hook in repo["hooks"]]
    commands += [f"make {target}" for line in re.findall(r"targets\+?=\((.+)\)", CI_RUN) for target in line.split()]
    assert "bash .ci/run" in commands
    assert {command.removeprefix("make ") for command in commands if command != "bash .ci/run"} <= targets
