"""AWS that throttles, fails or stays silent."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

# Nothing that AWS says may be told on.
SECRET_IN_ERRORS = "+79000004417"


def refusal(code: str, status: int = 400, **more: Any) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": f"Rate of {SECRET_IN_ERRORS} exceeded"},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return ClientError(answer, "AnyOperation")


BUSY: dict[str, Exception] = {
    "throttled": refusal("ThrottlingException"),
    "throughput": refusal("ProvisionedThroughputExceededException"),
    "request limit": refusal("RequestLimitExceeded"),
    "500": refusal("InternalServerError", 500),
    "503": refusal("ServiceUnavailable", 503),
    "timeout": ReadTimeoutError(endpoint_url="https://dynamodb"),
    "no connection": EndpointConnectionError(endpoint_url="https://dynamodb"),
}


class Failing:
    """A client that answers nothing but an error."""

    def __init__(self, client: Any, error: Exception) -> None:
        self._client = client
        self._error = error
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        if name == "exceptions":
            return self._client.exceptions

        def fail(**_: Any) -> None:
            self.asked += 1
            raise self._error

        return fail
