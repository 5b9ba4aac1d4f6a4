"""Which suite catches which seeded fault, and how many random histories it takes: into bench/mutants.md.

Each fault is put into a copy of the layer, and the suites run against that. A suite that fails on the layer as it is
is left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

from tests.deep.faults import FAULTS, Fault

ROOT = Path(__file__).resolve().parents[2]
LAYER = ROOT / "layers" / "callverify"
RESULT = ROOT / "bench" / "mutants.md"
CRASHES = "tests/service/crashes"
SUITES = {
    "transitions": ["tests/unit/test_transitions.py", "tests/unit/test_guards.py"],
    "rest of unit": ["tests/unit", "--ignore=tests/unit/test_transitions.py", "--ignore=tests/unit/test_guards.py"],
    "service": ["tests/service", f"--ignore={CRASHES}", "--ignore=tests/service/properties"],
    "orders": ["tests/service/properties/test_orders.py"],
    "named crashes": [f"{CRASHES}/test_named.py", f"{CRASHES}/test_by_phone.py"],
    "every point": [f"{CRASHES}/test_every_point.py"],
    "throttled": [f"{CRASHES}/test_throttled.py"],
}
SEEDS, MOST, FIRST_SEEDS = range(5), 250, 2
AT_ONCE = max(1, (os.cpu_count() or 1) // 2)


# By suite whether it catches a fault, and by seed which random history does.
Result = tuple[list[bool], list[int | None]]


def run(layer: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": f"{layer}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def catches(layer: Path, suite: str) -> bool:
    """Whether the suite fails. Raises RuntimeError where it could not run."""
    options = ["-q", "-x", "-p", "no:cacheprovider", "-o", f"pythonpath={layer} .", "-m", "not stack"]
    ran = run(layer, "-m", "pytest", *options, *SUITES[suite])
    if ran.returncode not in (0, 1, 2, 4):  # 4: it could not be loaded
        raise RuntimeError(ran.stdout[-2000:] + ran.stderr[-2000:])
    return ran.returncode != 0


def first_failure(layer: Path, seed: int) -> int | None:
    said = run(layer, "-m", "tests.deep.histories", str(seed), str(MOST)).stdout.split()
    return None if said[-1:] == ["none"] else int(said[-1])


def judge(fault: Fault, suites: Sequence[str]) -> Result:
    with tempfile.TemporaryDirectory() as directory:
        layer = Path(directory) / "layer"
        shutil.copytree(LAYER, layer, ignore=shutil.ignore_patterns("__pycache__"))
        file = layer / "callverify" / fault.file
        text = file.read_text()
        if text.count(fault.right) != 1:
            raise ValueError(f"{fault.file} has {fault.right!r} {text.count(fault.right)} times")
        file.write_text(text.replace(fault.right, fault.wrong))
        caught = [catches(layer, suite) for suite in suites]
        found = []
        for seed in SEEDS:
            found.append(first_failure(layer, seed))
            if len(found) == FIRST_SEEDS and not any(found):
                break  # no matter of how many
        return caught, found


def row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |\n"


def told(found: Sequence[int | None]) -> str:
    numbers = [number for number in found if number]
    if not numbers:
        return "–"
    return (
        f"{median(numbers):.0f} ({max(numbers)})" if len(numbers) == len(found) else f"{len(numbers)} of {len(found)}"
    )


def write(faults: Sequence[Fault], suites: Sequence[str], results: Sequence[Result]) -> None:
    always = [max(each or 0 for each in found) for _, found in results if all(found)]
    sometimes = sum(any(found) and not all(found) for _, found in results)
    caught = sum(any(by_suite) or all(found) for by_suite, found in results)
    lines = [
        "# Seeded faults, and what catches them\n\n",
        "Made by `python -m tests.deep.mutants`. Each fault is one of `tests/deep/faults.py`, put into the layer. ",
        f"Random histories: the median (and the most) of {len(SEEDS)} seeds until one fails, of {MOST} at most; ",
        f"– is none in the first {FIRST_SEEDS} seeds.\n\n",
        f"- {caught} of {len(faults)} faults are caught by what `make test` runs.\n",
        f"- Random histories catch {len(always)} in every seed, with {max(always, default=0)} histories or fewer; ",
        f"{sometimes} in some seeds alone.\n\n",
        row(["fault", "file", *suites, "random histories"]),
        row(["---"] * (len(suites) + 3)),
    ]
    for fault, (by_suite, found) in zip(faults, results, strict=True):
        lines.append(row([fault.name, f"`{fault.file}`", *("yes" if each else "" for each in by_suite), told(found)]))
    RESULT.write_text("".join(lines))


def main() -> None:
    suites = [suite for suite in SUITES if not catches(LAYER, suite)]
    for suite in SUITES.keys() - suites:
        print(f"left out, since it fails without a fault: {suite}", flush=True)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        results = []
        for fault, result in zip(FAULTS, threads.map(partial(judge, suites=suites), FAULTS), strict=True):
            print(f"{fault.name}: {dict(zip(suites, result[0], strict=True))} {result[1]}", flush=True)
            results.append(result)
    write(FAULTS, suites, results)


if __name__ == "__main__":
    main()
