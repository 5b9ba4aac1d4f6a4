"""What browsers that listen are told, and when."""

from collections.abc import Iterator

import pytest

from callverify.domain.channels import channel
from tests.support.gateway import PHONE, Api
from tests.support.handlers import Answer
from tests.support.surroundings import EventApi, event_api


@pytest.fixture
def heard() -> Iterator[EventApi]:
    event_api.messages.clear()
    yield event_api
    event_api.messages.clear()
    event_api.error = None


def as_its_token_reads_it(api: Api, started: Answer) -> dict[str, object]:
    body: dict[str, object] = api.status(started.id, credential=started["client_token"]).body
    return body


def test_a_right_code_is_told_at_once(api: Api, heard: EventApi) -> None:
    started = api.start(method="flash_call", reference="click-1", metadata={"order": "17"})
    assert api.check(started.id, api.code(PHONE))["valid"]
    (message,) = heard.messages
    assert message["channel"] == started["updates"]["channel"] == channel(started.id)
    assert heard.told() == [as_its_token_reads_it(api, started)]
    assert heard.told()[0]["status"] == "verified"


def test_a_report_is_told_at_once(api: Api, heard: EventApi) -> None:
    started = api.start(method="reverse_call")
    api.dial(started, PHONE)
    assert heard.told() == [as_its_token_reads_it(api, started)]
    assert heard.told()[0]["status"] == "verified"
    assert not {"reference", "metadata"} & heard.told()[0].keys()


def test_other_ends_are_told_at_once(api: Api, heard: EventApi) -> None:
    started = api.start(method="flash_call")
    api.cancel(started.id)
    other = api.start("+79000000012", method="flash_call")
    for _ in range(5):
        api.check(other.id, "0000")
    assert [(each["status"], each["id"]) for each in heard.told()] == [("canceled", started.id), ("failed", other.id)]


@pytest.mark.parametrize("error", [OSError("AppSync answered 500"), TimeoutError()])
def test_a_publish_that_fails_is_counted_and_changes_nothing(api: Api, heard: EventApi, error: Exception) -> None:
    heard.error = error
    started = api.start(method="flash_call")
    assert api.check(started.id, api.code(PHONE))["valid"]
    assert api.status(started.id)["status"] == "verified"
    assert api.metrics()["UpdatesUnpublished"] == 1
    assert heard.messages == []
