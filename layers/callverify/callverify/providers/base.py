"""What a provider is to the rest of the service: a manifest, which is data, and a client, which talks to the vendor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from callverify.domain.value import value
from callverify.domain.words import CallOrder, CallOutcome, CallReport, Deadline, InboundWebhook, Method
from callverify.providers.credentials import Field

OUR_LONGEST_WINDOW = 900  # where the vendor has none of its own
THEIR_CODE_CHECKS = 3
CODE_DIGITS = 4  # of a flash call: the last of the calling number


class Identifies(StrEnum):
    """How a provider's report names the call that it speaks of."""

    BY_CALL_ID = "call_id"
    BY_PHONE = "phone"  # alone: two requests for one phone can't be told apart


class Proof(StrEnum):
    """What a provider's report proves."""

    HINT = "hint"  # nothing: the provider is asked
    SIGNATURE = "signature"


class Per(StrEnum):
    """What a webhook address belongs to, and so what its path holds."""

    VERIFICATION = "verification"  # {id}/{token}, both ours
    ACCOUNT = "account"  # {token}: `webhook_token` of the credentials


@value
class Window:
    """Seconds that an attempt can succeed, and the most that an operator may set."""

    default: int
    most: int


@value
class Code:
    """What the user types: so many digits, whose choice they are, and how often a verification may be checked.

    checks: None where the operator's own limit is all there is.
    """

    digits: int
    ours: bool
    checks: int | None = None


def our_code(digits: int = CODE_DIGITS) -> Code:
    return Code(digits, ours=True)


def their_code(digits: int = CODE_DIGITS) -> Code:
    """The tail of one of the vendor's numbers, which anybody can collect: 3 checks."""
    return Code(digits, ours=False, checks=THEIR_CODE_CHECKS)


@value
class Webhook:
    """The provider reports calls.

    answer: the body that it wants to hear. signature: the header that signs a report. say: the body that tells the
    called person, who has pressed a key, a code in a language ("ru", "en").
    """

    per: Per
    proof: Proof
    answer: str = "OK"
    content_type: str = "text/plain"
    signature: str = ""
    say: Callable[[str, str], str] | None = None


@value
class Route:
    """One method of a provider.

    paid: a call costs money. code: None where the user dials. countries: of the numbers that it reaches, as regions
    (None: all); where `asks_countries`, those that the credentials list. read_back: `check` works. names_caller: it
    says who called; where it doesn't, a call's id has to be one phone's alone. repeats,
    repeat_after: how often the vendor repeats a call for nothing, and from how many seconds after its answer.
    resends_safely: one order may be sent twice and is carried out once.
    """

    method: Method
    window: Window
    paid: bool
    code: Code | None = None
    countries: tuple[str, ...] | None = None
    asks_countries: bool = False
    identifies: Identifies = Identifies.BY_CALL_ID
    webhook: Webhook | None = None
    read_back: bool = False
    names_caller: bool = True
    repeats: int = 0
    repeat_after: int = 0
    resends_safely: bool = False


@value
class Option:
    """A member of the provider's credentials that changes how it is used: one of `choices`, the first by default."""

    name: str
    choices: tuple[str, ...]


@value
class Manifest:
    """A vendor, as far as others need to know it. base_url: https, without a trailing slash."""

    name: str
    title: str
    base_url: str
    credentials: tuple[Field, ...]
    routes: tuple[Route, ...]
    options: tuple[Option, ...] = ()

    @property
    def webhook(self) -> Webhook | None:
        """The one webhook of all its routes."""
        return next((route.webhook for route in self.routes if route.webhook), None)


class Client(Protocol):
    """Talks to one vendor. Vendor trouble is an outcome or a verdict, never an exception."""

    def start(self, order: CallOrder, deadline: Deadline) -> CallOutcome:
        """Ask the vendor for one call."""
        ...

    def repeat(self, call_id: str, deadline: Deadline) -> CallOutcome:
        """Ask for the vendor's own free repeat of a call, by the id of the first one. For routes with `repeats`."""
        ...

    def check(self, call_id: str, deadline: Deadline) -> CallReport:
        """Ask the vendor whether the awaited call came. For routes with `read_back`."""
        ...

    def open_webhook(self, webhook: InboundWebhook) -> Sequence[CallReport]:
        """Verify a report whose path token is right, then parse it. For manifests with a webhook.

        Events of another kind are left out, to be acknowledged and ignored. Raises Forbidden (bad signature or time)
        and InvalidRequest (missing or repeated fields), always before anything of the report can be read.
        """
        ...


@value
class Line:
    """A route with credentials: what can be dialled. window: seconds from the start of an attempt to its end.

    countries: those that it is used for; None for all that the operator allows. stopped: the operator has stopped paid
    calls, and this route costs money.
    """

    manifest: Manifest
    route: Route
    client: Client
    window: int
    webhook_token: str = ""
    countries: frozenset[str] | None = None
    stopped: bool = False

    def serves(self, region: str) -> bool:
        return self.countries is None or region in self.countries

    @property
    def provider(self) -> str:
        return self.manifest.name

    @property
    def method(self) -> Method:
        return self.route.method
