"""The functions' handlers behind a gateway that an attack can lie to."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any
from unittest import mock

from attacks.world import World
from callverify.edge.access import Access
from callverify.edge.api import authorizer
from callverify.events.telemetry import Telemetry
from callverify.providers.base import Manifest, Per
from callverify.runtime import wiring
from tests.support.handlers import HANDLERS, WEBHOOKS, Answer, answer_of
from tests.support.vendors import ACCOUNT_TOKEN

ENVIRONMENT = {
    "POWERTOOLS_METRICS_NAMESPACE": "callverify",
    "POWERTOOLS_SERVICE_NAME": "attacks",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
}


class Gateway:
    """API Gateway in front of the handlers: authorizer, its policy, the request's context."""

    def __init__(self, world: World, api_keys: Sequence[Mapping[str, Any]] = ()) -> None:
        self._world = world
        self.api_keys = list(api_keys)
        self.access = Access(
            keys=lambda: world.keys,
            read_api_keys=lambda _force: json.dumps(self.api_keys),
            clock=world.clock,
            fault=lambda _: None,
        )
        self._authorize = authorizer(lambda: self.access, Telemetry)

    def send(
        self,
        method: str,
        resource: str,
        *,
        parameters: Mapping[str, str] | None = None,
        query: Sequence[tuple[str, str]] = (),
        body: str | None = None,
        base64: bool = False,
        headers: Mapping[str, str] | None = None,
        credential: str | None = None,
        scheme: str = "Bearer",
        source_ip: str = "192.0.2.1",
        judged_at: tuple[str, str] | None = None,
        applies_policy: bool = True,
        cached_for: float = 0,
    ) -> Answer:
        """Send one request.

        judged_at: another (method, path), for which the gateway asked the authorizer before. applies_policy: False for
        a gateway that lets pass whatever the authorizer knows, so that the function is the only one to judge.
        cached_for: seconds since the authorizer was asked, whose answer the gateway keeps.
        """
        path = resource.replace("+}", "}").format(**(parameters or {}))
        context: dict[str, Any] = {
            "requestId": "request",
            "domainName": "api.example",
            "stage": "v1",
            "identity": {"sourceIp": source_ip},
        }
        given = dict(headers or {})
        if not resource.startswith("/webhooks/"):
            if credential is None:
                return Answer(401, {}, {})
            given["Authorization"] = f"{scheme} {credential}"
            self._world.now -= cached_for
            answer = self.authorize(credential, *(judged_at or (method, path)), scheme=scheme)
            self._world.now += cached_for
            if answer is None:
                return Answer(401, {}, {})
            if applies_policy and not allows(answer["policyDocument"], arn(method, path)):
                return Answer(403, {}, {})
            context["authorizer"] = {name: str(value) for name, value in answer["context"].items()}
        several: dict[str, list[str]] = {}
        for name, value in query:
            several.setdefault(name, []).append(value)
        event = {
            "resource": resource,
            "path": path,
            "httpMethod": method,
            "headers": given,
            "multiValueHeaders": {name: [value] for name, value in given.items()},
            "queryStringParameters": {name: values[-1] for name, values in several.items()} or None,
            "multiValueQueryStringParameters": several or None,
            "pathParameters": dict(parameters or {}) or None,
            "stageVariables": None,
            "requestContext": context,
            "body": body,
            "isBase64Encoded": base64,
        }
        return answer_of(HANDLERS[method, resource](event, None))

    def authorize(self, credential: str, method: str, path: str, *, scheme: str = "Bearer") -> dict[str, Any] | None:
        """The authorizer's answer, or None where the gateway answers 401."""
        event = {"type": "TOKEN", "authorizationToken": f"{scheme} {credential}", "methodArn": arn(method, path)}
        try:
            return self._authorize(event, None)
        except Exception as error:
            if str(error) != "Unauthorized":  # any other word is a 500 at the gateway
                raise
            return None


def arn(method: str, path: str) -> str:
    return f"arn:aws:execute-api:eu-central-1:123456789012:api/v1/{method}{path}"


def allows(policy: Mapping[str, Any], wanted: str) -> bool:
    """What API Gateway makes of a policy: `*` stands for anything, slashes too, and nothing else is special."""
    return any(
        statement["Effect"] == "Allow" and any(_matches(wanted, resource) for resource in statement["Resource"])
        for statement in policy["Statement"]
    )


def _matches(text: str, pattern: str) -> bool:
    head, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    if not text.startswith(head):
        return False
    at = len(head)
    for part in rest[:-1]:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - at >= len(rest[-1]) and text.endswith(rest[-1])


@contextmanager
def gateway(world: World, api_keys: Sequence[Mapping[str, Any]] = ()) -> Iterator[Gateway]:
    """The handlers wired to this world, and what they print kept from the terminal."""
    with (
        mock.patch.object(wiring, "service", return_value=world.service),
        mock.patch.object(wiring, "records", return_value=world.record_service),
        mock.patch.dict(os.environ, ENVIRONMENT),
        redirect_stdout(io.StringIO()),
    ):
        yield Gateway(world, api_keys)


def address(manifest: Manifest, verification_id: str, token: str) -> dict[str, str]:
    """The path parameters of a provider's webhook."""
    per_verification = manifest.webhook is not None and manifest.webhook.per is Per.VERIFICATION
    return {"provider": manifest.name, "rest": f"{verification_id}/{token}" if per_verification else token}


def report_call(way_in: Gateway, world: World, manifest: Manifest, phone: str) -> None:
    """A vendor that knows calls by phone reports and signs that this one has called now."""
    vendor, at = world.vendor(manifest.name), int(world.now)
    vendor.signed.add((phone, at))
    query = [("phone", phone), ("said", str(at))]
    answer = way_in.send("POST", WEBHOOKS, parameters=address(manifest, "", ACCOUNT_TOKEN), query=query)
    assert answer.status == 200, answer
