"""One verification in test mode, through everything but the vendors."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from functools import partial

import requests

from cli.api_keys import USUAL_SCOPES, add_key, revoke_key
from cli.doctor.stack import HTTP_SECONDS, Finding, Stack, State, problem
from cli.errors import Refused

# A container that has just read the secret again does not know a new key for 10 s.
KEY_APPEARS_WITHIN_SECONDS = 15


def check_verification(stack: Stack) -> Iterator[Finding]:
    check, client, secret_id = "test verification", stack.clients["secretsmanager"], f"{stack.name}/api-keys"
    name = f"doctor {secrets.token_hex(4)}"
    try:
        key = add_key(client, secret_id, name, "test", list(USUAL_SCOPES))
    except Refused as error:
        yield Finding(check, State.SKIPPED, f"no key could be created: {error.format_message()}")
        return
    try:
        yield _verify(check, stack, key)
    finally:
        revoke_key(client, secret_id, name)


def _verify(check: str, stack: Stack, key: str) -> Finding:
    post = partial(
        requests.post, headers={"Authorization": f"Bearer {key}"}, timeout=HTTP_SECONDS, allow_redirects=False
    )
    deadline = time.monotonic() + KEY_APPEARS_WITHIN_SECONDS
    try:
        while True:
            step = "POST /verifications"
            answer = post(f"{stack.base_url}/verifications", json={"phone": "+79000000101", "method": "flash_call"})
            if answer.status_code != 401 or time.monotonic() > deadline:
                break
            time.sleep(1)
        if answer.status_code == 201:
            step = "POST /verifications/{id}/check"
            answer = post(f"{stack.base_url}/verifications/{answer.json()['id']}/check", json={"code": "0000"})
            if answer.status_code == 200 and problem(answer).get("status") == "verified":
                return Finding(check, State.OK, "started, checked, verified")
    except requests.RequestException as error:
        return Finding(check, State.FAULT, f"{step}: {type(error).__name__}", "PublicBaseUrl (empty: BaseUrl)")
    function = {401: "authorize", 403: "authorize"}.get(
        answer.status_code, "check-status" if "{id}" in step else "start-verification"
    )
    request_id = problem(answer).get("request_id", "")
    says = f"{step} answered {answer.status_code} {problem(answer).get('code', '')}"
    return Finding(check, State.FAULT, says, f"the log /aws/lambda/{stack.name}/{function}, request {request_id}")
