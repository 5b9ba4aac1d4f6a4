"""The service's own API, as a customer's server uses it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from cli.errors import Refused

SECONDS = 30


class Problem(Refused):
    """The API's refusal, in its own words."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        detail = str(body.get("detail") or body.get("title") or body.get("message") or "no details given")
        known = f"{body['code']}, request {body.get('request_id', 'unknown')}" if "code" in body else str(status)
        retry = f" Retry after {body['retry_after']} s." if body.get("retry_after") else ""
        super().__init__(f"{detail}{retry} ({known})")
        self.status = status
        self.code = str(body.get("code", ""))
        self.body = body


class Api:
    """`base_url`: ends in the stage. `key`: an API key."""

    def __init__(self, base_url: str, key: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._key = key

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str | None) -> Any:
        """The answer's JSON, or None for an empty one. Raises Problem, and Refused where nobody answers."""
        import requests

        headers = {"Authorization": f"Bearer {self._key}"}
        if method == "POST" and path == "/verifications":
            headers["Idempotency-Key"] = secrets.token_urlsafe(16)
        try:
            answer = requests.request(
                method, self.base_url + path, json=body, params=query, headers=headers, timeout=SECONDS
            )
        except (requests.RequestException, ValueError) as error:
            raise Refused(
                f"no answer from {self.base_url} ({type(error).__name__}): check that the stack runs at this address"
            ) from None
        try:
            said = answer.json() if answer.content else None
        except ValueError:
            said = {}
        if not answer.ok:
            raise Problem(answer.status_code, said if isinstance(said, dict) else {})
        return said
