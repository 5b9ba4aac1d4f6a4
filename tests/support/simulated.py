"""The service in one process with the providers' own clients, over the simulated vendors, in the simulators' time."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit

from callverify.domain.errors import CallverifyError
from callverify.providers.base import Line
from callverify.providers.names import NAMES
from callverify.service.policy import Policy
from callverify.service.webhooks import Request
from simulators.webhooks import Webhook
from tests.support.cases import parameters_of
from tests.support.service import BASE_URL, Parts
from tests.support.simulators import Simulators


class Simulated(Parts):
    """What the vendors report is taken as it comes; `answers` are what they were told."""

    def __init__(self, simulators: Simulators, policy: Policy = Policy()) -> None:  # noqa: B008 (a value)
        self.simulators = simulators
        self.answers: list[tuple[int, str]] = []
        super().__init__(policy=policy)
        simulators.fill_cabinets(BASE_URL)
        simulators.on_webhook = self.take

    def clock(self) -> float:
        return self.simulators.now

    def lines(self) -> list[Line]:
        return [line for name in NAMES for line in self.simulators.lines(name)]

    def take(self, sent: Webhook) -> tuple[int, str]:
        name, *rest = urlsplit(sent.url).path.partition("/webhooks/")[2].split("/")
        request = Request(
            name, rest, partial(parameters_of, sent), lambda header: sent.headers.get(header, ""), BASE_URL
        )
        try:
            answer = 200, self.service.report(request).body
        except CallverifyError as error:
            answer = error.status, error.code
        self.answers.append(answer)
        return answer
