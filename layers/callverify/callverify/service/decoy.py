"""The look of a started verification where there is nobody to verify."""

from __future__ import annotations

from callverify.domain.steps import Attempt, Step, StepKind
from callverify.domain.verification import Verification
from callverify.domain.words import MINUTE, Challenge, Method, Mode, Outcome, Status
from callverify.service.context import Context, new_id
from callverify.service.started import Started, answer

NO_NUMBER = "+79000000100"  # that nobody has; test mode shows it too
WINDOW_SECONDS = 2 * MINUTE


def decoy(ctx: Context, verification_id: str | None, base_url: str) -> Started:
    """A reverse call that nobody waits for: nothing is stored, and no vendor is asked.

    verification_id: of one that was shown before; None for a new one.
    """
    now = ctx.now()
    return answer(
        ctx,
        Verification(
            id=verification_id or new_id(Mode.LIVE),
            mode=Mode.LIVE,
            status=Status.PENDING,
            method=Method.REVERSE_CALL,
            provider="",
            phone_mask="",
            phone_hash="",
            key_id="",
            created_at=now,
            expires_at=now + WINDOW_SECONDS,
            attempts=(Attempt(1, 1, Method.REVERSE_CALL, "", Outcome.STARTED, now),),
            steps=(Step(1, StepKind.START, claimed_at=now, done=True),),
            allowed_methods=(Method.REVERSE_CALL,),
            challenge=Challenge.call_number(NO_NUMBER),
        ),
        base_url,
    )
