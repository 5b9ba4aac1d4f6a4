from __future__ import annotations

import io
import json
from typing import Any

import pytest

from callverify import telemetry
from callverify.errors import ConfigurationFault
from callverify.models import Cause, Outcome, Phone, Result
from callverify.telemetry import Telemetry
from tests.unit.records import flash


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
    ("outcome", "level", "setting"),
    [
        (Outcome(Result.STARTED), "INFO", None),
        (Outcome(Result.UNKNOWN, Cause.TIMEOUT), "WARNING", None),
        (Outcome(Result.UNAVAILABLE, Cause.NO_MONEY), "ERROR", "provider-credentials: ucaller"),
        (Outcome(Result.UNAVAILABLE, Cause.BAD_CREDENTIALS), "ERROR", "provider-credentials: ucaller"),
        (Outcome(Result.UNAVAILABLE, Cause.ACCOUNT_FAULT), "ERROR", "provider-credentials: ucaller"),
    ],
)
def test_a_providers_answer_is_logged_without_the_record(
    log: io.StringIO, outcome: Outcome, level: str, setting: str | None
) -> None:
    Telemetry().provider_answered(flash(call_id="call-id-7", webhook_call_id="hook-id-8"), "start", outcome)
    found = line(log)
    assert (found["level"], found.get("setting")) == (level, setting)
    assert found["verification_id"] == flash().id
    for hidden in ("call-id-7", "hook-id-8", flash().phone_hash, flash().phone_mask, flash().key_id):
        assert hidden not in log.getvalue()


def test_a_fault_of_configuration_names_its_setting(log: io.StringIO) -> None:
    Telemetry().configuration_fault(ConfigurationFault("SMSC_BASE_URL", "it must be an https URL"))
    assert line(log)["setting"] == "SMSC_BASE_URL"


def test_a_metric_has_the_dimensions_that_it_is_given(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "callverify")
    Telemetry().count("Started", provider="ucaller", method="flash_call")
    emf = json.loads(capsys.readouterr().out)
    assert (emf["Started"], emf["provider"], emf["method"]) == ([1.0], "ucaller", "flash_call")


def test_a_phone_does_not_show_its_number_by_accident() -> None:
    assert "79000000011" not in repr(Phone("+79000000011", "RU", "+7******0011"))
