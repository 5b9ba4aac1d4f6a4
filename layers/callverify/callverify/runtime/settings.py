"""The settings of a function, from its environment: the only reader of it."""

from __future__ import annotations

import os
from collections.abc import Collection

from callverify.providers.names import NAMES
from callverify.service.policy import Policy

HOUR = 60 * 60


def text(name: str, default: str = "") -> str:
    return os.environ.get(name) or default


def needed(name: str) -> str:
    """A setting that the template gives every function that asks for it. Raises KeyError."""
    return os.environ[name]


def number(name: str, default: int) -> int:
    return int(os.environ.get(name) or default)


def words(name: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text(name).split(",") if word.strip())


def switched_on(name: str) -> bool:
    return text(name).lower() == "true"


def retention() -> int:
    """Seconds."""
    return number("RETENTION_HOURS", 24) * HOUR


def provider_order() -> list[str]:
    """Names of providers, those first that the operator names."""
    return list(words("PROVIDER_ORDER")) or list(NAMES)


def policy() -> Policy:
    standard = Policy()
    return Policy(
        default_country=text("DEFAULT_COUNTRY", standard.default_country),
        allowed_countries=words("ALLOWED_COUNTRIES") or standard.allowed_countries,
        return_origins=return_origins(),
        public_base_url=text("PUBLIC_BASE_URL").rstrip("/") or None,
        phone_cooldown=number("PHONE_COOLDOWN_SECONDS", standard.phone_cooldown),
        phone_10m=number("PHONE_10M_LIMIT", standard.phone_10m),
        ip_10m=number("IP_10M_LIMIT", standard.ip_10m),
        ip_block_10m=number("IP_BLOCK_10M_LIMIT", standard.ip_block_10m),
        browser_10m=number("BROWSER_10M_LIMIT", standard.browser_10m),
        phone_day=number("PHONE_DAY_LIMIT", standard.phone_day),
        prefix_10m=number("PREFIX_10M_LIMIT", standard.prefix_10m),
        key_paid_day=number("KEY_PAID_DAY_LIMIT", standard.key_paid_day),
        key_free_hour=number("KEY_FREE_HOUR_LIMIT", standard.key_free_hour),
        stack_paid_hour=number("STACK_PAID_HOUR_LIMIT", standard.stack_paid_hour),
        ip_refused_10m=number("IP_REFUSED_10M_LIMIT", standard.ip_refused_10m),
        key_refused_hour=number("KEY_REFUSED_HOUR_LIMIT", standard.key_refused_hour),
        verification_guesses=number("VERIFICATION_GUESS_LIMIT", standard.verification_guesses),
        phone_guesses=number("PHONE_GUESS_LIMIT", standard.phone_guesses),
    )


def return_origins() -> Collection[str]:
    return words("RETURN_ORIGINS")
