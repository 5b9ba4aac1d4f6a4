"""Small helpers of the calls that are not the vendors'."""

from datetime import UTC, datetime

from flask import request


class BadInputError(ValueError):
    """Answered with 400 and this text."""


def utc(at: float) -> str:
    """Epoch seconds as ISO 8601, UTC, milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_body() -> dict[str, object]:
    """The JSON object in the request's body; raises BadInputError."""
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise BadInputError("the body must be a JSON object")
    return body
