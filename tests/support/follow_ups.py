"""Follow-ups as the queue brings them."""

from __future__ import annotations

from callverify.service.follow_up import FollowUp
from callverify.service.service import Service


def end(service: Service, verification_id: str, attempt: int = 1) -> int | None:
    """The message of the window's end; the seconds until it is to come again."""
    again = service.follow_up(FollowUp(verification_id, attempt))
    return again[1] if again else None


def ask(service: Service, verification_id: str, attempt: int = 1) -> None:
    """A question that has been due for long."""
    assert service.follow_up(FollowUp(verification_id, attempt, (1,))) is None
