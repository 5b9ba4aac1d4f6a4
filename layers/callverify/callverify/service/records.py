"""What an operator's own tools ask of records: found by what they are about, and told as they went."""

from __future__ import annotations

from collections.abc import Sequence

from callverify.domain import history
from callverify.domain.words import Caller, Scope
from callverify.service import search
from callverify.service.context import Context


class Records:
    """One method for each thing that can be asked of records, beside `Service`."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def search(self, caller: Caller, body: str | None) -> search.Page:
        """One page of verifications of a reference or a phone: see `search`."""
        return search.search(self._ctx, caller, body)

    def history(self, caller: Caller, verification_id: str) -> Sequence[history.Entry]:
        """What happened to a verification, in order. Raises Forbidden and NotFound."""
        found = self._ctx.visible(caller, verification_id, Scope.READ, client_token=False)
        return history.history(found, self._ctx.now(), self._ctx.lane(found.mode).questions(found))
