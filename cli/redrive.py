"""`redrive`: puts a dead-letter queue's messages back on their queue, to be dealt with anew."""

from __future__ import annotations

import json
from typing import Any

import click

from cli.errors import Refused, on_ctrl_c
from cli.output import counted, print_json
from cli.target import Target, as_json, on_stack

# By what is in them: outputs of the template, the dead letters' queue first. What failed in the table's stream came
# from no queue.
QUEUES = {
    "events": ("DeliveryDeadLetterQueueUrl", "DeliveryQueueUrl"),
    "publications": ("RepublishDeadLetterQueueUrl", "RepublishQueueUrl"),
    "follow-ups": ("FollowUpDeadLetterQueueUrl", "FollowUpQueueUrl"),
    "stream": ("StreamDeadLetterQueueUrl", None),
}


def move(client: Any, dead_letters: str, queue: str | None) -> tuple[int, int]:
    """Send every message again that `queue` can take: how many were, and how many stay because they can't be.

    A message is deleted there only after it has been sent here. queue: None where no message can be sent again.
    """
    moved = 0
    left: set[str] = set()
    while messages := client.receive_message(QueueUrl=dead_letters, MaxNumberOfMessages=10).get("Messages"):
        if {message["MessageId"] for message in messages} <= left:
            break  # those that stay are shown again
        for message in messages:
            if queue is None or _is_position(message["Body"]):
                left.add(message["MessageId"])
                continue
            client.send_message(QueueUrl=queue, MessageBody=message["Body"])
            client.delete_message(QueueUrl=dead_letters, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    return moved, len(left)


def _is_position(body: str) -> bool:
    """Whether Lambda wrote this about a batch of a stream: where it lies, and not what is in it."""
    try:
        message = json.loads(body)
    except ValueError:
        return False
    return isinstance(message, dict) and "DDBStreamBatchInfo" in message


@click.command()
@click.argument("what", type=click.Choice(list(QUEUES)))
@as_json
@on_stack
def redrive(target: Target, what: str, as_json: bool) -> None:
    """Send the messages of a dead-letter queue again, after their cause was fixed.

    `stream` only counts its messages: they can't be sent again. Exits with 1 if messages are left.

    \b
    Example:
      callverify redrive events --stack callverify
    """
    dead_letters, queue = QUEUES[what]
    on_ctrl_c("stopped; no message is lost: run the command again to continue")
    moved, left = move(target.client("sqs"), target.output(dead_letters), target.output(queue) if queue else None)
    if as_json:
        print_json({"sent_again": moved, "left": left})
    else:
        click.echo(f"{counted(moved, 'message')} of {what} sent again")
    if left:
        raise Refused(
            f"{counted(left, 'message')} can't be sent again, left in {dead_letters.removesuffix('Url')}. Each names "
            "a failed batch of the stream, or holds a record that can't be read. See Dead letters in docs/operations.md"
        )
