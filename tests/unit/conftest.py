from __future__ import annotations

from typing import Any, cast

import pytest

from callverify.store import Index, Store
from tests.support.dynamodb import MemoryDynamoDb
from tests.support.service import INDEX_TABLE, TABLE


@pytest.fixture
def dynamodb() -> MemoryDynamoDb:
    dynamodb = MemoryDynamoDb()
    for name in (TABLE, INDEX_TABLE):
        dynamodb.create_table(TableName=name)
    return dynamodb


@pytest.fixture
def store(dynamodb: MemoryDynamoDb) -> Store:
    return Store(cast("Any", dynamodb), TABLE)


@pytest.fixture
def index(dynamodb: MemoryDynamoDb) -> Index:
    return Index(cast("Any", dynamodb), INDEX_TABLE, sleep=lambda _: None)
