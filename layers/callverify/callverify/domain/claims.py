"""What a change takes, keeps or gives back beside the record, all of it in the write of the change or not at all."""

from __future__ import annotations

from callverify.domain.limits import CalendarLimit, Limit, RollingLimit, SealedLimit
from callverify.domain.value import value


@value
class IdempotencyKey:
    """What an Idempotency-Key stands for: `body_hash` of its request, and the step that it began.

    former_hash: of the same request, as version 1 hashed it; not stored.
    """

    key_hash: str
    body_hash: str
    verification_id: str = ""
    step: int = 1
    former_hash: str = ""


@value
class TakeLock:
    """The phone's lock, which names its one live verification. `dead`: one that has ended, whose lock may be taken."""

    dead: str | None = None


@value
class MoveLock:
    """The lock that this verification holds goes on to its new `expires_at`."""


@value
class ReleaseLock:
    """The lock goes, unless it already names a later verification, whose it is to remove."""


@value
class TakeHold:
    """A call at `provider` may be meant for this verification until `until`: none of another is awaited there.

    number: the hold is of this number alone, which the phone was shown (E.164).
    """

    provider: str
    until: int
    number: str | None = None


@value
class ShortenHold:
    """The hold that this verification has at `provider` ends at `until`."""

    provider: str
    until: int
    number: str | None = None


@value
class ReleaseHold:
    """No call of this verification is awaited at `provider`."""

    provider: str


@value
class KnowCall:
    """The vendor's id of a call, which no verification has had before; kept until `until`."""

    provider: str
    call_id: str
    until: int


@value
class Unblocked:
    """The phone is not blocked. Every claim of the limit `phone_10m` asks for it too.

    notes_start: have it known that the phone has started now, as that limit has it known.
    """

    notes_start: bool = False


@value
class CoolDown:
    """The provider has answered: no start of this phone for `seconds`."""

    seconds: int


@value
class SpendGuess:
    """One of the phone's `limit` guesses in 24 h. `id` tells it from others. counter: which of the phone's counts."""

    id: str
    limit: int
    counter: str = "guesses"


@value
class ReturnGuess:
    """The guess `id` was right: it is not counted."""

    id: str
    counter: str = "guesses"


@value
class Unless:
    """A limit must not be full; nothing is counted."""

    limit: RollingLimit | CalendarLimit


@value
class Counted:
    """Something is counted that has happened already, full or not."""

    limit: RollingLimit | CalendarLimit


@value
class GiveBack:
    """What was counted at `at` turned out to be for nothing: at most as often as the limit in its window."""

    limit: SealedLimit | CalendarLimit
    at: int


@value
class PointTo:
    """Let the verification be found by its key, owner and phone."""


@value
class UseCall:
    """A call that a provider has signed, by its time. It verifies once."""

    occurred_at: int


Claim = (
    IdempotencyKey
    | TakeLock
    | MoveLock
    | ReleaseLock
    | TakeHold
    | ShortenHold
    | ReleaseHold
    | KnowCall
    | Unblocked
    | CoolDown
    | SpendGuess
    | ReturnGuess
    | Unless
    | Counted
    | GiveBack
    | UseCall
    | PointTo
    | Limit
)
