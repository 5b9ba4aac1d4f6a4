"""Codes that a vendor picks are the tails of its numbers: what learning 1,000 of them beforehand is worth."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from attacks.report import Finding
from callverify.domain.keys import Keys
from callverify.providers.base import THEIR_CODE_CHECKS
from callverify.service.pool import SMALLEST, effective_size
from callverify.store.pools import KEPT

POOLS = (100, 1_000, 10_000)
LEARNED = 1_000  # calls to phones of the attacker's own
CODES = 10_000


def run(_: Any, victims: int) -> list[Finding]:
    """For each pool, used evenly and not: how many of so many phones' codes are among the best 3 guesses."""
    return [_attack(size, evenly=evenly, victims=victims) for size in POOLS for evenly in (True, False)]


def _attack(size: int, *, evenly: bool, victims: int) -> Finding:
    rng = random.Random(f"{size} {evenly}")
    numbers = rng.sample(range(CODES), size)
    # Not evenly: the busiest number calls twice as often as the second, three times as often as the third (Zipf).
    weights = [1.0] * size if evenly else [1 / rank for rank in range(1, size + 1)]
    learned = Counter(rng.choices(numbers, weights, k=LEARNED))
    guesses = {code for code, _ in learned.most_common(THEIR_CODE_CHECKS)}
    won = sum(code in guesses for code in rng.choices(numbers, weights, k=victims))
    judged = _judged(rng.choices(numbers, weights, k=KEPT))
    passed_over = judged is not None and judged < SMALLEST
    told = f"{judged:,.0f}" if judged else "more than can be told"
    verdict = "is passed over (`predictable`)" if passed_over else "is used"
    kind = "evenly" if evenly else "unevenly (Zipf)"
    return Finding(
        f"codes that a vendor picks: {LEARNED:,} calls learned of a pool of {size:,} numbers, used {kind}",
        victims,
        won,
        f"{won / victims:.2%} of phones in 24 h, by the {THEIR_CODE_CHECKS} guesses of a phone. By its last {KEPT} "
        f"codes the pool's effective size is {told}: the route {verdict}",
        # A pool that is used has to be worth guessing at no better than its least size says, three times over.
        holds=passed_over or won / victims <= 3 * THEIR_CODE_CHECKS / SMALLEST,
    )


def _judged(codes: Sequence[int]) -> float | None:
    keys = Keys("pepper of the simulation")
    return effective_size([keys.hash_tail("vendor", "flash_call", f"{code:04}") for code in codes])
