"""A deployment into a stack that is there."""

from pathlib import Path

import boto3
import pytest

from local.aws import ALIAS, STACK_NAME, EmbeddedAws
from local.background import background_stack


@pytest.mark.stack
def test_a_changed_parameter_reaches_what_requests_reach(tmp_path: Path) -> None:
    with background_stack(tmp_path) as env:
        session = boto3.Session(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], region_name=env["AWS_REGION"])
        aws = EmbeddedAws(int(env["AWS_ENDPOINT_URL"].rpartition(":")[2]))
        (described,) = aws.cloud_formation.describe_stacks(StackName=STACK_NAME)["Stacks"]
        given = {each["ParameterKey"]: each["ParameterValue"] for each in described["Parameters"]}
        given = {name: value for name, value in given.items() if value} | {"RetentionHours": "48"}
        aws.deploy(tmp_path / "build", given, tmp_path / "update.log")

        client = session.client("lambda", endpoint_url=env["AWS_ENDPOINT_URL"])
        names = [each["FunctionName"] for each in client.list_functions()["Functions"]]
        assert len(names) > 5
        for name in names:
            live = client.get_function_configuration(FunctionName=name, Qualifier=ALIAS)
            assert live["Environment"]["Variables"]["RETENTION_HOURS"] == "48", name
