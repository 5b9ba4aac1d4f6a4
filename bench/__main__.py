"""`python -m bench`: measure everything. `python -m bench cold --function check_status -n 7`: cold starts alone."""

import argparse

from bench import artifacts, cold
from bench.world import world


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("cold", help="cold starts alone")
    command.add_argument("--function", action="append", choices=artifacts.functions(), help="default: all")
    command.add_argument("-n", type=int, default=7, help="how many processes of each")
    command.add_argument("--no-build", action="store_true", help="measure .aws-sam/build as it is")
    arguments = parser.parse_args()

    functions = arguments.function or artifacts.functions()
    built = artifacts.service(rebuild=not arguments.no_build)
    with world(built) as everything, cold.subjects(everything, functions) as subjects:
        found = cold.measure(subjects, arguments.n)
    empty, client = found[cold.EMPTY], found[cold.CLIENT]
    columns = ["init ms", "x empty", "x client", "cpu ms", "x empty", "x client", "first ms", "warm ms", "MiB"]
    print(
        f"{'':22}"
        + "".join(f"{column:>20}" if column.endswith(("ms", "MiB")) else f"{column:>9}" for column in columns)
    )
    for name, one in found.items():
        print(
            f"{name:22}{one.init!s:>20}{one.init / empty.init:9.2f}{one.init / client.init:9.2f}"
            f"{one.cpu!s:>20}{one.cpu / empty.cpu:9.2f}{one.cpu / client.cpu:9.2f}"
            f"{one.first!s:>20}{one.warm!s:>20}{one.memory!s:>20}"
        )


if __name__ == "__main__":
    main()
