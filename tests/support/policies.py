"""What template.yaml lets a function do with its tables, judged in place of AWS: the embedded AWS judges no policy."""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tests.support.dynamodb import MemoryDynamoDb
from tests.support.template import FUNCTIONS, as_list, statements

ROOT = Path(__file__).resolve().parents[2] / "functions"


def _allowed(function: Any, table: str) -> dict[str, list[str]]:
    """The actions of a table that a function may use, each with the leading keys that it is for."""
    allowed: dict[str, list[str]] = {}
    for statement in statements(function):
        if statement["Resource"] == {"GetAtt": f"{table}.Arn"}:
            condition = next(iter(statement.get("Condition", {}).values()), {"dynamodb:LeadingKeys": ["*"]})
            for action in as_list(statement["Action"]):
                allowed.setdefault(action, []).extend(condition["dynamodb:LeadingKeys"])
    return allowed


# By the folder of the function and the table's logical id, which is its name in these tests.
ALLOWED = {
    (Path(function["CodeUri"]).name, table): _allowed(function, table)
    for function in FUNCTIONS.values()
    for table in ("Table", "IndexTable")
}


class JudgedDynamoDb(MemoryDynamoDb):
    """Raises AssertionError for what the function on the call stack may not do. Anybody else may do anything."""

    def get_item(self, **request: Any) -> Any:
        _judge("GetItem", request["TableName"], request["Key"])
        return super().get_item(**request)

    def batch_get_item(self, **request: Any) -> Any:
        for table, asked in request["RequestItems"].items():
            _judge("BatchGetItem", table, *asked["Keys"])
        return super().batch_get_item(**request)

    def query(self, **request: Any) -> Any:
        _judge("Query", request["TableName"], {"pk": request["ExpressionAttributeValues"][":pk"]})
        return super().query(**request)

    def batch_write_item(self, **request: Any) -> Any:
        for table, writes in request["RequestItems"].items():
            for write in writes:
                ((_, asked),) = write.items()
                _judge("BatchWriteItem", table, asked.get("Key") or asked["Item"])
        return super().batch_write_item(**request)

    def put_item(self, **request: Any) -> Any:
        _judge("PutItem", request["TableName"], request["Item"])
        return super().put_item(**request)

    def update_item(self, **request: Any) -> Any:
        _judge("UpdateItem", request["TableName"], request["Key"])
        return super().update_item(**request)

    def delete_item(self, **request: Any) -> Any:
        _judge("DeleteItem", request["TableName"], request["Key"])
        return super().delete_item(**request)

    def transact_write_items(self, **request: Any) -> Any:
        for item in request["TransactItems"]:
            ((operation, write),) = item.items()
            _judge(f"{operation}Item", write["TableName"], write.get("Key") or write["Item"])
        return super().transact_write_items(**request)


def _judge(action: str, table: str, *keys: Any) -> None:
    function = _running()
    if function is None:
        return
    allowed = ALLOWED[function, table].get(f"dynamodb:{action}", [])
    for key in keys:
        pk = key["pk"]["S"]
        assert any(fnmatchcase(pk, pattern) for pattern in allowed), (
            f"{function} may not {action} {pk.partition('#')[0]} of {table}"
        )


def _running() -> str | None:
    """The directory of the function whose code is the latest on the stack."""
    frame: Any = sys._getframe()
    while frame:
        file = Path(frame.f_code.co_filename)
        if file.name == "app.py" and file.parent.parent == ROOT:
            return file.parent.name
        frame = frame.f_back
    return None
