"""What an operator can set, and the service's own few numbers."""

from __future__ import annotations

from collections.abc import Collection

from callverify.domain.value import value

HOLD_SECONDS = 10 * 60  # beyond the window, where a call may come late (decision 20)
VERIFIED_HOLD_SECONDS = 2 * 60  # after a verified call, where the user may redial
COGNITO_KEY_ID = "cognito"  # of sign-ins to a user pool, which have no API key


@value
class Policy:
    """Limits are counts, except `phone_cooldown` (seconds). brands: ids.

    updates_host, updates_url: of push, where it is on.
    """

    default_country: str = "RU"
    allowed_countries: Collection[str] = ("RU",)
    return_origins: Collection[str] = ()
    brands: Collection[str] = ()
    updates_host: str | None = None
    updates_url: str | None = None
    phone_cooldown: int = 20
    phone_10m: int = 5
    ip_10m: int = 20
    ip_block_10m: int = 30
    browser_10m: int = 60
    phone_day: int = 15
    prefix_10m: int = 30
    key_paid_day: int = 1000
    cognito_paid_day: int = 200
    key_free_hour: int = 20_000
    stack_paid_hour: int = 2000
    country_paid_hour: int = 100
    ip_refused_10m: int = 5
    key_refused_hour: int = 300
    key_search_day: int = 1000
    key_erasure_day: int = 1000
    verification_guesses: int = 5
    phone_guesses: int = 9

    def paid_day(self, key_id: str) -> int:
        """Paid calls of a key in a day. Sign-ins can be started by anybody: theirs are fewer."""
        return min(self.cognito_paid_day, self.key_paid_day) if key_id == COGNITO_KEY_ID else self.key_paid_day
