"""The shell blocks of the documents do what they say, pasted whole and verbatim, on the deployed local stack."""

import re
import subprocess
from pathlib import Path

import pytest

from local.build import ROOT
from local.env import write_env

BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:\n```json\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN_ON_THE_STACK = [
    (path.name, block, shown)
    for path in DOCUMENTS
    for block, shown in BLOCK.findall(path.read_text())
    if block.startswith(". .dev/env")
]
# What a run differs in.
VARYING = {
    r"vrf_(test_)?[0-9a-z]{26}": r"vrf_(?:test_)?[0-9a-z]{26}",
    r"\+7\d{10}": r"\+7\d{10}",
    r"\d{4}-\d\d-\d\dT[0-9:.]+Z": r"\d{4}-\d\d-\d\dT[0-9:.]+Z",
}


def pattern_of(shown: str) -> str:
    """An output as a document shows it, as a pattern: `…` is anything, ids, numbers and times are any."""
    varying = "|".join(f"(?:{each})" for each in VARYING)
    parts = re.split(rf"({varying}| ?… ?)", re.sub(r"\s*\n\s*", "…", shown.strip()))
    pattern = ""
    for part in parts:
        if part is None or part == "test_":
            continue
        known = next((general for special, general in VARYING.items() if re.fullmatch(special, part)), None)
        pattern += known or (".*?" if "…" in part else re.escape(part))
    return pattern


@pytest.fixture
def clone(stack: dict[str, str], tmp_path: Path) -> Path:
    """The repository as a reader has it, with the env file of the stack."""
    for each in ROOT.iterdir():
        if each.name != ".dev":
            (tmp_path / each.name).symlink_to(each)
    (tmp_path / ".dev").mkdir()
    write_env(tmp_path / ".dev/env", stack)
    return tmp_path


@pytest.mark.parametrize(
    ("document", "block", "shown"),
    # A vendor's fault that names no phone is met by the first start that comes.
    [pytest.param(*each, marks=pytest.mark.alone if "/faults" in each[1] else ()) for each in RUN_ON_THE_STACK],
    ids=range(1, len(RUN_ON_THE_STACK) + 1),
)
def test_a_block_runs_when_it_is_pasted_whole(clone: Path, document: str, block: str, shown: str) -> None:
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(clone)}
    pasted = subprocess.run(
        ["bash"], input=block, cwd=clone, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (pasted.returncode, pasted.stderr) == (0, ""), document
    refusals = re.findall(r'"code":"(\w+)"', pasted.stdout)
    # One of the test numbers is there to be refused.
    assert refusals == (["provider_rejected"] if "+79000000104" in block else []), pasted.stdout
    if shown:
        assert re.search(pattern_of(shown), pasted.stdout, re.DOTALL), pasted.stdout


def test_the_readme_takes_a_newcomer_through_every_journey() -> None:
    blocks = "".join(block for _, block, _ in RUN_ON_THE_STACK)
    methods, of_the_api = ("reverse_call", "flash_call", "voice_call"), ("/check", "/switch", "TEST_API_KEY")
    for wanted in (*methods, *of_the_api, "/dial", "/press", "/faults", "RECEIVER_URL/events"):
        assert wanted in blocks
    assert len(RUN_ON_THE_STACK) >= 5
