"""The settings of a function: the only reader of its environment, which template.yaml makes."""

from __future__ import annotations

import os
from collections.abc import Callable

from callverify.domain.brands import read_brands
from callverify.domain.channels import socket_url
from callverify.domain.errors import ConfigurationFault
from callverify.domain.origins import normal_origin
from callverify.providers.names import NAMES
from callverify.service.policy import Policy

HOUR = 60 * 60
LONGEST_EVENT_HOURS = 720

Fault = Callable[[ConfigurationFault], None]


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
    """Seconds that a record is kept beyond its client token."""
    return number("RETENTION_HOURS", 24) * HOUR


def event_retention() -> int:
    """Seconds that an event is kept: as long as a record, unless that is longer than any event is."""
    return number("EVENT_RETENTION_HOURS", min(number("RETENTION_HOURS", 24), LONGEST_EVENT_HOURS)) * HOUR


def secret_seconds() -> int:
    """How old a secret may be."""
    return number("SECRET_CACHE_SECONDS", 240)


def user_pool() -> str:
    """The id of the one user pool that may ask, from its ARN: none while that is not known yet."""
    return text("COGNITO_USER_POOL_ARN").partition(":userpool/")[2]


def provider_order() -> list[str]:
    """Entries `provider` or `provider:method`: see `registry.in_order`."""
    return list(words("PROVIDER_ORDER")) or list(NAMES)


def public_base_url() -> str:
    """What the operator has links to the API begin with; empty: the address that a request came to."""
    return text("PUBLIC_BASE_URL").rstrip("/")


def origins(name: str, parameter: str, fault: Fault) -> tuple[str, ...]:
    """The origins in a variable, in their normal form. One that no page can have is the operator's fault."""
    found = [(word, normal_origin(word)) for word in words(name)]
    for word, origin in found:
        if origin is None:
            fault(ConfigurationFault(parameter, f"{word} must be an origin such as https://shop.example"))
    return tuple(origin for _, origin in found if origin)


def policy(fault: Fault) -> Policy:
    """`fault` is told of a setting that can't be used."""
    standard = Policy()
    return Policy(
        default_country=text("DEFAULT_COUNTRY", standard.default_country),
        allowed_countries=words("ALLOWED_COUNTRIES") or standard.allowed_countries,
        return_origins=origins("RETURN_ORIGINS", "ReturnOrigins", fault),
        brands=tuple(read_brands(text("BRANDS"), fault)),
        updates_host=text("UPDATES_HOST") or None,
        updates_url=socket_url(text("UPDATES_SOCKET_HOST"), text("AWS_ENDPOINT_URL")),
        phone_cooldown=number("PHONE_COOLDOWN_SECONDS", standard.phone_cooldown),
        phone_10m=number("PHONE_10M_LIMIT", standard.phone_10m),
        ip_10m=number("IP_10M_LIMIT", standard.ip_10m),
        ip_block_10m=number("IP_BLOCK_10M_LIMIT", standard.ip_block_10m),
        browser_10m=number("BROWSER_10M_LIMIT", standard.browser_10m),
        phone_day=number("PHONE_DAY_LIMIT", standard.phone_day),
        prefix_10m=number("PREFIX_10M_LIMIT", standard.prefix_10m),
        key_paid_day=number("KEY_PAID_DAY_LIMIT", standard.key_paid_day),
        cognito_paid_day=number("COGNITO_PAID_DAY_LIMIT", standard.cognito_paid_day),
        key_free_hour=number("KEY_FREE_HOUR_LIMIT", standard.key_free_hour),
        stack_paid_hour=number("STACK_PAID_HOUR_LIMIT", standard.stack_paid_hour),
        country_paid_hour=number("COUNTRY_PAID_HOUR_LIMIT", standard.country_paid_hour),
        ip_refused_10m=number("IP_REFUSED_10M_LIMIT", standard.ip_refused_10m),
        key_refused_hour=number("KEY_REFUSED_HOUR_LIMIT", standard.key_refused_hour),
        key_search_day=number("KEY_SEARCH_DAY_LIMIT", standard.key_search_day),
        key_erasure_day=number("KEY_ERASURE_DAY_LIMIT", standard.key_erasure_day),
        verification_guesses=number("VERIFICATION_GUESS_LIMIT", standard.verification_guesses),
        phone_guesses=number("PHONE_GUESS_LIMIT", standard.phone_guesses),
    )
