"""The push API's authorizer, put together without the parts of the service: it asks for one secret, and no table."""

from __future__ import annotations

import contextlib
import gc
import time
from functools import cache

from callverify import aws
from callverify.domain.keys import Keys
from callverify.edge import updates
from callverify.runtime.secrets import secret


def authorizer() -> updates.Handler:
    return updates.authorizer(lambda: _keys(secret("PEPPER_SECRET")), time.time)


def ready() -> None:
    """Have the pepper now; what fails is left to the first request. The end of a start-up, as in `startup`."""
    if not aws.before_a_snapshot():
        with contextlib.suppress(Exception):
            secret("PEPPER_SECRET")
    gc.freeze()
    gc.enable()


@cache
def _keys(pepper: str) -> Keys:
    return Keys(pepper)
