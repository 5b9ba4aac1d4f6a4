"""Where a process can die, or another one come in between: before and after everything that it awaits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from tests.support.dynamodb import MemoryDynamoDb

READS = ("get_item", "batch_get_item", "query")
WRITES = ("transact_write_items", "put_item", "update_item", "delete_item", "batch_write_item")
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException"}}, "AnyOperation")
UNANSWERED = ReadTimeoutError(endpoint_url="https://dynamodb")

# What happens at which point: by its number in the process, or at the first one of this name.
type Plan = Mapping[int | str, Callable[[], None]]


class Crash(BaseException):
    """The process dies. Not an Exception, so that nothing on the way up takes it for an error to handle."""


def crash() -> None:
    raise Crash


class Points:
    """The points that each process passes, by name and counted from 0. A process may run inside another one's point."""

    def __init__(self) -> None:
        self._processes: list[tuple[list[str], dict[int | str, Callable[[], None]]]] = []

    @contextmanager
    def process(self, plan: Plan) -> Iterator[list[str]]:
        """Run a process to which `plan` happens. Yields the names of the points that it passes."""
        passed: list[str] = []
        self._processes.append((passed, dict(plan)))
        try:
            yield passed
        finally:
            self._processes.pop()

    @property
    def is_writing(self) -> bool:
        """Whether a request that writes is on its way."""
        passed = self._processes[-1][0] if self._processes else []
        return bool(passed) and passed[-1] in {f"before {name}" for name in WRITES}

    def reach(self, name: str) -> None:
        if not self._processes:  # the test itself is looking
            return
        passed, plan = self._processes[-1]
        passed.append(name)
        if happens := plan.pop(len(passed) - 1, None) or plan.pop(name, None):
            happens()


class CrashingClient:
    """A DynamoDB client whose every request is two points: not yet sent, and carried out but not yet answered.

    throttles: every request is refused, from now on.
    """

    def __init__(self, client: MemoryDynamoDb, points: Points) -> None:
        self.exceptions = client.exceptions
        self.throttles = False
        self._client = client
        self._points = points

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)
        assert name in READS + WRITES, f"{name} is not a request that is known here: say whether it writes"

        def send(**request: Any) -> Any:
            self._points.reach(f"before {name}")
            if self.throttles:
                raise THROTTLED
            answer = operation(**request)
            self._points.reach(f"after {name}")
            return answer

        return send
