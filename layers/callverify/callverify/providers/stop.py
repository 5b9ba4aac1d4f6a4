"""The operator's stop switch for paid calls: the member `paid_calls` of the secret `provider-credentials`.

It stands where each start looks anyway, and is in force within `SecretCacheSeconds` (decision 139). Whatever may have
been meant for it stops paid calls: a slip of the pen in an emergency must not let the money drain on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callverify.domain.errors import ConfigurationFault

PAID_CALLS, STOPPED, ALLOWED = "paid_calls", "stopped", "allowed"


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object's members; `paid_calls` is none of its words where it is given twice."""
    members = dict(pairs)
    if [name for name, _ in pairs].count(PAID_CALLS) > 1:
        members[PAID_CALLS] = None
    return members


def is_meant(name: str) -> bool:
    """Whether a member may have been meant for it: no provider's name has the word."""
    return "paid" in name.lower()


def paid_calls_stopped(given: Mapping[str, Any]) -> tuple[bool, ConfigurationFault | None]:
    """Whether paid calls are stopped, and what is wrong with the setting."""
    wrong = [name for name in given if is_meant(name) and name != PAID_CALLS]
    value = given.get(PAID_CALLS, ALLOWED)
    if wrong or value not in (STOPPED, ALLOWED):
        problem = f'must be "{STOPPED}" or "{ALLOWED}", and be there once; until then paid calls are stopped'
        return True, ConfigurationFault(f"provider-credentials: {PAID_CALLS}", problem)
    return value == STOPPED, None
