"""A provider is two folders and one name: a made-up one is added to a copy of this repository, and all else follows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from callverify.providers.names import NAMES

ROOT = Path(__file__).resolve().parents[2]
MADE_UP = Path(__file__).parent / "made_up"
NAME = "ringbell"
NAMES_FILE = "layers/callverify/callverify/providers/names.py"
# What is run there, each for this provider alone.
BATTERY = ("test_every_provider.py", "test_every_secret.py", "test_every_webhook.py", "test_recordings.py")


def run(tree: Path, *command: str) -> str:
    """Run Python in the copy, which is all that it knows. Returns what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    ran = subprocess.run(
        [sys.executable, *command],
        cwd=tree,
        env=environment | {"PYTHONPATH": f"{tree}:{tree / 'layers/callverify'}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stdout[-6000:]}\n{ran.stderr[-2000:]}"
    return ran.stdout


def run_tests(tree: Path, *tests: str, only: str = NAME) -> None:
    said = run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", only, *tests)
    assert " passed" in said
    assert " failed" not in said


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copy, with two folders and one name more."""
    copy = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    without_caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(MADE_UP / "shipped", copy / "layers/callverify/callverify/providers" / NAME, ignore=without_caches)
    shutil.copytree(MADE_UP / "vendor", copy / "vendors" / NAME, ignore=without_caches)
    (copy / "vendors" / NAME / "own_tests.py").rename(copy / "vendors" / NAME / f"test_{NAME}.py")
    names = (copy / NAMES_FILE).read_text()
    added = names.replace(f'"{NAMES[-1]}"', f'"{NAMES[-1]}", "{NAME}"')
    assert added != names
    (copy / NAMES_FILE).write_text(added)
    return copy


def test_the_battery(tree: Path) -> None:
    run_tests(tree, *(f"tests/providers/{each}" for each in BATTERY), only=f"{NAME} or left_over")


def test_a_start_a_check_a_report_and_an_expiry(tree: Path) -> None:
    run_tests(tree, "tests/providers/test_every_journey.py", f"vendors/{NAME}")


def test_its_simulator_and_the_local_routes(tree: Path) -> None:
    run_tests(tree, "tests/providers/test_simulators.py", "tests/providers/simulators")
    run_tests(tree, "tests/repository/local/test_providers.py", only=f"{NAME} or account_at")


def test_the_doctor(tree: Path) -> None:
    run_tests(tree, "tests/providers/test_every_account.py")


def test_the_documents_follow(tree: Path) -> None:
    run(tree, "-m", "tools.render_docs")
    schemas = yaml.safe_load((tree / "docs/openapi.yaml").read_text())["components"]["schemas"]
    assert schemas["Provider"]["enum"] == [*NAMES, NAME]


@pytest.mark.parametrize("forgotten", [f"layers/callverify/callverify/providers/{NAME}/account.py", f"vendors/{NAME}"])
def test_what_is_forgotten_is_named(tree: Path, forgotten: str, tmp_path: Path) -> None:
    """The battery itself can fail."""
    shutil.move(tree / forgotten, tmp_path / "away")
    try:
        with pytest.raises(AssertionError):
            run_tests(tree, "tests/providers/test_every_provider.py", only=f"missing and {NAME}")
    finally:
        shutil.move(tmp_path / "away", tree / forgotten)
