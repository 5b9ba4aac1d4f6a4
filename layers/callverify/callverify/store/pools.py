"""The last codes that each vendor's route has picked, as short keyed hashes: of no phone, and of no time."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from callverify.domain.words import DAY
from callverify.store import table
from callverify.store.table import Stale, Table

KEPT = 500
SIZE = 4


class Pools:
    _table: Table

    def pool(self, route: str) -> Sequence[bytes]:
        """The hashes of the last KEPT codes of a route, oldest first."""
        return self._codes(route)[1]

    def add_to_pool(self, route: str, code: bytes, now: int) -> Sequence[bytes]:
        """One more. A sample: where two meet, one of them is left out."""
        seen, codes = self._codes(route)
        codes = [*codes, code][-KEPT:]
        item = {"codes": base64.b64encode(b"".join(codes)).decode(), "ttl": now + 90 * DAY}
        condition = "codes = :seen" if seen else "attribute_not_exists(pk)"
        self._table.put(table.put(f"pool#{route}", item, Stale, condition=condition, values={":seen": seen}))
        return codes

    def _codes(self, route: str) -> tuple[str, list[bytes]]:
        item = self._table.read(f"pool#{route}")
        text = str(item["codes"]) if item else ""
        raw = base64.b64decode(text)
        return text, [raw[place : place + SIZE] for place in range(0, len(raw), SIZE)]
