"""What template.yaml lets a function do with the table, judged in place of AWS: the embedded AWS judges no policy."""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tests.support.dynamodb import MemoryDynamoDb
from tests.support.template import FUNCTIONS, as_list, statements

ROOT = Path(__file__).resolve().parents[2] / "functions"


def _allowed(function: Any) -> dict[str, list[str]]:
    """The table's actions that a function may use, each with the leading keys that it is for."""
    allowed: dict[str, list[str]] = {}
    for statement in statements(function):
        if statement["Resource"] == {"GetAtt": "Table.Arn"}:
            condition = next(iter(statement.get("Condition", {}).values()), {"dynamodb:LeadingKeys": ["*"]})
            for action in as_list(statement["Action"]):
                allowed.setdefault(action, []).extend(condition["dynamodb:LeadingKeys"])
    return allowed


ALLOWED = {Path(function["CodeUri"]).name: _allowed(function) for function in FUNCTIONS.values()}


class JudgedDynamoDb(MemoryDynamoDb):
    """Raises AssertionError for what the function on the call stack may not do. Anybody else may do anything."""

    def get_item(self, **request: Any) -> Any:
        _judge("GetItem", request["Key"])
        return super().get_item(**request)

    def batch_get_item(self, **request: Any) -> Any:
        for asked in request["RequestItems"].values():
            _judge("BatchGetItem", *asked["Keys"])
        return super().batch_get_item(**request)

    def put_item(self, **request: Any) -> Any:
        _judge("PutItem", request["Item"])
        return super().put_item(**request)

    def update_item(self, **request: Any) -> Any:
        _judge("UpdateItem", request["Key"])
        return super().update_item(**request)

    def delete_item(self, **request: Any) -> Any:
        _judge("DeleteItem", request["Key"])
        return super().delete_item(**request)

    def transact_write_items(self, **request: Any) -> Any:
        for item in request["TransactItems"]:
            ((operation, write),) = item.items()
            _judge(f"{operation}Item", write.get("Key") or write["Item"])
        return super().transact_write_items(**request)


def _judge(action: str, *keys: Any) -> None:
    function = _running()
    if function is None:
        return
    allowed = ALLOWED[function].get(f"dynamodb:{action}", [])
    for key in keys:
        pk = key["pk"]["S"]
        assert any(fnmatchcase(pk, pattern) for pattern in allowed), (
            f"{function} may not {action} {pk.partition('#')[0]}"
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
