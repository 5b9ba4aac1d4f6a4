"""`make redrive`: puts a dead-letter queue's messages back on their queue, to be dealt with anew."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tools.target import target_stack

# By what is in them: outputs of the template, the dead letters' queue first. What failed in the table's stream came
# from no queue.
QUEUES = {
    "events": ("DeliveryDeadLetterQueueUrl", "DeliveryQueueUrl"),
    "publications": ("RepublishDeadLetterQueueUrl", "RepublishQueueUrl"),
    "follow-ups": ("FollowUpDeadLetterQueueUrl", "FollowUpQueueUrl"),
    "stream": ("StreamDeadLetterQueueUrl", None),
}


def redrive(client: Any, dead_letters: str, queue: str | None) -> tuple[int, int]:
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


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.redrive", description=__doc__)
    parser.add_argument("--stack", default="", help="default: the local stack where one runs, else callverify")
    parser.add_argument("--dev-dir", default=".dev")
    parser.add_argument("--what", choices=QUEUES, default="events")
    chosen = parser.parse_args(arguments)
    stack = target_stack(chosen.stack, chosen.dev_dir)
    dead_letters, queue = QUEUES[chosen.what]
    try:
        described = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
        moved, left = redrive(boto3.client("sqs"), outputs[dead_letters], outputs[queue] if queue else None)
    except (BotoCoreError, ClientError) as error:
        print(f"redrive: {error}", file=sys.stderr)
        return 1
    print(f"{moved} message(s) of {chosen.what} sent again")
    if left:
        print(
            f"redrive: {left} message(s) can't be sent again and stay in {dead_letters.removesuffix('Url')}: they say "
            "where in the table's stream a batch failed, or hold a record that can't be read. What to do: "
            "docs/operations.md, Dead letters",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
