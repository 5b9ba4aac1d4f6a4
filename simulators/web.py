"""Small helpers of the calls that are not the vendors'."""

import re
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


def normalise(number: str) -> str:
    """Digits with the country code and no plus from +7…, 7…, or the form 8… of mobile numbers; raises BadInputError."""
    digits = re.sub(r"[\s()-]", "", number)
    if re.fullmatch(r"8[79]\d{9}", digits):
        digits = "7" + digits[1:]
    if not re.fullmatch(r"\+?[1-9]\d{7,14}", digits):
        raise BadInputError("a phone number must begin with +7, 7 or 8")
    return digits.removeprefix("+")
