"""What the vendors answered and reported, as each provider's client understands it."""

from __future__ import annotations

from typing import Any

import pytest

from callverify.domain.phone import readings
from callverify.domain.words import CallReport, Deadline, Evidence
from callverify.providers.http import Answer
from tests.support import payloads
from tests.support.cases import line_of, order
from tests.support.fake_vendor import CannedHttp


@pytest.mark.parametrize("payload", payloads.load_all(), ids=str)
def test_recorded_payloads_are_understood(payload: payloads.Payload) -> None:
    assert payload.evidence in ("captured", "documented", "assumed")
    assert payload.source
    if payload.operation == "info":
        assert payload.expect is None  # read by a test of the vendor's own
        return
    assert payload.expect
    expect, deadline = dict(payload.expect), Deadline.after(5)
    http = CannedHttp(Answer(payload.status, payload.content))
    client = line_of(payload.provider, payload.method, http=http).client
    if payload.operation == "webhook":
        assert payload.parameters
        reports = client.open_webhook(payload.inbound)
        if expect.pop("ignored", False):
            assert not reports
            return
        (report,) = reports
        _check_report(report, expect)
    elif payload.operation == "check":
        _check_report(client.check("122760", deadline), expect)
    else:
        wanted = order(payload.provider, payload.method)
        outcome = client.start(wanted, deadline) if payload.operation == "start" else client.repeat("103000", deadline)
        assert outcome.outcome == expect.pop("outcome")
        assert outcome.reason == expect.pop("reason", None)
        assert outcome.call_id == expect.pop("call_id", None)
        assert outcome.code_differs == expect.pop("code_differs", False)
        assert outcome.code == expect.pop("code", None)
        number = outcome.challenge.number if outcome.challenge else None
        assert number == expect.pop("number", None)
        assert not expect


def _check_report(report: CallReport, expect: dict[str, Any]) -> None:
    evidence = expect.pop("evidence", None)
    assert report.evidence == (Evidence(evidence) if evidence else None)
    assert report.verdict == expect.pop("verdict")
    if "caller" in expect:
        assert expect.pop("caller") in readings(report.caller or "")
    for name, value in expect.items():
        assert getattr(report, name) == value
