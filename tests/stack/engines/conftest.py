"""The engines that the store has to be right on: the embedded AWS's, and with `make test-engines` Amazon's own."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.aws import EmbeddedAws
from local.processes import free_port
from tests.stack.engines.bench import Bench, index_of
from tests.stack.engines.dynamodb_local import dynamodb_local
from tests.support.template import INDEX_TABLE, TABLE, table_definition

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

ENGINES = os.environ.get("ENGINES", "embedded_aws").split(",")
THREADS = 64


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.stack)  # it starts a server, as the stack's tests do


@contextmanager
def embedded_aws(directory: Path) -> Iterator[str]:
    aws = EmbeddedAws(free_port())
    with aws.running(directory):
        aws.wait()
        yield aws.endpoint


@pytest.fixture(scope="session", params=ENGINES)
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DynamoDBClient]:
    """A client of a running engine, for as many threads as a test has."""
    start = {"embedded_aws": embedded_aws, "dynamodb_local": dynamodb_local}[request.param]
    with start(tmp_path_factory.mktemp(request.param)) as endpoint:
        client = boto3.client(
            "dynamodb",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(max_pool_connections=THREADS, proxies={}, retries={"total_max_attempts": 3}),
        )
        _wait_for(client)
        yield client


def _wait_for(client: DynamoDBClient) -> None:
    for _ in range(120):
        try:
            client.list_tables()
        except (BotoCoreError, ClientError):
            time.sleep(0.25)
        else:
            return
    raise TimeoutError("the engine does not answer")


@pytest.fixture
def bench(client: DynamoDBClient) -> Iterator[Bench]:
    """The service on a new table of the engine."""
    table = f"t{uuid.uuid4().hex}"
    tables = {table: TABLE, index_of(table): INDEX_TABLE}
    for name, properties in tables.items():
        client.create_table(**table_definition(name, properties))
    yield Bench(client, table)
    for name in tables:
        client.delete_table(TableName=name)
