"""The end of a function's start-up: its first request finds what it needs."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Collection
from threading import Thread

from callverify import aws
from callverify.domain.phone import load_numbers_of
from callverify.providers.http import load_requests
from callverify.runtime import wiring
from callverify.runtime.secrets import secret

# Lambda gives a start-up 10 seconds.
READY_SECONDS = 5.0

Part = Callable[[], None]


def credentials() -> None:
    """The secrets behind `access`. The table is left to the first client token: API keys do without."""
    secret("PEPPER_SECRET")
    wiring.api_keys()


def pepper() -> None:
    """What records and codes are hashed with, and with its fingerprint a connection to the table."""
    wiring.keys()


def secrets() -> None:
    """The secrets behind what asks a provider."""
    pepper()
    wiring.lines()()


def table() -> None:
    """A connection to the table."""
    wiring.store().connect()


def vendors() -> None:
    """What vendors are asked with."""
    load_requests()


def cognito() -> None:
    """What the triggers of a user pool consist of."""
    from callverify.edge.cognito import triggers  # noqa: F401


def phones() -> None:
    """The numbering plan of the default country."""
    load_numbers_of(wiring.policy().default_country)


def ready(*fetched: Part, imported: Collection[Part] = ()) -> None:
    """Have now what the first request would wait for.

    What fails, or takes too long, is left to that request, which says what is wrong; so is all that is fetched where it
    would grow old in a snapshot. Garbage is collected from now on (see `callverify`), and never looked for again among
    what the start-up made: that stays.
    """
    thread = Thread(target=_try, args=() if aws.before_a_snapshot() else fetched, daemon=True)
    thread.start()
    _try(*imported)
    thread.join(READY_SECONDS)
    gc.freeze()
    gc.enable()


def _try(*parts: Part) -> None:
    for part in parts:
        with contextlib.suppress(Exception):
            part()
