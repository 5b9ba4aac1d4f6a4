"""By which dimensions CloudWatch adds up what is counted; that alarms watch them: tests/repository/test_template.py."""

from __future__ import annotations

import json

import pytest

from callverify.events.telemetry import SETS, Telemetry

DIMENSIONS = {"provider": "a_vendor", "method": "flash_call", "cause": "no_money"}


@pytest.fixture(autouse=True)
def _namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "callverify/shop")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "check-status")


@pytest.mark.parametrize("metric", SETS)
def test_what_alarms_watch_is_counted_without_the_provider_too(metric: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = SETS[metric]
    given = {name: DIMENSIONS[name] for name in {*first, *second}}
    Telemetry().count(metric, **given)
    line = json.loads(capsys.readouterr().out)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "callverify/shop"
    assert directive["Dimensions"] == [list(first), list(second)]
    assert "provider" in first
    assert "provider" not in second
    assert {name: line[name] for name in given} == given
    assert line[metric] == [1]


@pytest.mark.parametrize("dimensions", [{}, {"provider": "a_vendor", "action": "start"}])
def test_any_other_metric_is_added_up_by_all_of_its_dimensions(
    dimensions: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    Telemetry().measure("VendorLatency", 12.5, "Milliseconds", **dimensions)
    line = json.loads(capsys.readouterr().out)
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [list(dimensions)]
    assert "service" not in line["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]
    assert line["VendorLatency"] == [12.5]
