"""`python -m bench`: measure everything, into bench/RESULTS.md.

`python -m bench cold --function check_status -n 7` measures cold starts alone, and writes no file; `warm` and `counts`
likewise.
"""

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence

from bench import artifacts, cold, counts, report, warm
from bench.counts import Counted
from bench.lambda_runtime import emulator
from bench.world import World, embedded_aws, world
from local.build import ROOT
from local.processes import LocalStackError
from tests.stack.engines.dynamodb_local import Missing, fetch

COLD_ROUNDS, WARM_ROUNDS = 9, 40


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["all", "cold", "warm", "counts"], default="all")
    parser.add_argument("--function", action="append", choices=artifacts.functions(), help="for cold; default: all")
    parser.add_argument(
        "-n", type=int, help=f"repeats; default: {COLD_ROUNDS} processes, {WARM_ROUNDS} warm invocations"
    )
    parser.add_argument("--quick", action="store_true", help="try everything once, and write no file")
    parser.add_argument("--no-build", action="store_true", help="measure .aws-sam/build as it is")
    arguments = parser.parse_args()

    if arguments.function and arguments.what != "cold":
        parser.error("--function is for cold alone")

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that nothing that it started is left behind
    fetch()
    emulator()
    load = os.getloadavg()[0]
    shutil.rmtree(artifacts.WORK / "logs", ignore_errors=True)
    repeats = 1 if arguments.quick else arguments.n
    cold_rounds, warm_rounds = repeats or COLD_ROUNDS, repeats or WARM_ROUNDS
    functions = arguments.function or artifacts.functions()
    built = artifacts.service(rebuild=not arguments.no_build)
    match arguments.what:
        case "counts":
            print(report.counts_table(count(built)))
        case "cold":
            with world(built) as everything:
                print(report.cold_table(start(everything, functions, cold_rounds)))
        case "warm":
            counted = count(built)
            with world(built) as everything:
                print(report.warm_table(warm.measure(everything, counted, warm_rounds)))
        case _:
            counted = count(built)
            with world(built) as everything:
                say(f"Measuring {warm_rounds} warm invocations of each step ...")
                steps = warm.measure(everything, counted, warm_rounds)
                others = warm.measure_peers(everything, warm_rounds)
                starts = start(everything, functions, cold_rounds)
            loads = (load, os.getloadavg()[0])
            page = report.render(report.Results(built, starts, steps, others, counted, cold_rounds, warm_rounds, loads))
            print(page)
            if not arguments.quick:
                report.RESULTS.write_text(page)
                say(f"Written to {report.RESULTS.relative_to(ROOT)}")


def count(built: Mapping[str, artifacts.Artifact]) -> Mapping[str, Counted]:
    say("Counting requests ...")
    with world(built, embedded_aws) as everything:
        return counts.count(everything)


def start(everything: World, functions: Sequence[str], rounds: int) -> Mapping[str, cold.Cold]:
    say(f"Measuring {rounds} cold starts of each function ...")
    with cold.subjects(everything, functions) as subjects:
        return cold.measure(subjects, rounds)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except (LocalStackError, Missing) as error:
        sys.exit(f"bench: {error}")
