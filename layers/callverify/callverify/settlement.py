"""The end of a window, acted on though nobody asks: a delayed message for each attempt, and what then is done."""

from __future__ import annotations

import json
from collections.abc import Callable

from callverify.models import Clock, Note, Status, Verification
from callverify.service import LAST_QUESTION_SECONDS, Service

LONGEST_DELAY_SECONDS = 900  # SQS's own maximum, and that of every window

Send = Callable[[str, int], None]


class Settlement:
    """`send(message, delay)` puts a message on the queue, to be received after `delay` seconds."""

    def __init__(self, *, service: Callable[[], Service], send: Send, clock: Clock, note: Note) -> None:
        self._service = service
        self._send = send
        self._clock = clock
        self._note = note

    def schedule(self, before: Verification | None, after: Verification | None) -> None:
        """Have a new attempt looked at once more before its window ends. Other changes of a record are passed over."""
        if after is None or after.status is not Status.PENDING:
            return
        if before is not None and before.attempt.number == after.attempt.number:
            return
        subject = {"verification_id": after.id, "attempt": after.attempt.number}
        self._later(json.dumps(subject), after.expires_at - LAST_QUESTION_SECONDS - int(self._clock()))
        self._note("settlement scheduled", **subject)

    def settle(self, message: str) -> None:
        """Act on a message, and put it back for when it has to be acted on again."""
        subject = json.loads(message)
        again = self._service().settle(subject["verification_id"], subject["attempt"])
        if again is not None:
            self._later(message, again)
        self._note("settlement done" if again is None else "settlement put off", **subject)

    def _later(self, message: str, delay: int) -> None:
        self._send(message, min(max(0, delay), LONGEST_DELAY_SECONDS))
