"""`python -m bench`: measure everything, into bench/RESULTS.md.

`python -m bench cold --function check_status -n 7` measures cold starts alone, and writes no file; `warm` and `counts`
likewise.
"""

import argparse
import os
import sys
from collections.abc import Mapping

from bench import artifacts, cold, counts, report, warm
from bench.counts import Counted
from bench.world import embedded_aws, world
from local.build import ROOT
from local.processes import LocalStackError
from tests.engines.dynamodb_local import Missing

COLD_ROUNDS, WARM_ROUNDS = 9, 40
QUICK_ROUNDS = 1


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

    load = os.getloadavg()[0]
    repeats = QUICK_ROUNDS if arguments.quick else arguments.n
    cold_rounds, warm_rounds = repeats or COLD_ROUNDS, repeats or WARM_ROUNDS
    built = artifacts.service(rebuild=not arguments.no_build)
    functions = arguments.function or artifacts.functions()
    counted: Mapping[str, Counted] = {}
    if arguments.what != "cold":
        say("Counting requests ...")
        with world(built, embedded_aws) as everything:
            counted = counts.count(everything)
    if arguments.what == "counts":
        return print(report.counts_table(counted))
    with world(built) as everything:
        if arguments.what == "cold":
            with cold.subjects(everything, functions) as subjects:
                return print(report.cold_table(cold.measure(subjects, cold_rounds)))
        say(f"Measuring {warm_rounds} warm invocations of each step ...")
        steps = warm.measure(everything, counted, warm_rounds)
        if arguments.what == "warm":
            return print(report.warm_table(steps))
        others = warm.measure_peers(everything, warm_rounds)
        say(f"Measuring {cold_rounds} cold starts of each function ...")
        with cold.subjects(everything, functions) as subjects:
            starts = cold.measure(subjects, cold_rounds)
    results = report.Results(
        built, starts, steps, others, counted, cold_rounds, warm_rounds, (load, os.getloadavg()[0])
    )
    page = report.render(results)
    print(page)
    if not arguments.quick:
        report.RESULTS.write_text(page)
        say(f"Written to {report.RESULTS.relative_to(ROOT)}")
    return None


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except (LocalStackError, Missing) as error:
        sys.exit(f"bench: {error}")
