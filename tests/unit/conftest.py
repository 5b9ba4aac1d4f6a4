from __future__ import annotations

from typing import Any, cast

import pytest

from callverify.store import Store
from tests.support.dynamodb import MemoryDynamoDb
from tests.support.service import TABLE


@pytest.fixture
def dynamodb() -> MemoryDynamoDb:
    dynamodb = MemoryDynamoDb()
    dynamodb.create_table(TableName=TABLE)
    return dynamodb


@pytest.fixture
def store(dynamodb: MemoryDynamoDb) -> Store:
    return Store(cast("Any", dynamodb), TABLE)
