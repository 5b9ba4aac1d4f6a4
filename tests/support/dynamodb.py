"""DynamoDB's requests, as far as the store makes them, in memory: some hundred times as fast as moto.

`tests/stack/engines` holds it to DynamoDB Local and to the embedded AWS: each expression of the store means the same.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

Item = dict[str, Any]
Evaluate = Callable[[Item, Mapping[str, str], Mapping[str, Any]], Any]

TOKEN = re.compile(r"\s*(<=|>=|<>|[()\[\],=<>+\-]|[#:]?[A-Za-z_][\w.]*|\d+)")
MISSING = object()


class ConditionalCheckFailedException(ClientError):
    """As botocore's own of this name."""


class _Exceptions:
    ConditionalCheckFailedException = ConditionalCheckFailedException
    ClientError = ClientError


class MemoryDynamoDb:
    """A client. `on_change` hears each item that was written, before (None: there was none) and after.

    No value in an item is ever changed in place: all readers of an item share them.
    """

    exceptions = _Exceptions

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Item]] = {}
        self.on_change: Callable[[Item | None, Item | None], object] = lambda *_: None
        self._lock = threading.RLock()
        self._tokens: dict[str, str] = {}

    def create_table(self, *, TableName: str, **_: Any) -> None:  # noqa: N803
        self.tables[TableName] = {}

    def delete_table(self, *, TableName: str) -> None:  # noqa: N803
        del self.tables[TableName]

    def scan(self, *, TableName: str, **_: Any) -> Any:  # noqa: N803
        with self._lock:
            return {"Items": [dict(item) for item in self.tables[TableName].values()]}

    def get_item(self, *, TableName: str, Key: Item, **_: Any) -> Any:  # noqa: N803
        with self._lock:
            found = self.tables[TableName].get(_key(Key))
            return {"Item": dict(found)} if found else {}

    def batch_get_item(self, *, RequestItems: Any) -> Any:  # noqa: N803
        with self._lock:
            answers = {
                table: [dict(self.tables[table][_key(key)]) for key in asked["Keys"] if _key(key) in self.tables[table]]
                for table, asked in RequestItems.items()
            }
        return {"Responses": answers, "UnprocessedKeys": {}}

    def query(self, *, TableName: str, **request: Any) -> Any:  # noqa: N803
        """By `pk` and `sk` alone; without a filter."""
        with self._lock:
            found = [dict(item) for item in self.tables[TableName].values() if _meets(request, item)]
        found.sort(key=lambda item: str(item["sk"]["S"]), reverse=not request.get("ScanIndexForward", True))
        return {"Items": found[: request.get("Limit")]}

    def batch_write_item(self, *, RequestItems: Any) -> Any:  # noqa: N803
        for table, requests in RequestItems.items():
            if len({_key(_written(each)) for each in requests}) != len(requests) or len(requests) > 25:
                raise _error("ValidationException", "BatchWriteItem")
            for each in requests:
                ((kind, request),) = each.items()
                self._write(kind.removesuffix("Request"), {"TableName": table, **request})
        return {"UnprocessedItems": {}}

    def put_item(self, **request: Any) -> Any:
        return self._write("Put", request)

    def update_item(self, **request: Any) -> Any:
        return self._write("Update", request)

    def delete_item(self, **request: Any) -> Any:
        return self._write("Delete", request)

    def _write(self, operation: str, request: Any) -> Any:
        with self._lock:
            table, pk = self.tables[request["TableName"]], _key(request.get("Key") or request["Item"])
            before = table.get(pk)
            if not _holds(request, before):
                raise _conditional_check_failed(request, before, operation)
            after = self._apply(operation, request, before)
            self._store(request["TableName"], pk, after)
        answers = {"ALL_NEW": after, "ALL_OLD": before, "UPDATED_NEW": after}
        told = answers.get(request.get("ReturnValues", "NONE"))
        return {"Attributes": dict(told)} if told else {}

    def transact_write_items(self, *, TransactItems: Any, ClientRequestToken: str | None = None) -> Any:  # noqa: N803
        writes = [(operation, request) for each in TransactItems for operation, request in each.items()]
        keys = [(request["TableName"], _key(request.get("Key") or request["Item"])) for _, request in writes]
        if len(set(keys)) != len(keys):
            raise _error("ValidationException", "TransactWriteItems")
        with self._lock:
            content = json.dumps(TransactItems, sort_keys=True)
            if ClientRequestToken in self._tokens:
                if self._tokens[ClientRequestToken] != content:
                    raise _error("IdempotentParameterMismatchException", "TransactWriteItems")
                return {}
            reasons = []
            for (_, request), (table, pk) in zip(writes, keys, strict=True):
                before = self.tables[table].get(pk)
                failed: Item = {} if _holds(request, before) else {"Code": "ConditionalCheckFailed"}
                if failed and before and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
                    failed["Item"] = dict(before)
                reasons.append(failed or {"Code": "None"})
            if any(reason["Code"] != "None" for reason in reasons):
                raise _error("TransactionCanceledException", "TransactWriteItems", CancellationReasons=reasons)
            for (operation, request), (table, pk) in zip(writes, keys, strict=True):
                if operation != "ConditionCheck":
                    self._store(table, pk, self._apply(operation, request, self.tables[table].get(pk)))
            if ClientRequestToken:
                self._tokens[ClientRequestToken] = content
        return {}

    @staticmethod
    def _apply(operation: str, request: Any, before: Item | None) -> Item | None:
        if operation == "Delete":
            return None
        if operation == "Put":
            return dict(request["Item"])
        return _updated(request, before)

    def _store(self, table: str, pk: str, after: Item | None) -> None:
        before = self.tables[table].pop(pk, None) if after is None else self.tables[table].get(pk)
        if after is not None:
            self.tables[table][pk] = after
        if before != after:
            self.on_change(before, after)


def _key(item: Item) -> str:
    """What an item is kept under: its `pk`, and in a table that has one its `sk`."""
    return "\0".join(str(item[name]["S"]) for name in ("pk", "sk") if name in item)


def _written(request: Item) -> Item:
    """The item, or the key, of a write in a batch."""
    ((_, write),) = request.items()
    return dict(write.get("Item") or write["Key"])


def _meets(request: Any, item: Item) -> bool:
    names, values = request.get("ExpressionAttributeNames") or {}, request["ExpressionAttributeValues"]
    return bool(_condition(request["KeyConditionExpression"])(item, names, values))


def _error(code: str, operation: str, **more: Any) -> ClientError:
    status = {"HTTPStatusCode": 400}
    answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": status, **more}
    return ClientError(answer, operation)


def _conditional_check_failed(request: Any, before: Item | None, operation: str) -> ClientError:
    answer: Any = {
        "Error": {"Code": "ConditionalCheckFailedException", "Message": "The conditional request failed"},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    if before and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
        answer["Item"] = dict(before)
    return ConditionalCheckFailedException(answer, operation)


# Expressions


def _holds(request: Any, item: Item | None) -> bool:
    condition = request.get("ConditionExpression")
    if not condition:
        return True
    names, values = request.get("ExpressionAttributeNames") or {}, request.get("ExpressionAttributeValues") or {}
    return bool(_condition(condition)(item or {}, names, values))


def _updated(request: Any, before: Item | None) -> Item:
    names, values = request.get("ExpressionAttributeNames") or {}, request.get("ExpressionAttributeValues") or {}
    item = dict(before or request["Key"])
    old = before or {}
    for path, evaluate in _update(request.get("UpdateExpression", "")):
        name = names.get(path, path)
        if evaluate is None:
            item.pop(name, None)
        else:
            new = evaluate(old, names, values)
            if new is MISSING:
                raise _error("ValidationException", "UpdateItem")
            item[name] = new
    return item


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = TOKEN.findall(text)
        if "".join(self.tokens) != re.sub(r"\s+", "", text):
            raise AssertionError(f"not understood: {text}")
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        self.at += 1
        return str(self.tokens[self.at - 1])

    def take(self, token: str) -> None:
        assert self.next() == token, f"{token} expected: {self.text}"

    # Conditions

    def either(self) -> Evaluate:
        left = self.both()
        while self.peek() == "OR":
            self.next()
            left = _or(left, self.both())
        return left

    def both(self) -> Evaluate:
        left = self.negated()
        while self.peek() == "AND":
            self.next()
            left = _and(left, self.negated())
        return left

    def negated(self) -> Evaluate:
        if self.peek() == "NOT":
            self.next()
            inner = self.negated()
            return lambda item, names, values: not inner(item, names, values)
        if self.peek() == "(":
            self.next()
            inner = self.either()
            self.take(")")
            return inner
        return self.comparison()

    def comparison(self) -> Evaluate:
        left = self.operand()
        if self.peek() in COMPARISONS:
            return _compare(left, COMPARISONS[self.next()], self.operand())
        return left

    # Operands

    def operand(self) -> Evaluate:
        name = self.next()
        if self.peek() == "(":
            self.next()
            arguments = [self.sum()]
            while self.peek() == ",":
                self.next()
                arguments.append(self.sum())
            self.take(")")
            return _call(name, arguments)
        if name.startswith(":"):
            return lambda _item, _names, values: values[name]
        indexes = []
        while self.peek() == "[":
            self.next()
            indexes.append(int(self.next()))
            self.take("]")
        return _path(name, indexes)

    def sum(self) -> Evaluate:
        left = self.operand()
        while self.peek() in ("+", "-"):
            left = _add(left, 1 if self.next() == "+" else -1, self.operand())
        return left


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _or(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda item, names, values: left(item, names, values) or right(item, names, values)


def _and(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda item, names, values: left(item, names, values) and right(item, names, values)


def _plain(typed: Any) -> Any:
    ((kind, value),) = typed.items()
    return kind, Decimal(value) if kind == "N" else value


def _compare(left: Evaluate, holds: Callable[[Any, Any], bool], right: Evaluate) -> Evaluate:
    def compare(item: Item, names: Mapping[str, str], values: Mapping[str, Any]) -> bool:
        a, b = left(item, names, values), right(item, names, values)
        if a is MISSING or b is MISSING:
            return holds is COMPARISONS["<>"]
        (kind_a, plain_a), (kind_b, plain_b) = _plain(a), _plain(b)
        if kind_a != kind_b:
            return holds is COMPARISONS["<>"]
        return holds(plain_a, plain_b)

    return compare


def _path(name: str, indexes: list[int]) -> Evaluate:
    def look(item: Item, names: Mapping[str, str], _values: Mapping[str, Any]) -> Any:
        found = item.get(names.get(name, name), MISSING)
        for index in indexes:
            if found is MISSING or "L" not in found or index >= len(found["L"]):
                return MISSING
            found = found["L"][index]
        return found

    return look


def _add(left: Evaluate, sign: int, right: Evaluate) -> Evaluate:
    def add(item: Item, names: Mapping[str, str], values: Mapping[str, Any]) -> Any:
        a, b = left(item, names, values), right(item, names, values)
        if a is MISSING or b is MISSING:
            return MISSING
        return {"N": str(Decimal(a["N"]) + sign * Decimal(b["N"]))}

    return add


def _call(name: str, arguments: list[Evaluate]) -> Evaluate:
    def call(item: Item, names: Mapping[str, str], values: Mapping[str, Any]) -> Any:
        given = [argument(item, names, values) for argument in arguments]
        match name:
            case "attribute_exists":
                return given[0] is not MISSING
            case "attribute_not_exists":
                return given[0] is MISSING
            case "if_not_exists":
                return given[1] if given[0] is MISSING else given[0]
            case "list_append":
                return MISSING if MISSING in given else {"L": [*given[0]["L"], *given[1]["L"]]}
            case "size":
                return MISSING if given[0] is MISSING else {"N": str(len(next(iter(given[0].values()))))}
            case "begins_with":
                return given[0] is not MISSING and str(given[0]["S"]).startswith(given[1]["S"])
        raise AssertionError(f"not understood: {name}")

    return call


@cache
def _condition(text: str) -> Evaluate:
    parser = _Parser(text)
    condition = parser.either()
    assert not parser.peek(), f"not understood: {text}"
    return condition


@cache
def _update(text: str) -> list[tuple[str, Evaluate | None]]:
    parser, found = _Parser(text), list[tuple[str, Evaluate | None]]()
    while parser.peek():
        action = parser.next()
        assert action in ("SET", "REMOVE"), f"not understood: {text}"
        while True:
            path = parser.next()
            if action == "SET":
                parser.take("=")
                found.append((path, parser.sum()))
            else:
                found.append((path, None))
            if parser.peek() != ",":
                break
            parser.next()
    return found
