"""`callverify redrive` sends again what a queue can take, and names what it can't."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from cli.__main__ import main
from cli.redrive import QUEUES
from cli.target import Target
from tests.support.template import TEMPLATE

EVENT = json.dumps({"id": "evt_1", "type": "verification.verified"})
RECORD = json.dumps({"eventName": "INSERT", "dynamodb": {"Keys": {"pk": {"S": "verification#vrf_1"}}}})
# What Lambda writes on failure about a DynamoDB stream: Powertools' DynamoDBStreamLambdaOnFailureDestinationModel.
POSITION = json.dumps(
    {
        "requestContext": {
            "requestId": "316aa6d0-8154-xmpl-9af7-85d5f4a6bc81",
            "functionArn": "arn:aws:lambda:eu-central-1:123456789012:function:publish-event:live",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 101,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2026-11-26T00:13:49.717Z",
        "DDBStreamBatchInfo": {
            "shardId": "shardId-00000001573689847184-864758bb",
            "startSequenceNumber": "800000000003126276362",
            "endSequenceNumber": "800000000003126276362",
            "approximateArrivalOfFirstRecord": "2026-11-26T00:13:19Z",
            "approximateArrivalOfLastRecord": "2026-11-26T00:13:19Z",
            "batchSize": 1,
            "streamArn": "arn:aws:dynamodb:eu-central-1:123456789012:table/callverify/stream/2026-11-26T00:00:00.000",
        },
    }
)


class Queues:
    """The queues of a deployed stack, by the names of its outputs."""

    def __init__(self) -> None:
        self.client: Any = boto3.client("sqs", region_name="eu-central-1")
        names = sorted({name for pair in QUEUES.values() for name in pair if name})
        # Not hidden at all once received, so that what stays is seen again at once.
        hidden: Any = {"VisibilityTimeout": "0"}
        self.urls = {name: self.client.create_queue(QueueName=name, Attributes=hidden)["QueueUrl"] for name in names}

    def client_of(self, service: str) -> Any:
        """Target.client, with a CloudFormation that knows this one stack."""
        if service == "sqs":
            return self.client
        outputs = [{"OutputKey": name, "OutputValue": url} for name, url in self.urls.items()]
        return SimpleNamespace(describe_stacks=lambda StackName: {"Stacks": [{"Outputs": outputs}]})  # noqa: ARG005, N803

    def put(self, name: str, *bodies: str) -> None:
        for body in bodies:
            self.client.send_message(QueueUrl=self.urls[name], MessageBody=body)

    def all(self) -> dict[str, list[str]]:
        found = {}
        for name, url in self.urls.items():
            messages: list[Any] = self.client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            if messages:
                found[name] = sorted(message["Body"] for message in messages)
        return found


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        queues = Queues()
        monkeypatch.setattr(Target, "client", lambda _, service: queues.client_of(service))
        yield queues
        for url in queues.urls.values():  # moto is one for all tests of a process
            queues.client.delete_queue(QueueUrl=url)


def run(what: str) -> int:
    return main(["redrive", what, "--stack", "shop"])


def test_every_queue_is_an_output_of_the_template() -> None:
    names = {name for pair in QUEUES.values() for name in pair if name}
    assert names <= TEMPLATE["Outputs"].keys()
    dead_letters = {name for name in TEMPLATE["Resources"] if name.endswith("DeadLetterQueue")}
    # The queue of follow-ups keeps the logical id of version 1, and so its messages.
    outputs = {f"{name.replace('Settlement', 'FollowUp')}Url" for name in dead_letters}
    assert outputs == {dead for dead, _ in QUEUES.values()}


def test_what_a_queue_can_take_is_sent_again(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    bodies = sorted([EVENT.replace("evt_1", f"evt_{number}") for number in range(10)])
    queues.put("DeliveryDeadLetterQueueUrl", *bodies)
    assert run("events") == 0
    assert queues.all() == {"DeliveryQueueUrl": bodies}
    assert "10 messages of events sent again" in capsys.readouterr().out


def test_nothing_of_the_stream_is_sent_or_dropped(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    queues.put("StreamDeadLetterQueueUrl", POSITION, RECORD)
    assert run("stream") == 1
    assert queues.all() == {"StreamDeadLetterQueueUrl": sorted([POSITION, RECORD])}
    said = capsys.readouterr()
    assert "2 messages can't be sent again, left in StreamDeadLetterQueue" in said.err
    assert "Dead letters in docs/operations.md" in said.err


@pytest.mark.parametrize("what", ["events", "publications", "follow-ups"])
def test_a_position_that_lies_elsewhere_stays_there(
    queues: Queues, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    """It was moved by hand, or Lambda's own destination was."""
    dead_letters, queue = QUEUES[what]
    assert queue
    queues.put(dead_letters, RECORD, POSITION)
    assert run(what) == 1
    assert queues.all() == {dead_letters: [POSITION], queue: [RECORD]}
    said = capsys.readouterr()
    assert f"1 message of {what} sent again" in said.out
    assert "1 message can't be sent again" in said.err


def test_an_empty_queue_is_no_fault(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    del queues
    assert run("stream") == 0
    assert "0 messages of stream sent again" in capsys.readouterr().out
