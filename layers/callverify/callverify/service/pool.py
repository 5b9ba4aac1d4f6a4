"""How many numbers a vendor really calls from, judged by the codes that it picks: the tails of these numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from callverify.domain import errors
from callverify.domain.keys import Keys
from callverify.domain.words import Clock
from callverify.providers.base import Line
from callverify.store import Store

SMALLEST = 3000
# Fewer tell nothing: of 500 codes out of all 10,000, 12 meet by chance.
MEETINGS_NEEDED = 10
REREAD_SECONDS = 60


def effective_size(codes: Sequence[bytes]) -> float | None:
    """Pairs over coincidences: the size of an evenly used pool that would repeat itself as often; None: too few."""
    pairs = len(codes) * (len(codes) - 1) // 2
    meetings = sum(count * (count - 1) // 2 for count in Counter(codes).values())
    return pairs / meetings if meetings >= MEETINGS_NEEDED else None


class Pools:
    """The pools of all routes whose codes the vendor picks. This one knows none: of the test lane."""

    def is_predictable(self, line: Line) -> bool:  # noqa: ARG002
        """Whether a route's pool is so small that its codes can be guessed."""
        return False

    def learn(self, line: Line, code: str) -> float | None:  # noqa: ARG002
        """One more code: the pool's size by now, where it can be told."""
        return None


class StoredPools(Pools):
    """What is known is read again after a minute. Where it can't be read or kept, the start goes on without."""

    def __init__(self, store: Store, keys: Keys, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._sizes: dict[str, tuple[float, float | None]] = {}

    def is_predictable(self, line: Line) -> bool:
        route, now = _route(line), self._clock()
        known = self._sizes.get(route)
        if known is None or now >= known[0] + REREAD_SECONDS:
            try:
                known = (now, effective_size(self._store.pool(route)))
            except errors.Busy:
                known = known or (now, None)
            self._sizes[route] = known
        return known[1] is not None and known[1] < SMALLEST

    def learn(self, line: Line, code: str) -> float | None:
        tail = self._keys.hash_tail(line.provider, line.method, code)
        try:
            size = effective_size(self._store.add_to_pool(_route(line), tail, int(self._clock())))
        except errors.Busy:
            return None
        self._sizes[_route(line)] = (self._clock(), size)
        return size


def _route(line: Line) -> str:
    return f"{line.provider}#{line.method}"
