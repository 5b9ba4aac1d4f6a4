"""`python -m bench`: measure everything. `python -m bench cold --function check_status -n 7`: cold starts alone."""

import argparse

from bench import cold
from bench.artifacts import functions


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("cold", help="cold starts alone")
    command.add_argument("--function", action="append", choices=functions(), help="default: all")
    command.add_argument("-n", type=int, default=7, help="how many processes of each")
    command.add_argument("--no-build", action="store_true", help="measure .aws-sam/build as it is")
    arguments = parser.parse_args()

    subjects = cold.subjects(arguments.function or functions(), rebuild=not arguments.no_build)
    found = cold.measure(subjects, arguments.n)
    print(
        f"{'':24} {'init ms':>20} {'x empty':>8} {'x client':>8} {'cpu ms':>20} {'x empty':>8} {'x client':>8} {'MiB':>18}"
    )
    empty, client = found[cold.EMPTY], found[cold.CLIENT]
    for name, one in found.items():
        print(
            f"{name:24} {one.init!s:>20} {one.init / empty.init:8.2f} {one.init / client.init:8.2f}"
            f" {one.cpu!s:>20} {one.cpu / empty.cpu:8.2f} {one.cpu / client.cpu:8.2f} {one.memory!s:>18}"
        )


if __name__ == "__main__":
    main()
