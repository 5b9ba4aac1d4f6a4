from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from callverify.store import Store
from tests.support import gateway
from tests.support.dynamodb import MemoryDynamoDb

TABLE = "callverify-unit"


@pytest.fixture(scope="package")
def dynamodb() -> MemoryDynamoDb:
    return harness.dynamodb


@pytest.fixture
def store(dynamodb: Any) -> Iterator[Store]:
    dynamodb.create_table(TableName=TABLE)
    yield Store(dynamodb, TABLE)
    dynamodb.delete_table(TableName=TABLE)
