"""Which random history fails first, of a seed and so many at most: `python -m tests.deep.histories SEED MOST`."""

from __future__ import annotations

import sys

from hypothesis import Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.service.crashes.test_schedules import Schedules


class Counted(Schedules):
    """made: of this process."""

    made = 0

    def __init__(self) -> None:
        super().__init__()
        Counted.made += 1


def first_failure(number: int, most: int) -> int | None:
    """Which history of this seed fails first; None where none of `most` does."""
    chosen = settings(Schedules.TestCase.settings, max_examples=most, phases=[Phase.generate])
    try:
        run_state_machine_as_test(seed(number)(Counted), settings=chosen)
    except BaseException:
        return Counted.made
    return None


if __name__ == "__main__":
    found = first_failure(int(sys.argv[1]), int(sys.argv[2]))
    print(found or "none")
