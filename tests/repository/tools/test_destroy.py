"""`make destroy` says what stays, and deletes only after the stack's name was typed."""

import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from tests.support.template import RESOURCES
from tools.destroy import destroy, plan

TEMPLATE = {
    "Resources": {
        "Table": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "RetainExceptOnCreate"},
        "PepperSecret": {"Type": "AWS::SecretsManager::Secret", "DeletionPolicy": "Delete"},
        "Function": {"Type": "AWS::Lambda::Function"},
        "Unmade": {"Type": "AWS::SQS::Queue"},
    }
}
IDS = {"Table": "shop-Table-1", "PepperSecret": "shop/pepper", "Function": "shop-Function-1"}


@pytest.fixture
def stubbed() -> tuple[Any, Stubber]:
    session: Any = boto3.Session("test", "test", region_name="eu-central-1")
    client = session.client("cloudformation")
    stub = Stubber(client)
    stub.add_response("get_template", {"TemplateBody": json.dumps(TEMPLATE)})
    summaries = [
        {
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": physical_id,
            "ResourceType": "any",
            "LastUpdatedTimestamp": datetime(2026, 11, 22, tzinfo=UTC),
            "ResourceStatus": "CREATE_COMPLETE",
        }
        for logical_id, physical_id in IDS.items()
    ]
    stub.add_response("list_stack_resources", {"StackResourceSummaries": summaries})
    stack = {
        "StackName": "shop",
        "StackStatus": "CREATE_COMPLETE",
        "CreationTime": datetime(2026, 11, 22, tzinfo=UTC),
        "Parameters": [{"ParameterKey": "DeletionProtection", "ParameterValue": "true"}],
    }
    stub.add_response("describe_stacks", {"Stacks": [stack]})
    stub.activate()
    return client, stub


def test_nothing_is_deleted_without_the_name(stubbed: tuple[Any, Stubber], capsys: pytest.CaptureFixture[str]) -> None:
    client, stub = stubbed
    assert destroy(client, "shop", lambda _: "yes") is False
    stub.assert_no_pending_responses()
    said = capsys.readouterr().out
    gone, stays = said.split("Stays")
    assert "secret shop/pepper" in gone
    assert "table shop-Table-1" in stays
    assert "--no-deletion-protection-enabled --table-name shop-Table-1" in stays


def test_the_name_deletes(stubbed: tuple[Any, Stubber]) -> None:
    client, stub = stubbed
    stub.add_response("delete_stack", {}, {"StackName": "shop"})
    stub.add_client_error("describe_stacks", "ValidationError", "Stack with id shop does not exist")
    assert destroy(client, "shop", lambda _: "shop\n") is True
    stub.assert_no_pending_responses()


def test_the_tables_are_all_that_stays_of_ours() -> None:
    ids = {name: name for name in RESOURCES}
    stays, goes = plan({"Resources": RESOURCES}, ids)
    assert stays == ["table IndexTable", "table Table"]
    assert "secret PepperSecret" in goes
    assert "log group ApiLogGroup" in goes
