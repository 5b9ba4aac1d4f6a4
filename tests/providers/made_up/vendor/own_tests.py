"""What is Ringbell's own."""

import pytest

from callverify.domain.errors import InvalidRequest
from callverify.domain.words import InboundWebhook
from tests.support.cases import line_of


def test_a_report_without_a_caller_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        line_of("ringbell").client.open_webhook(InboundWebhook({"call": ("101",)}, "vrf_1"))
