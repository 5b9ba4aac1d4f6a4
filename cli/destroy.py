"""`destroy`: deletes a stack in AWS, after saying what goes with it and what stays."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click
from botocore.exceptions import WaiterError

from cli.deployments import Deployments
from cli.errors import Refused, on_ctrl_c
from cli.output import print_json
from cli.target import Target, as_json, refuse_empty

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


@dataclass(frozen=True)
class Plan:
    """What a deletion does: what goes for good, what stays with its data, and the tables that are protected."""

    goes: list[str]
    stays: list[str]
    protected_tables: list[str]

    def text(self, stack: str) -> str:
        lines = [f"This deletes the stack {stack}: its API stops answering.", "", "Deleted for good:"]
        lines += [f"  {each}" for each in self.goes]
        lines += ["", "Stays, with its data, until you delete it:"]
        lines += [f"  {each}" for each in self.stays or ["nothing"]]
        if self.protected_tables:
            lines += ["", "The tables have deletion protection. To delete one afterwards, first remove it:"]
            command = "aws dynamodb update-table --no-deletion-protection-enabled --table-name"
            lines += [f"  {command} {name}" for name in self.protected_tables]
        if self.goes:
            pepper = "The pepper is deleted. Without it, a table that stays can't be searched by phone or used again."
            lines += ["", pepper]
        return "\n".join(lines)


def examine(client: Any, stack: str, described: Mapping[str, Any]) -> Plan:
    """Raises what AWS raises."""
    template = client.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
    physical_ids = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource.get("PhysicalResourceId") and resource["ResourceStatus"] != "DELETE_COMPLETE"
    }
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in described.get("Parameters", [])}
    stays, goes = plan(template, physical_ids)
    is_protected = parameters.get("DeletionProtection") == "true"
    tables = [physical_ids[name] for name in ("Table", "IndexTable") if name in physical_ids]
    return Plan(goes, stays, tables if is_protected else [])


def delete(client: Any, stack: str) -> None:
    """Raises Refused where a resource can't be deleted."""
    client.delete_stack(StackName=stack)
    try:
        client.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 5, "MaxAttempts": 240})
    except WaiterError:
        command = f"aws cloudformation describe-stack-events --stack-name {stack}"
        raise Refused(f"{stack} was not deleted: see `{command}`") from None


@click.command()
@click.option("--stack", metavar="NAME", required=True, help="The stack in your AWS account.")
@as_json
def destroy(stack: str, as_json: bool) -> None:
    """Delete a stack in AWS, after showing what is deleted with it and what stays.

    It asks you to type the stack's name, on standard input.

    \b
    Example:
      callverify destroy --stack callverify
    """
    refuse_empty("stack")
    deployments = Deployments.read()
    target = Target(stack, {}, deployments.region(stack))
    client = target.client("cloudformation")
    found = examine(client, stack, target.described)
    if as_json:
        print_json({"stack": stack, "goes": found.goes, "stays": found.stays})
    else:
        click.echo(found.text(stack))
    if click.get_text_stream("stdin").isatty():
        click.echo(f"\nType {stack} to delete it: ", nl=False, err=as_json)
    if sys.stdin.readline().strip() != stack:
        raise Refused("nothing was deleted: you typed another name")
    on_ctrl_c(f"stopped waiting; AWS continues to delete {stack}")
    delete(client, stack)
    deployments.remove(stack)
    click.echo(f"deleted {stack}", err=as_json)
