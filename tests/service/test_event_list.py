"""The list of events, and how the functions behind the table's stream put one record aside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from functions.check_status import app as check_status
from functions.follow_up import app as follow_up
from functions.publish_event import app as publish_event
from functions.schedule_follow_up import app as schedule_follow_up
from tests.support import surroundings
from tests.support.gateway import Api, load_event
from tests.support.handlers import Answer, answer_of
from tests.support.surroundings import TABLE, aws_client, items, new_container


@pytest.fixture
def queues(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:  # noqa: ARG001 (its environment comes first)
    names = ("REPUBLISH_QUEUE_URL", "STREAM_DEAD_LETTER_QUEUE_URL", "DELIVERY_QUEUE_URL", "FOLLOW_UP_QUEUE_URL")
    monkeypatch.setattr(surroundings, "queue", surroundings.moto_client("sqs"))
    urls = {name: aws_client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in names}
    for name, url in urls.items():
        monkeypatch.setenv(name, url)
    aws_client("events").create_event_bus(Name="bus")
    monkeypatch.setenv("EVENT_BUS_NAME", "bus")
    monkeypatch.setenv("EVENT_WEBHOOK_URL", "https://shop.example/events")
    new_container()
    yield urls
    for url in urls.values():
        aws_client("sqs").delete_queue(QueueUrl=url)
    aws_client("events").delete_event_bus(Name="bus")


def messages(url: str) -> list[str]:
    found: list[str] = []
    while more := aws_client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in more]
    return found


def stream(*spoilt: int) -> dict[str, Any]:
    """The records of three new verifications; the spoilt ones can't be read."""
    found = aws_client("dynamodb").scan(TableName=TABLE)["Items"]
    images = [item for item in found if item["pk"]["S"].startswith("verification#")]
    (template, *_) = load_event("transition")["Records"]
    records = []
    for place, image in enumerate(sorted(images, key=lambda image: image["pk"]["S"])):
        spoil = {"attempts": {"N": "7"}} if place in spoilt else {}
        change = {"Keys": {"pk": image["pk"]}, "NewImage": image | spoil}
        records.append(template | {"dynamodb": change, "eventName": "INSERT"})
    assert len(records) == 3
    return {"Records": records}


def started(api: Api) -> list[str]:
    phones = ("+79000000011", "+79000000012", "+79000000013")
    return sorted(api.start(phone, provider="telefon_ip", reference=f"№ {phone[-1]}").id for phone in phones)


def page(api: Api, **query: str) -> Answer:
    event = load_event("status") | {"resource": "/events", "pathParameters": None, "queryStringParameters": query}
    del api
    return answer_of(check_status.handler(event, None))


def test_a_record_that_cannot_be_read_is_put_aside_and_the_rest_goes_on(api: Api, queues: dict[str, str]) -> None:
    ids = started(api)
    assert publish_event.handler({"Records": []}, None) is None
    event = stream(1)
    assert publish_event.handler(event, None) is None
    assert [each["data"]["id"] for each in page(api)["events"]] == [ids[0], ids[2]]
    (aside,) = messages(queues["REPUBLISH_QUEUE_URL"])
    assert aside.isascii()
    assert "_hash" not in aside
    assert {json.loads(body)["data"]["id"] for body in messages(queues["DELIVERY_QUEUE_URL"])} == {ids[0], ids[2]}
    assert api.metrics()["EventsUnpublished"] == 1
    # Again, while it still can't be read; and when it can.
    message = {"messageId": "1", "eventSource": "aws:sqs"}
    again = publish_event.handler({"Records": [message | {"body": aside}]}, None)
    assert again == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    record = json.loads(aside)
    record["dynamodb"]["NewImage"]["attempts"] = stream()["Records"][1]["dynamodb"]["NewImage"]["attempts"]
    mended = json.dumps(record)
    again = publish_event.handler({"Records": [message | {"body": mended}]}, None)
    assert again == {"batchItemFailures": []}
    assert [each["data"]["id"] for each in page(api)["events"]] == [ids[0], ids[2], ids[1]]


def test_the_ends_of_other_windows_are_scheduled_beside_one_that_cannot_be_read(
    api: Api, queues: dict[str, str]
) -> None:
    ids = started(api)
    schedule_follow_up.handler(stream(0), None)
    (aside,) = messages(queues["STREAM_DEAD_LETTER_QUEUE_URL"])
    assert ids[0] in aside
    url = queues["FOLLOW_UP_QUEUE_URL"]
    names = ["ApproximateNumberOfMessagesDelayed"]
    held = aws_client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    assert held["ApproximateNumberOfMessagesDelayed"] == "4"  # of each, the first question and the end


def test_a_window_is_brought_to_its_end(api: Api, queues: dict[str, str]) -> None:  # noqa: ARG001
    """Through the function, so that what it may do to the table is judged."""
    ids = started(api)
    for seconds in (115, 6):
        api.advance(seconds)
        for verification_id in ids:
            body = json.dumps({"verification_id": verification_id, "attempt": 1})
            record = {"messageId": "1", "eventSource": "aws:sqs", "body": body}
            assert follow_up.handler({"Records": [record]}, None) == {"batchItemFailures": []}
    records = [item for item in items() if item["pk"].startswith("verification#")]
    assert {record["status"] for record in records} == {"expired"}


def test_a_cursor_that_cannot_be_placed_is_told(api: Api, queues: dict[str, str]) -> None:  # noqa: ARG001
    assert page(api).body == {"events": [], "next": "0", "has_more": False}
    assert page(api, after="0").status == 200
    assert page(api, after="1")["code"] == "cursor_unknown"
    started(api)
    publish_event.handler(stream(), None)
    first = page(api, limit="2")
    assert (len(first["events"]), first["has_more"]) == (2, True)
    rest = page(api, after=first["next"])
    assert (len(rest["events"]), rest["has_more"]) == (1, False)
    assert page(api, after=rest["next"]).body == {"events": [], "next": rest["next"], "has_more": False}
    assert len(page(api, after="0")["events"]) == 3
    for unknown in (str(int(rest["next"]) + 1), "9" * 15, "9" * 200, "", "-1", "x", "٣", "evt_1", "\x00"):
        answer = page(api, after=unknown)
        assert (answer.status, answer["code"]) == (409, "cursor_unknown"), ascii(unknown)
    assert (page(api, after="x" * 201).status, page(api, limit="0").status) == (400, 400)


def test_a_consumer_ahead_of_its_time_is_told_when_all_has_ended(api: Api, queues: dict[str, str]) -> None:  # noqa: ARG001
    started(api)
    publish_event.handler(stream(), None)
    latest = page(api)["next"]
    api.advance(3 * 24 * 60 * 60)
    assert page(api).body == {"events": [], "next": latest, "has_more": False}
    assert page(api, after=str(int(latest) - 2))["next"] == latest
