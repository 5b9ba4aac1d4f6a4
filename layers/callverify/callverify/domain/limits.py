"""What starts, repeats and checks are counted against."""

from __future__ import annotations

from collections.abc import Callable

from callverify.domain.value import value

VENDOR_SECONDS = 8.0  # that all vendor work of one request shares


@value
class RollingLimit:
    """At most `count` in any `window` seconds, exactly: the times of the last ones are kept, newest first.

    paid_only: it keeps nobody from a free route; of every kind of limit.
    """

    name: str
    subject: str
    count: int
    window: int
    paid_only: bool = False


@value
class SealedLimit:
    """A RollingLimit whose times are encrypted at rest, since they would tell whose calls they are.

    seal, unseal: encrypt the times, and read them again.
    """

    name: str
    subject: str
    count: int
    window: int
    seal: Callable[[bytes], str]
    unseal: Callable[[str], bytes]
    paid_only: bool = True


@value
class CalendarLimit:
    """At most `count` in each period of `window` seconds by the clock: for counts too large to list."""

    name: str
    subject: str
    count: int
    window: int
    paid_only: bool = False


@value
class Cooldown:
    """No start for `seconds` after the vendor's reply; until that reply, for `seconds` + `reply_within`.

    Taken with `phone_10m`, in whose item it stands.
    """

    phone_hash: str
    seconds: int
    reply_within: int = int(VENDOR_SECONDS)
    name: str = "phone_cooldown"
    paid_only: bool = False


@value
class GuessLimit:
    """No call with a code while the phone's wrong guesses are spent. counter: which of its counts."""

    phone_hash: str
    count: int
    counter: str = "guesses"
    name: str = "phone_guesses"
    paid_only: bool = True


Limit = RollingLimit | SealedLimit | CalendarLimit | Cooldown | GuessLimit
