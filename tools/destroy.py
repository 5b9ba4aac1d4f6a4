"""`make destroy`: deletes a stack in AWS, after saying what goes with it and what stays."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

STAYS = ("Retain", "RetainExceptOnCreate", "Snapshot")
# What somebody may miss. Anything else can be deployed again.
NAMED = {
    "AWS::DynamoDB::Table": "table",
    "AWS::SecretsManager::Secret": "secret",
    "AWS::Logs::LogGroup": "log group",
    "AWS::SQS::Queue": "queue",
}


def plan(template: Mapping[str, Any], physical_ids: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """What stays, and what of importance goes: by the template that the stack was made from."""
    stays, goes = [], []
    for logical_id, resource in template["Resources"].items():
        if logical_id not in physical_ids:
            continue
        line = f"{NAMED.get(resource['Type'], resource['Type'])} {physical_ids[logical_id]}"
        if resource.get("DeletionPolicy") in STAYS:
            stays.append(line)
        elif resource["Type"] in NAMED:
            goes.append(line)
    return sorted(stays), sorted(goes)


def destroy(client: Any, stack: str, confirm: Callable[[str], str]) -> bool:
    """Delete the stack if `confirm` answers its name; say whether it was. Raises what AWS raises."""
    template = client.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
    physical_ids = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource.get("PhysicalResourceId") and resource["ResourceStatus"] != "DELETE_COMPLETE"
    }
    (described,) = client.describe_stacks(StackName=stack)["Stacks"]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in described.get("Parameters", [])}
    stays, goes = plan(template, physical_ids)
    print(f"This deletes the stack {stack}: its API stops answering.")
    print("\nGone for good:", *goes, sep="\n  ")
    print("\nStays, with its data, and is yours to delete:", *(stays or ["nothing"]), sep="\n  ")
    if parameters.get("DeletionProtection") == "true":
        print("\nThe tables are protected. To delete one afterwards, first take that off:")
        for name in filter(None, map(physical_ids.get, ("Table", "IndexTable"))):
            print(f"  aws dynamodb update-table --no-deletion-protection-enabled --table-name {name}")
    if goes:
        print("\nThe pepper goes: what stays of the table can be neither read by phone nor continued by a new stack.")
    if confirm(f"\nType {stack} to delete it: ").strip() != stack:
        return False
    client.delete_stack(StackName=stack)
    client.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 5, "MaxAttempts": 240})
    return True


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.destroy", description=__doc__)
    parser.add_argument("--stack", required=True)
    chosen = parser.parse_args(arguments)
    if not chosen.stack:
        parser.error("which one? make destroy STACK=…")
    try:
        deleted = destroy(boto3.client("cloudformation"), chosen.stack, input)
    except (BotoCoreError, ClientError, WaiterError) as error:
        print(f"destroy: {error}", file=sys.stderr)
        return 1
    except EOFError:
        deleted = False
    print(f"deleted {chosen.stack}" if deleted else "nothing was deleted")
    return 0 if deleted else 1


if __name__ == "__main__":
    sys.exit(main())
