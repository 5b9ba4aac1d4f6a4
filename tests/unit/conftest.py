from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from callverify.store import Store
from tests.functional.harness import create_table

TABLE = "callverify-unit"


@pytest.fixture(scope="package")
def dynamodb() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patched, mock_aws():
        patched.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        yield boto3.client("dynamodb")


@pytest.fixture
def store(dynamodb: Any) -> Iterator[Store]:
    create_table(TABLE)
    yield Store(dynamodb, TABLE)
    dynamodb.delete_table(TableName=TABLE)
