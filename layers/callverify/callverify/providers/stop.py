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


def is_meant(name: str, value: object) -> bool:
    """Whether a member may have been meant for it: nothing of a provider has the word, or says that."""
    return "paid" in name.lower() or (isinstance(value, str) and value.strip().lower() == STOPPED)


def without(given: Mapping[str, Any]) -> dict[str, Any]:
    """The providers alone: whatever may have been meant for it would go on stopping paid calls."""
    kept = {name: value for name, value in given.items() if not is_meant(name, value)}
    return {name: without(value) if isinstance(value, Mapping) else value for name, value in kept.items()}


def paid_calls_stopped(given: Mapping[str, Any]) -> tuple[bool, ConfigurationFault | None]:
    """Whether paid calls are stopped, and what is wrong with the setting."""
    others = [(name, each) for name, each in given.items() if name != PAID_CALLS]
    # A brace too late, it is in a provider's entry.
    others += [pair for _, entry in others if isinstance(entry, Mapping) for pair in entry.items()]
    wrong = any(is_meant(*each) for each in others)
    value = given.get(PAID_CALLS, ALLOWED)
    if wrong or value not in (STOPPED, ALLOWED):
        problem = f'must be "{STOPPED}" or "{ALLOWED}", once, beside the providers; until then paid calls are stopped'
        return True, ConfigurationFault(f"provider-credentials: {PAID_CALLS}", problem)
    return value == STOPPED, None
