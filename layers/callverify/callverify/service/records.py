"""What an operator's own tools ask of records: found, told as they went, erased; and that a phone gets no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from callverify.domain import history
from callverify.domain.usage import day_of, in_digits
from callverify.domain.words import Caller, Scope
from callverify.service import requests, search
from callverify.service.context import Context
from callverify.store import Usage


class Records:
    """One method for each thing that can be asked of records, beside `Service`."""

    def __init__(self, ctx: Context, usage: Usage) -> None:
        self._ctx = ctx
        self._usage = usage

    def search(self, caller: Caller, body: str | None) -> search.Page:
        """One page of verifications of a reference or a phone: see `search`."""
        return search.search(self._ctx, caller, body)

    def block(self, caller: Caller, body: str | None) -> None:
        """Have nothing started for a phone: see `blocks`."""
        from callverify.service import blocks

        blocks.block(self._ctx, caller, body)

    def unblock(self, caller: Caller, body: str | None) -> None:
        from callverify.service import blocks

        blocks.unblock(self._ctx, caller, body)

    def erase(self, caller: Caller, verification_id: str) -> None:
        """Leave nothing of an ended verification: see `erase`."""
        from callverify.service import erase

        erase.erase(self._ctx, caller, verification_id)

    def erase_phone(self, caller: Caller, body: str | None) -> dict[str, Any]:
        """Leave nothing of a phone but what protects it."""
        from callverify.service import erase

        return erase.erase_phone(self._ctx, caller, body)

    def history(self, caller: Caller, verification_id: str) -> Sequence[history.Entry]:
        """What happened to a verification, in order. Raises Forbidden and NotFound."""
        found = self._ctx.visible(caller, verification_id, Scope.READ, client_token=False)
        return history.history(found, self._ctx.now(), self._ctx.lane(found.mode).questions(found))

    def usage(self, caller: Caller, day: str | None) -> dict[str, Any]:
        """What the key used in a day, by provider and method. Raises Forbidden and InvalidRequest."""
        self._ctx.require(caller, Scope.READ)
        named = requests.parse_day(day) or day_of(self._ctx.now())
        found = self._usage.of_day(caller.mode, named, None if caller.all_keys else caller.key_id)
        rows = [
            {
                "provider": provider,
                "method": method,
                "starts": amounts["starts"],
                "verified": amounts["verified"],
                "paid_calls": amounts["paid_calls"],
                "cost": {
                    name.removeprefix("cost_"): in_digits(amount)
                    for name, amount in sorted(amounts.items())
                    if name.startswith("cost_")
                },
            }
            for (provider, method), amounts in sorted(found.items())
        ]
        return {"day": named, "mode": caller.mode, "usage": rows}
