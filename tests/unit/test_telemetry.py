from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
from functools import partial
from typing import Any

import pytest

from callverify.domain.errors import ConfigurationFault
from callverify.domain.words import CallOutcome, Outcome, Phone, Reason
from callverify.events import telemetry
from callverify.events.telemetry import Telemetry
from tests.support.logs import metrics_of
from tests.support.records import flash


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    handler: Any = telemetry.logger.registered_handler
    monkeypatch.setattr(handler, "stream", stream)
    return stream


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(text) for text in log.getvalue().splitlines()]


def line(log: io.StringIO) -> dict[str, Any]:
    (found,) = lines(log)
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
    (found,) = (each for each in lines(log) if "_aws" not in each)
    setting = f"provider-credentials: {flash().provider}" if at_fault else None
    assert (found["level"], found.get("setting")) == (level, setting)
    assert found["verification_id"] == flash().id
    for hidden in ("call-id-7", "hook-id-8", flash().phone_hash, flash().phone_mask, flash().key_id):
        assert hidden not in log.getvalue()


def test_a_fault_of_configuration_names_its_setting(log: io.StringIO) -> None:
    Telemetry().configuration_fault(ConfigurationFault("AllowedOrigins", "no page has this origin"))
    fault, counted = lines(log)
    assert fault["setting"] == "AllowedOrigins"
    assert metrics_of(counted) == [("ConfigurationFaults", "Count", 1, {})]


def test_a_metric_has_the_dimensions_that_it_is_given_and_no_others(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "start-verification")
    Telemetry().measure("VendorLatency", 412, "Milliseconds", provider="ucaller", action="start")
    emf = line(log)
    assert (emf["VendorLatency"], emf["provider"], emf["action"]) == (412, "ucaller", "start")
    (directive,) = emf["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["provider", "action"]]
    assert directive["Metrics"] == [{"Name": "VendorLatency", "Unit": "Milliseconds"}]


def test_metrics_and_lines_name_the_verification_that_they_are_about(log: io.StringIO) -> None:
    Telemetry().about("vrf_1")
    Telemetry().count("Started")
    Telemetry().note("event published", event_id="evt_1")
    telemetry.logger.clear_state()
    Telemetry().count("Started")
    assert [each.get("verification_id") for each in lines(log)] == ["vrf_1", "vrf_1", None]


def test_a_request_is_one_line(log: io.StringIO) -> None:
    record = flash()
    with Telemetry().line("POST /verifications", request_id="r-1"):
        Telemetry().about(record.id)
        Telemetry().measure("VendorLatency", 412, "Milliseconds", provider="ucaller", action="start")
        Telemetry().provider_answered(record, "start", CallOutcome(Outcome.STARTED))
        Telemetry().count("Started", provider="ucaller", method="flash_call")
        Telemetry().count("PaidCalls", provider="ucaller")
        Telemetry().add(status=201)
        assert log.getvalue() == ""
    found = line(log)
    assert (found["message"], found["level"], found["status"]) == ("POST /verifications", "INFO", 201)
    assert (found["request_id"], found["verification_id"]) == ("r-1", record.id)
    attempt = {"provider": "ucaller", "method": "flash_call", "action": "start", "outcome": "started", "ms": 412}
    assert found["attempts"] == [attempt]
    assert found["ms"] >= 0
    assert metrics_of(found) == [
        ("VendorLatency", "Milliseconds", 412, {"provider": "ucaller", "action": "start"}),
        ("Started", "Count", 1, {"provider": "ucaller", "method": "flash_call"}),
        ("PaidCalls", "Count", 1, {"provider": "ucaller"}),
    ]


def test_a_request_that_has_nothing_to_tell_writes_nothing(log: io.StringIO) -> None:
    with Telemetry().line("GET /verifications/{id}", request_id="r-1"):
        Telemetry().about("vrf_1")
        Telemetry().add(status=200)
    assert log.getvalue() == ""


def test_what_one_line_can_not_say_is_said_in_a_second(log: io.StringIO) -> None:
    """A line has one value for each dimension."""
    with Telemetry().line("POST /verifications", request_id="r-1"):
        for provider in ("smsc", "ucaller", "smsc"):
            Telemetry().count("PaidCalls", provider=provider)
    first, second = lines(log)
    assert metrics_of(first) == [
        ("PaidCalls", "Count", 1, {"provider": "smsc"}),
        ("PaidCalls", "Count", 1, {"provider": "smsc"}),
    ]
    assert metrics_of(second) == [("PaidCalls", "Count", 1, {"provider": "ucaller"})]
    assert first["request_id"] == second["request_id"] == "r-1"


def test_a_metric_with_many_values_is_cut_where_cloudwatch_would_refuse_it(log: io.StringIO) -> None:
    with Telemetry().line("POST /webhooks/{provider}/{rest+}"):
        for _ in range(101):
            Telemetry().count("LateWebhooks", provider="sms_ru", method="reverse_call")
    assert [len(metrics_of(each)) for each in lines(log)] == [100, 1]


def test_a_request_that_is_cut_short_tells_what_it_had_to(log: io.StringIO) -> None:
    def cut_short() -> None:
        with Telemetry().line("POST /verifications"):
            Telemetry().count("PaidCalls", provider="smsc")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        cut_short()
    Telemetry().note("event delivered")
    assert [each["message"] for each in lines(log)] == ["POST /verifications", "event delivered"]


def test_a_request_knows_nothing_of_the_one_before(log: io.StringIO) -> None:
    for _ in range(2):
        with Telemetry().line("POST /verifications"):
            Telemetry().count("PaidCalls", provider="smsc")
            assert "verification_id" not in telemetry.logger.get_current_keys()
            Telemetry().about("vrf_1")
    assert [len(metrics_of(each)) for each in lines(log)] == [1, 1]


def test_what_went_wrong_is_a_line_of_its_own(log: io.StringIO) -> None:
    with Telemetry().line("POST /verifications", request_id="r-1"):
        Telemetry().provider_answered(flash(), "start", CallOutcome(Outcome.UNKNOWN, Reason.TIMEOUT))
    warning, summary = lines(log)
    assert (warning["level"], warning["request_id"], warning["reason"]) == ("WARNING", "r-1", "timeout")
    assert summary["attempts"][0]["reason"] == "timeout"


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
def test_metrics_are_written_at_any_level(log: io.StringIO, request: pytest.FixtureRequest, level: str) -> None:
    plain = logging.getLogger(telemetry.logger.name)
    request.addfinalizer(partial(plain.setLevel, plain.level))
    plain.setLevel(level)
    with Telemetry().line("POST /verifications"):
        Telemetry().count("PaidCalls", provider="smsc")
        Telemetry().add(status=201)
        Telemetry().detail("looked at")
    Telemetry().note("event delivered")
    with Telemetry().line("message handled"):
        Telemetry().note("event delivered")
    said = {"DEBUG": ["looked at"], "INFO": []}
    told = ["event delivered", "event delivered"] if level in said else []
    assert [each["message"] for each in lines(log)] == [*said.get(level, []), "POST /verifications", *told]
    (counted,) = (each for each in lines(log) if "_aws" in each)
    assert ("status" in counted) is (level in said)


@pytest.mark.parametrize(
    ("lambdas", "ours", "level"), [("INFO", "WARNING", 30), ("DEBUG", "DEBUG", 10), (None, "ERROR", 40)]
)
def test_the_parameter_decides_the_level(lambdas: str | None, ours: str, level: int) -> None:
    """Powertools alone would follow Lambda's level."""
    environment = {"POWERTOOLS_LOG_LEVEL": ours, "PYTHONPATH": os.pathsep.join(sys.path)} | (
        {"AWS_LAMBDA_LOG_LEVEL": lambdas} if lambdas else {}
    )
    said = "from callverify.events.telemetry import logger; from callverify.runtime import wiring"
    said += "; wiring.telemetry(); print(logger.log_level)"
    command = [sys.executable, "-W", "error::UserWarning", "-c", said]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(level)]


def test_a_line_has_the_time_that_lambda_reads(log: io.StringIO) -> None:
    """It would give a line with another form of time a second one, and the level INFO."""
    Telemetry().busy(RuntimeError())
    for each in lines(log):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", each["timestamp"])
        assert {"level", "message", "service"} <= each.keys()


def test_a_phone_does_not_show_its_number_by_accident() -> None:
    assert "79000000011" not in repr(Phone("+79000000011", "RU", "+7******0011"))
