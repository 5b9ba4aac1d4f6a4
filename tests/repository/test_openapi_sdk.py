"""What docs/openapi.yaml says of the façade is what the façade takes and tells."""

from __future__ import annotations

from callverify.edge.twilio_verify import errors, parameters
from tests.support.document import SCHEMAS, violations_of


def test_parameters_are_those_that_are_taken() -> None:
    assert SCHEMAS["SdkCreate"]["properties"].keys() == {*parameters.START, "RiskCheck"}
    assert SCHEMAS["SdkUpdate"]["properties"].keys() == set(parameters.UPDATE)
    assert SCHEMAS["SdkCheck"]["properties"].keys() == set(parameters.CHECK)
    assert SCHEMAS["SdkChannel"]["enum"] == ["call", "sms", "whatsapp", "auto", "sna"]
    assert set(SCHEMAS["SdkChannel"]["enum"]) == parameters.CHANNELS.keys()


def test_errors_are_those_of_the_table() -> None:
    codes = {each.code for each in errors.TABLE.values()} | {errors.MAX_CHECKS.code, errors.MAX_RATE.code}
    assert set(SCHEMAS["SdkError"]["properties"]["code"]["enum"]) == codes
    for kind in errors.TABLE:
        assert violations_of(errors.body(kind("What is wrong."), checking=False), "SdkError") == []
