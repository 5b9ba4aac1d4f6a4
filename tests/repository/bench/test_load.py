"""How `make load` works through its journeys; the stack itself is `make load`'s own."""

import random
from collections.abc import Iterator
from typing import Any, cast

from bench.load import latencies, run
from bench.scripts import SCRIPTS, plan
from bench.travel import Journey, Measured, World


class Walk:
    """A journey that notes its steps in a log of all."""

    def __init__(self, name: str, log: list[str], waits: list[float]) -> None:
        self.wrong: list[str] = []
        self.steps = self._walk(name, log, waits)

    def _walk(self, name: str, log: list[str], waits: list[float]) -> Iterator[float]:
        for wait in waits:
            log.append(name)
            yield wait
        log.append(f"{name} ends")
        if not waits:
            raise AssertionError("(500, 'internal error')")


def walk(hands: int, *waits: list[float]) -> tuple[list[str], list[Walk]]:
    log: list[str] = []
    walks = [Walk(str(n), log, each) for n, each in enumerate(waits)]
    run(cast("list[Journey]", walks), hands)
    return log, walks


def test_one_whose_wait_is_over_goes_before_one_that_is_to_begin() -> None:
    assert walk(1, [0.0, 0.0], [0.0])[0] == ["0", "0", "0 ends", "1", "1 ends"]


def test_others_go_on_while_one_waits_or_has_failed() -> None:
    log, walks = walk(2, [0.3], [], [0.0])
    assert log[-1] == "0 ends"
    assert sorted(log) == ["0", "0 ends", "1 ends", "2", "2 ends"]
    assert [each.wrong for each in walks] == [[], ["AssertionError: (500, 'internal error')"], []]


def test_a_seed_decides_what_happens_and_not_to_whom() -> None:
    def planned(seed: int, salt: int) -> list[Journey]:
        return plan(cast(World, None), 1_000, seed, salt)

    first, again, salted, other = planned(1, 0), planned(1, 0), planned(1, 7), planned(2, 0)
    assert [(each.script, each.phone) for each in first] == [(each.script, each.phone) for each in again]
    assert first[5].chance.random() == again[5].chance.random()
    assert [each.script for each in first] == [each.script for each in salted] != [each.script for each in other]
    assert not {each.phone for each in first} & {each.phone for each in salted}
    assert {each.script for each in first} == SCRIPTS.keys()
    assert len({each.phone for each in first}) == 1_000


def test_percentiles_are_by_kind() -> None:
    chance: Any = random.Random(1)
    measured = Measured({"read": [chance.random() for _ in range(1_000)], "cancel": [0.25]})
    table = latencies(measured)
    assert "| cancel | 1 | 250 | 250 | 250 |" in table
    (read,) = [line for line in table.splitlines() if line.startswith("| read")]
    p50, p90, p99 = (int(cell) for cell in read.split("|")[3:6])
    assert 450 < p50 < 550 < 850 < p90 < 950 < p99 <= 1_000
