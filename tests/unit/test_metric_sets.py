"""By which dimensions CloudWatch adds up what is counted; that alarms watch them: tests/repository/test_template.py."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from callverify.events.telemetry import SETS, Telemetry, logger

DIMENSIONS = {"provider": "a_vendor", "method": "flash_call", "cause": "no_money"}


@pytest.fixture(autouse=True)
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    handler: Any = logger.registered_handler
    monkeypatch.setattr(handler, "stream", stream)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "check-status")
    return stream


@pytest.mark.parametrize("metric", SETS)
def test_what_alarms_watch_is_counted_without_the_provider_too(metric: str, log: io.StringIO) -> None:
    first, second = SETS[metric]
    given = {name: DIMENSIONS[name] for name in {*first, *second}}
    Telemetry("callverify/shop").count(metric, **given)
    line = json.loads(log.getvalue())
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "callverify/shop"
    assert directive["Dimensions"] == [list(first), list(second)]
    assert "provider" in first
    assert "provider" not in second
    assert {name: line[name] for name in given} == given
    assert line[metric] == 1


@pytest.mark.parametrize("dimensions", [{}, {"provider": "a_vendor", "action": "start"}])
def test_any_other_metric_is_added_up_by_all_of_its_dimensions(dimensions: dict[str, str], log: io.StringIO) -> None:
    Telemetry().measure("VendorLatency", 12.5, "Milliseconds", **dimensions)
    line = json.loads(log.getvalue())
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [list(dimensions)]
    assert "service" not in line["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]
    assert line["VendorLatency"] == 12.5
