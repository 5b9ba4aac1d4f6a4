"""The two lanes. A verification of mode `live` runs over the vendors; one of mode `test` over their sandboxes.

A lane is chosen once for each request, by the mode of the key or of the record. From there on no code asks for it: the
providers of the test lane ask nobody, it counts nothing, holds nothing, and tells no metric.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from callverify.domain import errors
from callverify.domain.keys import Keys
from callverify.domain.phone import parse_phone
from callverify.domain.questions import planned, planned_in_test
from callverify.domain.value import value
from callverify.domain.verification import Verification
from callverify.domain.words import CallOutcome, Clock, Method, Mode, Outcome, Phone, Unit
from callverify.providers import sandbox
from callverify.providers.base import Line, Manifest, Route
from callverify.service.claims import Claims, LiveClaims
from callverify.service.policy import Policy
from callverify.service.pool import Pools, StoredPools
from callverify.store import Store
from callverify.store.counters import FAILURES_IN_A_ROW


class Observer(Protocol):
    """Where the service tells what happens. Nothing that it is told holds a number, a code or a credential."""

    def about(self, verification_id: str) -> None: ...

    def count(self, metric: str, **dimensions: str) -> None: ...

    def measure(self, metric: str, value: float, unit: Unit, **dimensions: str) -> None: ...

    def provider_answered(self, verification: Verification, action: str, outcome: CallOutcome) -> None: ...

    def audit(self, message: str, **fields: object) -> None: ...


class Silence:
    """Hears everything, and tells nobody."""

    def about(self, verification_id: str) -> None: ...

    def count(self, metric: str, **dimensions: str) -> None: ...

    def measure(self, metric: str, value: float, unit: Unit, **dimensions: str) -> None: ...

    def provider_answered(self, verification: Verification, action: str, outcome: CallOutcome) -> None: ...

    def audit(self, message: str, **fields: object) -> None: ...


REMEMBERED_SECONDS = 1.0


class Breaker(Protocol):
    def judge(self, provider: str, outcome: CallOutcome) -> None:
        """Keep count of a provider's failures in a row. A refusal of the number is none: its caller caused it."""
        ...

    def rests(self, provider: str) -> bool:
        """Whether it has failed again and again, and is to be asked last."""
        ...


class NoBreaker:
    def judge(self, provider: str, outcome: CallOutcome) -> None: ...

    def rests(self, provider: str) -> bool:  # noqa: ARG002
        return False


class StoredBreaker:
    """What is read of a provider is good for REMEMBERED_SECONDS: decision 103."""

    def __init__(self, store: Store, observer: Observer, clock: Clock) -> None:
        self._store = store
        self._observer = observer
        self._clock = clock
        self._failing: set[str] = set()
        self._read: dict[str, tuple[float, int]] = {}  # when, and until when the provider rests

    def judge(self, provider: str, outcome: CallOutcome) -> None:
        """Where the count can't be kept, the start goes on without."""
        self._read.pop(provider, None)
        failed = outcome.outcome in (Outcome.UNAVAILABLE, Outcome.UNKNOWN)
        # Zeros too: the average is the share of starts that fail.
        self._observer.measure("ProviderFailures", failed, "Count", provider=provider)
        try:
            if failed:
                self._failing.add(provider)
                if self._store.count_failure(provider, int(self._clock())) >= FAILURES_IN_A_ROW:
                    self._observer.count("BreakerOpened", provider=provider)
            elif outcome.outcome is Outcome.STARTED and provider in self._failing:
                # Only a container that has seen it fail writes: a start that goes well should cost no further write.
                self._store.forget_failures(provider)
                self._failing.discard(provider)
        except errors.Busy:
            return

    def rests(self, provider: str) -> bool:
        """Where it can't be read, the provider is asked in its turn."""
        now = self._clock()
        read_at, until = self._read.get(provider, (0.0, 0))
        if not 0 <= now - read_at < REMEMBERED_SECONDS:
            try:
                until = self._store.rests_until(provider)
            except errors.Busy:
                return False
            self._read[provider] = now, until
        return until > now


Routes = Callable[[str, str], Route | None]
# Lines in the order in which they are asked.
Order = Callable[[Sequence[Line]], Sequence[Line]]


@value
class Lane:
    """One of the two.

    lines: the routes that can be dialled for a phone that the lane has judged, or for any (None), in the operator's
    order. route: of a provider and method, configured or not; asks for no credentials. judge: the phone that a caller
    names, if this lane verifies it by one of the methods; raises InvalidPhone and CountryNotAllowed. phone: the one of
    this lane, of any country, that a caller names for what starts nothing; raises InvalidPhone. code: what a call of
    the record's attempt shows, in so many digits. questions: when the provider of a record's attempt is to be asked,
    in epoch seconds. claims: what starts, checks and ends take beside the record. pools: of the codes that vendors
    pick.
    """

    mode: Mode
    lines: Callable[[Phone | None], Sequence[Line]]
    route: Routes
    judge: Callable[[str, Sequence[Method]], Phone]
    phone: Callable[[str], Phone]
    code: Callable[[Verification, int], str]
    questions: Callable[[Verification], Sequence[int]]
    claims: Claims
    pools: Pools
    breaker: Breaker
    observer: Observer

    def line(self, provider: str, method: Method) -> Line | None:
        """The line of an attempt, if it is still configured."""
        return next((line for line in self.lines(None) if (line.provider, line.method) == (provider, method)), None)

    def methods(self) -> Mapping[str, Sequence[Method]]:
        """What each provider's lines do, by its name."""
        found: dict[str, list[Method]] = {}
        for line in self.lines(None):
            found.setdefault(line.provider, []).append(line.method)
        return found


def live_questions(record: Verification, routes: Routes) -> Sequence[int]:
    """When the provider of a live record's attempt is to be asked, in epoch seconds; never where it can't be."""
    route = routes(record.provider, record.method)
    return planned(record) if route and route.read_back else ()


def live_lane(
    lines: Callable[[], Sequence[Line]],
    routes: Routes,
    *,
    policy: Policy,
    keys: Keys,
    store: Store,
    observer: Observer,
    clock: Clock,
) -> Lane:
    def live(phone: Phone) -> Phone:
        if phone.e164 in sandbox.TEST_NUMBERS:
            raise errors.InvalidPhone("This is a test number. Use it with a key of mode `test`.")
        return phone

    return Lane(
        Mode.LIVE,
        lambda _: lines(),
        routes,
        lambda text, _: live(_parse(text, policy)),
        lambda text: live(_parse(text, policy, anywhere=True)),
        lambda record, digits: keys.code(record.id, record.attempt.number, digits),
        lambda record: live_questions(record, routes),
        LiveClaims(policy, keys),
        StoredPools(store, keys, clock),
        StoredBreaker(store, observer, clock),
        observer,
    )


def test_lane(
    manifests: Sequence[Manifest], routes: Routes, order: Order, *, policy: Policy, keys: Keys, clock: Clock
) -> Lane:
    """The same providers in the same order, configured or not, each of them a sandbox."""
    sandboxes = [sandbox.Sandbox(manifest, clock) for manifest in manifests]

    def judge(text: str, methods: Sequence[Method]) -> Phone:
        return sandbox.judge(_parse(text, policy, anywhere=True), methods)

    return Lane(
        Mode.TEST,
        lambda phone: order([line for each in sandboxes for line in each.lines(phone)]),
        routes,
        judge,
        lambda text: judge(text, list(Method)),
        lambda _, digits: sandbox.code(digits),
        planned_in_test,
        Claims(policy, keys),
        Pools(),
        NoBreaker(),
        Silence(),
    )


def _parse(text: str, policy: Policy, *, anywhere: bool = False) -> Phone:
    countries = None if anywhere else policy.allowed_countries
    return parse_phone(text, default_country=policy.default_country, allowed_countries=countries)
