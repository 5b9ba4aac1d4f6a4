"""`callverify destroy` says what stays, and deletes only after the stack's name was typed."""

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from cli.__main__ import main
from cli.destroy import examine, plan
from cli.target import Target
from tests.support.template import RESOURCES

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
    stub.activate()
    return client, stub


def test_it_says_what_goes_and_what_stays(stubbed: tuple[Any, Stubber]) -> None:
    client, stub = stubbed
    described = {"Parameters": [{"ParameterKey": "DeletionProtection", "ParameterValue": "true"}]}
    said = examine(client, "shop", described).text("shop")
    stub.assert_no_pending_responses()
    gone, stays = said.split("Stays")
    assert "secret shop/pepper" in gone
    assert "table shop-Table-1" in stays
    assert "--no-deletion-protection-enabled --table-name shop-Table-1" in stays


@pytest.mark.parametrize(("typed", "deletes"), [("yes\n", False), ("", False), ("shop\n", True)])
def test_the_name_alone_deletes(
    stubbed: tuple[Any, Stubber],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    typed: str,
    deletes: bool,
) -> None:
    client, stub = stubbed
    monkeypatch.setenv("CALLVERIFY_DEPLOYMENTS", str(tmp_path / "deployments.toml"))
    monkeypatch.setattr(Target, "client", lambda *_: client)
    monkeypatch.setattr(Target, "described", {})
    monkeypatch.setattr("sys.stdin", StringIO(typed))
    if deletes:
        stub.add_response("delete_stack", {}, {"StackName": "shop"})
        stub.add_client_error("describe_stacks", "ValidationError", "Stack with id shop does not exist")
    assert main(["destroy", "--stack", "shop"]) == (0 if deletes else 1)
    stub.assert_no_pending_responses()


def test_the_tables_are_all_that_stays_of_ours() -> None:
    ids = {name: name for name in RESOURCES}
    stays, goes = plan({"Resources": RESOURCES}, ids)
    assert stays == ["table IndexTable", "table Table"]
    assert "secret PepperSecret" in goes
    assert "log group ApiLogGroup" in goes
