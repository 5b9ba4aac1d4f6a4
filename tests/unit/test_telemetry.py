from __future__ import annotations

import io
import json
from typing import Any

import pytest

from callverify.domain.errors import ConfigurationFault
from callverify.domain.words import CallOutcome, Outcome, Phone, Reason
from callverify.events import telemetry
from callverify.events.telemetry import Telemetry
from tests.support.records import flash


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "callverify")
    stream = io.StringIO()
    handler: Any = telemetry.logger.registered_handler
    monkeypatch.setattr(handler, "stream", stream)
    return stream


def line(log: io.StringIO) -> dict[str, Any]:
    (text,) = log.getvalue().splitlines()
    found: dict[str, Any] = json.loads(text)
    return found


def test_an_unforeseen_error_is_logged_by_its_type_and_place_alone(log: io.StringIO) -> None:
    try:
        raise RuntimeError("https://vendor.example/secret-token?phone=79000000011")
    except RuntimeError as error:
        Telemetry().unexpected(error)
    found = line(log)
    assert (found["level"], found["error_type"]) == ("ERROR", "RuntimeError")
    assert "test_telemetry.py" in found["stack"][0]
    assert "secret" not in log.getvalue()
    assert "79000000011" not in log.getvalue()


@pytest.mark.parametrize(
    ("outcome", "level", "at_fault"),
    [
        (CallOutcome(Outcome.STARTED), "INFO", False),
        (CallOutcome(Outcome.UNKNOWN, Reason.TIMEOUT), "WARNING", False),
        (CallOutcome(Outcome.UNAVAILABLE, Reason.NO_MONEY), "ERROR", True),
        (
            CallOutcome(Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
            "ERROR",
            True,
        ),
        (CallOutcome(Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT), "ERROR", True),
    ],
)
def test_a_providers_answer_is_logged_without_the_record(
    log: io.StringIO, outcome: CallOutcome, level: str, at_fault: bool
) -> None:
    Telemetry().provider_answered(flash(call_id="call-id-7", webhook_call_id="hook-id-8"), "start", outcome)
    found = line(log)
    setting = f"provider-credentials: {flash().provider}" if at_fault else None
    assert (found["level"], found.get("setting")) == (level, setting)
    assert found["verification_id"] == flash().id
    for hidden in ("call-id-7", "hook-id-8", flash().phone_hash, flash().phone_mask, flash().key_id):
        assert hidden not in log.getvalue()


def test_a_fault_of_configuration_names_its_setting(log: io.StringIO) -> None:
    Telemetry().configuration_fault(ConfigurationFault("AllowedOrigins", "no page has this origin"))
    assert line(log)["setting"] == "AllowedOrigins"


def test_a_metric_has_the_dimensions_that_it_is_given_and_no_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "callverify")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "start-verification")
    Telemetry().measure("VendorLatency", 412, "Milliseconds", provider="ucaller", action="start")
    emf = json.loads(capsys.readouterr().out)
    assert (emf["VendorLatency"], emf["provider"], emf["action"]) == ([412.0], "ucaller", "start")
    (directive,) = emf["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["provider", "action"]]
    assert directive["Metrics"] == [{"Name": "VendorLatency", "Unit": "Milliseconds"}]


def test_metrics_and_lines_name_the_verification_that_they_are_about(
    log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    Telemetry().about("vrf_1")
    Telemetry().count("Started")
    Telemetry().note("event published", event_id="evt_1")
    telemetry.logger.clear_state()
    Telemetry().count("Started")
    about, about_nothing = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert about["verification_id"] == line(log)["verification_id"] == "vrf_1"
    assert "verification_id" not in about_nothing


def test_a_phone_does_not_show_its_number_by_accident() -> None:
    assert "79000000011" not in repr(Phone("+79000000011", "RU", "+7******0011"))
