"""The routes of every manifest, and one of each kind that the core tells apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from callverify.domain.words import Evidence, Method
from callverify.providers.base import Identifies, Manifest, Per, Proof, Route
from callverify.providers.registry import manifests


@dataclass(frozen=True, eq=False)
class At:
    """A route and whose it is."""

    manifest: Manifest
    route: Route

    @property
    def provider(self) -> str:
        return self.manifest.name

    @property
    def method(self) -> Method:
        return self.route.method

    def __str__(self) -> str:
        return f"{self.provider} {self.method}"

    @property
    def evidence(self) -> Evidence:
        """Why a verification by it counts."""
        if code := self.route.code:
            return Evidence.CODE_MATCHED if code.ours else Evidence.VENDOR_CODE_MATCHED
        signed = self.route.webhook is not None and self.route.webhook.proof is Proof.SIGNATURE
        return Evidence.PROVIDER_SIGNATURE if signed else Evidence.PROVIDER_READ_BACK

    def kind(self) -> tuple[object, ...]:
        """All that the core knows of a route, but numbers: two of one kind are treated alike."""
        route, hook = self.route, self.route.webhook
        return (
            route.method,
            route.paid,
            route.code and (route.code.ours, route.code.checks),
            route.identifies,
            hook and (hook.per, hook.proof, hook.say is not None),
            route.read_back,
            route.names_caller,
            route.repeats > 0,
            route.resends_safely,
        )


def routes_of(declared: Iterable[Manifest]) -> list[At]:
    return [At(manifest, route) for manifest in declared for route in manifest.routes]


ROUTES = routes_of(manifests())
KINDS = [*{at.kind(): at for at in reversed(ROUTES)}.values()][::-1]
METHODS = [*dict.fromkeys(at.method for at in ROUTES)]

# The three that the named tests are about: whose call is asked for, whose call is signed, and whose code is ours.
BY_NAME = {(at.provider, str(at.method)): at for at in ROUTES}
READ_BACK = next(at for at in ROUTES if at.route.read_back and at.route.webhook)
BY_PHONE = next(
    at
    for at in ROUTES
    if at.route.identifies is Identifies.BY_PHONE and at.route.webhook and at.route.webhook.proof is Proof.SIGNATURE
)
OUR_CODE = next(at for at in ROUTES if at.route.code and at.route.code.ours and at.route.repeats)
# And the vendor's own code, and reports of a whole account that name a call, beside them.
BY_CALL_ID = next(
    at for at in ROUTES if (hook := at.route.webhook) and (hook.per, hook.proof) == (Per.ACCOUNT, Proof.HINT)
)
THEIR_CODE = next(at for at in ROUTES if at.route.code and not at.route.code.ours)
