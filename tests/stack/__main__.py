"""`make test-stack`: the suites that can share a deployed stack, on two of them, side by side.

One is for tests that leave each other alone. The other has a short window, and is for tests that wait for its end, and
for those that change what every test on a stack would meet: they take turns there. Arguments are pytest's, for both.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from local.build import ROOT, build_for, host_architecture
from local.processes import LocalStackError
from tests.support.stacks import SHARED, SHORT_WINDOWS, Plan, deployed

NOTHING_COLLECTED = 5


# Of both runs, whose marks leave out none. Long tests first, so that none of them is the last.
PATHS = (
    "tests/stack/contract",
    "tests/stack/clients",
    "tests/stack/browser",
    "tests/stack/twilio_sdks",
    "tests/stack/unattended",
    "tests/stack/journeys",
    "tests/stack/doctor",
    "tests/stack/snippets",
    "tests/stack/local",
    "tests/stack/cli",
    "tests/repository/test_openapi.py::test_the_deployed_stack_answers_as_documented",
)
IN_TURNS = "alone or short_windows"


@dataclass(frozen=True)
class Run:
    """One pytest on one stack."""

    name: str
    plan: Plan
    workers: int
    marks: str


RUNS = (Run("shared", SHARED, 3, f"not ({IN_TURNS})"), Run("in turns", SHORT_WINDOWS, 3, IN_TURNS))


def run(each: Run, built: Path, directory: Path, options: Sequence[str]) -> int:
    """Bring the stack up, and run its tests; returns pytest's exit code. What both say is in `directory`."""
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {each.name}: {what}", flush=True)

    log = directory.with_suffix(".log")
    try:
        with deployed(each.plan, directory, built):
            say("the stack is up")
            command = [sys.executable, "-m", "pytest", "-n", str(each.workers), "--dist", "worksteal", "-m", each.marks]
            command += ["--durations", "10", "--durations-min", "5", "--color", "no"]
            command += ["--ignore", "tests/stack/browser/alone", *options, *PATHS]
            with log.open("w") as output:
                code = subprocess.run(
                    command,
                    cwd=ROOT,
                    env=os.environ | {"CALLVERIFY_DEV_ENV": str(directory / "env")},
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    check=False,
                ).returncode
    except LocalStackError as error:
        log.write_text(str(error))
        code = 1
    say("passed" if code == 0 else f"ended with {code}")
    return code


def main(options: Sequence[str]) -> int:
    os.environ.pop("CALLVERIFY_DEV_ENV", None)
    with tempfile.TemporaryDirectory(prefix="callverify-") as temporary:
        directory = Path(temporary)
        built = directory / "built"
        build_for(host_architecture(), built)
        with ThreadPoolExecutor(len(RUNS)) as pool:
            codes = list(
                pool.map(lambda each: run(each, built, directory / each.name.replace(" ", "-"), options), RUNS)
            )
        for each in RUNS:
            print(f"\n==> {each.name}\n{(directory / each.name.replace(' ', '-')).with_suffix('.log').read_text()}")
    ran = [code for code in codes if code != NOTHING_COLLECTED] or codes
    return max(ran)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
