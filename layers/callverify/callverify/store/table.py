"""Requests to a DynamoDB table, and the only ones: reads, single updates, transactions, and what they lose to."""

from __future__ import annotations

import random
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from callverify import aws
from callverify.domain.claims import Claim
from callverify.domain.errors import busy
from callverify.domain.limits import Limit
from callverify.domain.value import value
from callverify.store.items import Item, deserialized, serialized

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

CONFLICT_RETRIES = 40
CONFLICTS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
INVALID = frozenset({"ValidationException", "ValidationError"})
BUSY_SECONDS = 4.0  # for which writes are sent again, beyond what the client does by itself
WRITES_AT_ONCE = 25  # DynamoDB's own limit of a batch
# The operating system's: of the module's own, containers that start from one snapshot have the same.
_JITTER = random.SystemRandom().uniform


class Lost(Exception):
    """A condition of a write did not hold; subclasses say which. `item` is the item that stood in the way, if any."""

    def __init__(self, item: Item | None = None) -> None:
        super().__init__(type(self).__name__)
        self.item = item or {}


class Stale(Lost):
    """The record has ended, or is at another attempt, or another process changed it in between."""


class Taken(Lost):
    """Somebody else has what `claim` asks for."""

    def __init__(self, claim: Claim, item: Item | None = None) -> None:
        super().__init__(item)
        self.claim = claim


class Blocked(Lost):
    """The phone is blocked."""


class LimitReached(Lost):
    """A limit has tripped; it gives way in `retry_after` seconds."""

    def __init__(self, limit: Limit, retry_after: int) -> None:
        super().__init__()
        self.limit = limit
        self.retry_after = max(1, retry_after)


class Refused(Exception):
    """DynamoDB will never take this item as it is."""


class Outdated(Lost):
    """The item `key` asks for another form of the same write: `form`, or the first one again."""

    def __init__(self, key: str = "", form: Write | None = None) -> None:
        super().__init__()
        self.key = key
        self.form = form


@value
class Write:
    """One write of a transaction; `lost` turns the item that made its condition fail into the reason."""

    operation: str
    request: dict[str, Any]
    lost: Callable[[Item], Lost]

    @property
    def key(self) -> str:
        """The item's `pk`."""
        return str((self.request.get("Item") or self.request["Key"])["pk"]["S"])


Forms = Mapping[str, Write]
NOTHING = Write("", {}, lambda _: Outdated())  # the form of a write that there is no need of


class Table:
    """A table. Raises Busy where DynamoDB throttles, fails, or gives no answer."""

    def __init__(
        self,
        client: DynamoDBClient,
        name: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._name = name
        self._sleep = sleep
        self._monotonic = monotonic

    def seconds(self) -> float:
        """Of a clock that shows how much time passes."""
        return self._monotonic()

    def read(self, pk: str) -> Item | None:
        """One consistent read."""
        answer = self._ask(self._client.get_item, TableName=self._name, Key=serialized({"pk": pk}), ConsistentRead=True)
        return deserialized(answer["Item"]) if "Item" in answer else None

    def read_many(self, keys: Iterable[str]) -> dict[str, Item]:
        """Those of up to 100 items that exist, by `pk`."""
        left = [serialized({"pk": pk}) for pk in keys]
        found = dict[str, Item]()
        while left:
            request: Any = {self._name: {"Keys": left, "ConsistentRead": True}}
            answer: Any = self._ask(self._client.batch_get_item, RequestItems=request)
            items = map(deserialized, answer["Responses"].get(self._name, []))
            found |= {item["pk"]: item for item in items}
            left = list(answer.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", []))
        return found

    def update(self, write: Write) -> Item:
        """Run an update by itself: the item after it. Raises what `write` loses to."""
        try:
            answer = self._ask(
                self._client.update_item,
                TableName=self._name,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **write.request,
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            item: Any = error.response.get("Item", {})
            raise write.lost(deserialized(item)) from None
        return deserialized(answer["Attributes"])

    def put(self, write: Write) -> bool:
        """Run a put by itself: whether its condition held. Raises Refused for what is no valid item."""
        try:
            self.claim(write)
        except Lost:
            return False
        return True

    def claim(self, write: Write) -> None:
        """Run a put by itself. Raises what it loses to."""
        try:
            self._ask(
                self._client.put_item,
                TableName=self._name,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **write.request,
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            item: Any = error.response.get("Item", {})
            raise write.lost(deserialized(item)) from None
        except ClientError as error:
            if INVALID.intersection(_codes(error)):
                raise Refused from error
            raise

    def newest(self, pk: str, *, before: str = "", limit: int) -> list[Item]:
        """Up to `limit` items of a `pk` by falling `sk`, before `before`. One query, maybe a little late."""
        values = {":pk": pk} | ({":before": before} if before else {})
        answer = self._ask(
            self._client.query,
            TableName=self._name,
            KeyConditionExpression="pk = :pk AND sk < :before" if before else "pk = :pk",
            ExpressionAttributeValues=serialized(values),
            ScanIndexForward=False,
            Limit=limit,
        )
        return [deserialized(item) for item in answer["Items"]]

    def all_of(self, pk: str, prefix: str) -> list[Item]:
        """All items of a `pk` whose `sk` begins so, maybe a little late."""
        request: dict[str, Any] = {
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)" if prefix else "pk = :pk",
            "ExpressionAttributeValues": serialized({":pk": pk} | ({":prefix": prefix} if prefix else {})),
        }
        found = list[Item]()
        while True:
            answer = self._ask(self._client.query, TableName=self._name, **request)
            found += map(deserialized, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return found
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def write_many(self, *, puts: Iterable[Item] = (), deletes: Iterable[Item] = ()) -> None:
        """Put items, or delete those of these keys: each by itself, in any order and without a condition."""
        requests: dict[tuple[str, str], Any] = {
            (item["pk"], item["sk"]): {"PutRequest": {"Item": serialized(item)}} for item in puts
        }
        for item in deletes:
            key = {"pk": item["pk"], "sk": item["sk"]}
            requests[item["pk"], item["sk"]] = {"DeleteRequest": {"Key": serialized(key)}}
        for some in batched(requests.values(), WRITES_AT_ONCE, strict=False):
            self._write_batch({self._name: [*some]})

    def _write_batch(self, left: dict[str, Any]) -> None:
        gives_up_at, turn = self._monotonic() + BUSY_SECONDS, 0
        while left := self._ask(self._client.batch_write_item, RequestItems=left).get("UnprocessedItems") or {}:
            if self._monotonic() >= gives_up_at:
                raise busy() from TimeoutError("DynamoDB kept putting off writes")
            self._wait(turn)
            turn += 1

    def remove(self, write: Write) -> None:
        """Run a delete by itself. Raises what it loses to."""
        try:
            self._ask(self._client.delete_item, TableName=self._name, **write.request)
        except self._client.exceptions.ConditionalCheckFailedException:
            raise write.lost({}) from None

    def delete(self, pk: str) -> None:
        self._ask(self._client.delete_item, TableName=self._name, Key=serialized({"pk": pk}))

    def adapt(self, writes: Callable[[Forms], Sequence[Write]], known: Forms | None = None) -> None:
        """Run a transaction, and again with another form of a write where an item's state asks for it.

        known: forms that are known to be asked for.
        """
        forms = {**(known or {})}
        for _ in range(CONFLICT_RETRIES):
            try:
                return self.transact([write for write in writes(forms) if write is not NOTHING])
            except Outdated as outdated:
                if outdated.form:
                    forms[outdated.key] = outdated.form
                else:
                    forms.pop(outdated.key, None)
        raise busy() from TimeoutError("an item kept changing under this transaction")

    def _ask(self, operation: Callable[..., Any], **request: Any) -> Any:
        """DynamoDB's answer. A single write that meets a transaction is refused by that alone, so it is sent again."""
        for turn in range(CONFLICT_RETRIES):
            try:
                return operation(**request)
            except Exception as error:
                if aws.is_busy(error):
                    raise busy() from error
                if not CONFLICTS.intersection(_codes(error)):
                    raise
            self._wait(turn)
        raise busy() from TimeoutError("the write kept meeting transactions")

    def _wait(self, turn: int) -> None:
        self._sleep(_JITTER(0, min(0.4, 0.01 * 2**turn)))

    def transact(self, writes: Sequence[Write]) -> None:
        """All writes or none. Raises the reason of the first write, in this order, whose condition did not hold.

        A conflict with another transaction says nothing about the
        conditions, and neither does an answer that is busy or does not come: it is sent again.
        """
        if not writes:
            return
        old = {"TableName": self._name, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        request: Any = [{write.operation: {**old, **write.request}} for write in writes]
        # One token for all sendings: one that was carried out though its answer was lost is not carried out again.
        token = secrets.token_hex(16)
        gives_up_at = self._monotonic() + BUSY_SECONDS
        failure: Exception = TimeoutError("the transaction kept meeting others")
        for turn in range(CONFLICT_RETRIES):
            try:
                self._client.transact_write_items(TransactItems=request, ClientRequestToken=token)
                return
            except Exception as error:
                reasons = _cancellation_reasons(error)
                for write, reason in zip(writes, reasons, strict=False):
                    if reason.get("Code") == "ConditionalCheckFailed":
                        raise write.lost(deserialized(reason.get("Item", {}))) from None
                if aws.is_busy(error):
                    failure = error
                    if self._monotonic() >= gives_up_at:
                        break
                elif not CONFLICTS.intersection(_codes(error)):
                    raise
            self._wait(turn)
        raise busy() from failure


def _codes(error: Exception) -> set[str]:
    """What an error says of itself, and of each write of its transaction."""
    if not isinstance(error, ClientError):
        return set()
    return {error.response["Error"]["Code"], *(str(reason.get("Code")) for reason in _cancellation_reasons(error))}


def _cancellation_reasons(error: Exception) -> list[dict[str, Any]]:
    """Why each write of a transaction was not carried out; empty where the error says nothing of them."""
    if not isinstance(error, ClientError):
        return []
    if error.response["Error"]["Code"] == "TransactionConflictException":
        return [{"Code": "TransactionConflict"}]
    reasons: list[Any] = error.response.get("CancellationReasons", [])
    return reasons


# Writes


def put(pk: str, item: Item, lost: Callable[[Item], Lost], *, condition: str = "", values: Item | None = None) -> Write:
    request: dict[str, Any] = {"Item": serialized({"pk": pk, **item})}
    return Write("Put", request | _conditional(condition, values or {}), lost)


def put_new(pk: str, item: Item, lost: Callable[[Item], Lost] = Stale) -> Write:
    return put(pk, item, lost, condition="attribute_not_exists(pk)")


def check(pk: str, condition: str, values: Item, lost: Callable[[Item], Lost]) -> Write:
    return Write("ConditionCheck", {"Key": serialized({"pk": pk})} | _conditional(condition, values), lost)


def delete(pk: str, condition: str, values: Item, lost: Callable[[Item], Lost]) -> Write:
    return Write("Delete", {"Key": serialized({"pk": pk})} | _conditional(condition, values), lost)


def update(pk: str, expression: str, condition: str, values: Item, lost: Callable[[Item], Lost]) -> Write:
    """An update in DynamoDB's own words; `#name` stands for the attribute `name` everywhere."""
    names = {name: name[1:] for name in re.findall(r"#\w+", f"{expression} {condition}")}
    request = {
        "Key": serialized({"pk": pk}),
        "UpdateExpression": expression,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": serialized(_used(values, expression, condition)),
    }
    return Write("Update", {name: part for name, part in request.items() if part}, lost)


def change(pk: str, changes: Item, condition: str, values: Item, lost: Callable[[Item], Lost]) -> Write:
    """SET what has a value and REMOVE what is None. A change of `x` is `:x` in the condition too."""
    sets = [f"#{name} = :{name}" for name, new in changes.items() if new is not None]
    removes = [f"#{name}" for name, new in changes.items() if new is None]
    expression = f"SET {', '.join(sets)}" if sets else ""
    if removes:
        expression += f" REMOVE {', '.join(removes)}"
    given = {f":{name}": new for name, new in changes.items() if new is not None}
    return update(pk, expression.strip(), condition, given | values, lost)


def _conditional(condition: str, values: Item) -> dict[str, Any]:
    if not condition:
        return {}
    names = {name: name[1:] for name in re.findall(r"#\w+", condition)}
    given = serialized(_used(values, condition))
    request = {
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": given,
    }
    return {name: part for name, part in request.items() if part}


def _used(values: Item, *expressions: str) -> Item:
    mentioned = {name for text in expressions for name in re.findall(r":\w+", text)}
    return {name: given for name, given in values.items() if name in mentioned}
