"""What every provider is to the rest of the service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, Self

from callverify.frozen import dataclass
from callverify.models import CallOrder, CallReport, Deadline, InboundWebhook, Method, Outcome, ProviderName
from callverify.providers.http import VendorHttp


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What a provider is built from.

    base_url: without a trailing slash. window: seconds that one attempt can succeed. webhook_token: the unguessable
    path token of a verification id. start_by: how telefon_ip is asked, "post" (with our webhook) or "get" (without).
    """

    base_url: str
    window: int
    http: VendorHttp
    webhook_token: Callable[[str], str]
    start_by: str = "post"


class Provider(Protocol):
    """One vendor, calls and webhook. Vendor trouble is an Outcome or a verdict, never an exception.

    name, method: whose and which. free_repeats: how often the vendor repeats a call for nothing, and from how many
    seconds after the first call. can_check: `check` works. resends_safely: the same order may be sent twice and is
    carried out once. knows_calls_by_phone_alone: two requests for one phone can't be told apart in a webhook.
    """

    name: ClassVar[ProviderName]
    method: ClassVar[Method]
    free_repeats: ClassVar[int]
    repeat_after: ClassVar[int]
    can_check: ClassVar[bool]
    resends_safely: ClassVar[bool]
    knows_calls_by_phone_alone: ClassVar[bool]

    @property
    def window(self) -> int:
        """Seconds from the start of an attempt to its end."""
        ...

    @classmethod
    def configure(cls, credentials: Mapping[str, Any], settings: ProviderSettings) -> Self:
        """A provider from its part of the secret `provider-credentials`.

        Raises ConfigurationFault, naming the field, when the credentials can't be used.
        """
        ...

    def start(self, order: CallOrder, deadline: Deadline) -> Outcome:
        """Ask the vendor for one call."""
        ...

    def repeat(self, call_id: str, deadline: Deadline) -> Outcome:
        """Ask for the vendor's own free repeat of a call, by the id of the first one."""
        ...

    def check(self, call_id: str, deadline: Deadline) -> CallReport:
        """Ask the vendor whether the awaited call came."""
        ...

    def open_webhook(self, webhook: InboundWebhook) -> CallReport | None:
        """Verify a webhook, then parse it. None: an event of another kind, to be acknowledged and ignored.

        Raises NotFound (wrong path token), Forbidden (bad signature or time), InvalidRequest (missing or repeated
        fields), always before anything of the report can be read.
        """
        ...
