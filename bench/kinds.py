"""The kinds of journeys that are measured and added up: one for each route, and one that nobody answers."""

from __future__ import annotations

from collections import Counter

from callverify.providers.base import Manifest, Route
from callverify.providers.registry import manifests

NOT_ANSWERED = "not_answered"
ROUTES = [(manifest, route) for manifest in manifests() for route in manifest.routes]


def kind_of(manifest: Manifest, route: Route) -> str:
    return f"{route.method}_{manifest.name}"


KINDS = {kind_of(*each): each for each in ROUTES}
# At the first provider that is asked a last time.
UNANSWERED = next(each for each in ROUTES if each[1].read_back)


def titles() -> dict[str, str]:
    """What each kind is called in a table."""
    routes = Counter(manifest.name for manifest, _ in ROUTES)
    found = {
        kind: manifest.title if routes[manifest.name] == 1 else f"{manifest.title}, {route.method}"
        for kind, (manifest, route) in KINDS.items()
    }
    return found | {NOT_ANSWERED: "not answered"}
