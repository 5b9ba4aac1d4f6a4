"""`make redrive`: puts a dead-letter queue's messages back on their queue, to be dealt with anew."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tools.target import target_stack

# By what is in them: outputs of the template, the dead letters' queue first.
QUEUES = {
    "events": ("DeliveryDeadLetterQueueUrl", "DeliveryQueueUrl"),
    "publications": ("RepublishDeadLetterQueueUrl", "RepublishQueueUrl"),
    "settlements": ("SettlementDeadLetterQueueUrl", "SettlementQueueUrl"),
}


def redrive(client: Any, dead_letters: str, queue: str) -> int:
    """Move every message, and say how many. A message is deleted there only after it has been sent here."""
    moved = 0
    while messages := client.receive_message(QueueUrl=dead_letters, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            client.send_message(QueueUrl=queue, MessageBody=message["Body"])
            client.delete_message(QueueUrl=dead_letters, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    return moved


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.redrive", description=__doc__)
    parser.add_argument("--stack", default="", help="default: the local stack where one runs, else callverify")
    parser.add_argument("--dev-dir", default=".dev")
    parser.add_argument("--what", choices=QUEUES, default="events")
    chosen = parser.parse_args(arguments)
    stack = target_stack(chosen.stack, chosen.dev_dir)
    try:
        described = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
        moved = redrive(boto3.client("sqs"), *(outputs[name] for name in QUEUES[chosen.what]))
    except (BotoCoreError, ClientError) as error:
        print(f"redrive: {error}", file=sys.stderr)
        return 1
    print(f"{moved} message(s) of {chosen.what} sent again")
    return 0


if __name__ == "__main__":
    sys.exit(main())
