"""Between API Gateway and the service: routes, who is asking, bodies in, JSON and problems out."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import APIGatewayRestResolver, Response
from aws_lambda_powertools.utilities.data_classes.api_gateway_proxy_event import APIGatewayProxyEvent

from callverify import aws
from callverify.domain.errors import (
    Busy,
    CallverifyError,
    ConfigurationFault,
    InternalError,
    InvalidRequest,
    NotFound,
    Unauthorized,
    busy,
)
from callverify.domain.origins import normal_origin
from callverify.domain.verification import Verification
from callverify.domain.view import client_resource, resource
from callverify.domain.words import Caller, CallerKind, Mode
from callverify.edge.access import Access, basic_policy, is_basic, policy
from callverify.edge.bodies import parse_webhook
from callverify.events.telemetry import Telemetry
from callverify.service.dial import Skipped
from callverify.service.requests import MAX_BODY_BYTES, bound
from callverify.service.webhooks import Answer as Acknowledgement
from callverify.service.webhooks import Request as Report

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
Act = Callable[..., Response[str]]
PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key",
    "Access-Control-Max-Age": "3600",
}
HTTPS_ONLY = {"Strict-Transport-Security": ["max-age=31536000"]}
ANSWER_HEADERS = {"Access-Control-Expose-Headers": "Retry-After, Idempotent-Replayed"}

__all__ = ["Api", "Response", "authorizer", "no_content"]


def authorizer(access: Callable[[], Access], telemetry: Callable[[], Telemetry]) -> Handler:
    """The handler of a Lambda authorizer of type TOKEN."""

    def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        authorization, arn = event.get("authorizationToken") or "", event["methodArn"]
        try:
            if is_basic(authorization):
                return basic_policy(access().basic(authorization), arn)
            return policy(access().caller(authorization), arn)
        except Unauthorized:
            # The exact word that API Gateway turns into a 401; any other error would be a 500.
            raise Exception("Unauthorized") from None
        except Exception as error:
            if isinstance(error, ConfigurationFault):
                telemetry().configuration_fault(error)
            elif not (isinstance(error, Busy) or aws.is_busy(error)):
                raise
            telemetry().busy(error)
            # The gateway makes `busy` of it (AUTHORIZER_CONFIGURATION_ERROR), without a word of the cause.
            raise busy() from None

    return handler


class Api:
    """The routes of one function. Every error leaves as a problem, and none with a word of what it must not tell.

    public_base_url: the base of links to this API where the operator set one, else empty. origins: whose pages may
    call it from a browser (CORS), in their normal form. knows: the kinds of callers, by the authorizer's words.
    """

    knows: Mapping[str, CallerKind] = {kind: kind for kind in CallerKind}

    def __init__(
        self,
        telemetry: Callable[[], Telemetry],
        now: Callable[[], float],
        public_base_url: Callable[[], str],
        origins: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._telemetry = telemetry
        self._now = now
        self._public_base_url = public_base_url
        self._origins = origins
        self._resolver = APIGatewayRestResolver()
        self._resolver.exception_handler(CallverifyError)(self._problem)
        self._resolver.exception_handler(Exception)(self._unexpected)
        self._resolver.not_found(
            lambda _: self._problem(NotFound("This path does not exist, or not with this method."))
        )

    def route(self, resource: str, *methods: str) -> Callable[[Act], Act]:
        """Answer `methods` of a resource of the template, such as `/verifications/{id}`.

        The function gets the path's parameters in the order of the resource.
        """
        names = re.findall(r"{(\w+)\+?}", resource)

        def register(act: Act) -> Act:
            def call() -> Response[str]:
                given = self.event.path_parameters
                return act(*(given.get(name, "") for name in names))

            self._resolver.route(_literal(resource), method=list(methods))(call)
            return act

        return register

    def handler(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        # What the gateway has matched: `path` begins with the base path where the request came to a custom domain.
        event = {**event, "path": _literal(event.get("resource") or "/")}
        with self._telemetry().line(
            f"{event.get('httpMethod')} {event.get('resource')}", request_id=_request_id(event)
        ):
            preflight = event.get("httpMethod") == "OPTIONS"
            empty: dict[str, Any] = {"statusCode": 204, "body": ""}
            answer = empty if preflight else self._resolver.resolve(event, context)
            headers = answer.setdefault("multiValueHeaders", {})
            headers.update(HTTPS_ONLY)
            headers.update({name: [value] for name, value in self._cors(event, preflight).items()})
            self._telemetry().add(status=answer["statusCode"])
            return answer

    def _cors(self, event: dict[str, Any], preflight: bool) -> dict[str, str]:
        """What a browser is told of who may read this answer; nothing where no origin is configured."""
        origins = self._origins()
        if not origins:
            return {}
        origin = APIGatewayProxyEvent(event).headers.get("Origin")
        if not origin or normal_origin(origin) not in origins:
            return {"Vary": "Origin"}
        headers = {"Vary": "Origin", "Access-Control-Allow-Origin": origin}
        return headers | (PREFLIGHT_HEADERS if preflight else ANSWER_HEADERS)

    @property
    def event(self) -> APIGatewayProxyEvent:
        return self._resolver.current_event

    # In

    @property
    def caller(self) -> Caller:
        """Who is asking, from the authorizer's context. Raises Unauthorized when there is none."""
        context = self.event.raw_event.get("requestContext") or {}
        found = context.get("authorizer") or {}
        try:
            return Caller(
                kind=self.knows[found.get("kind", "")],
                key_id=found.get("key_id", ""),
                mode=Mode(found.get("mode", "")),
                scopes=frozenset(found.get("scopes", "").split()),
                verification_id=found.get("verification_id") or None,
                expires_at=int(found.get("expires_at") or 0),
                voice_calls=found.get("voice_calls") == "allowed",
                address=(context.get("identity") or {}).get("sourceIp"),
                key_name=found.get("key_name", ""),
                all_keys=found.get("all_keys") == "yes",
            )
        except (KeyError, ValueError):
            raise Unauthorized("Send `Authorization: Bearer <API key or client token>`.") from None

    @property
    def body(self) -> str | None:
        """The request's body as text, at most 16 KB of it. Raises InvalidRequest."""
        raw = self.event.raw_event
        body = raw.get("body")
        if body and raw.get("isBase64Encoded"):
            try:
                body = base64.b64decode(bound(body, 2 * MAX_BODY_BYTES), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise InvalidRequest("The body is not UTF-8 text.") from None
        return body and bound(body)

    @property
    def idempotency_key(self) -> str | None:
        return self.event.headers.get("Idempotency-Key")

    def query(self, name: str) -> str | None:
        return (self.event.raw_event.get("queryStringParameters") or {}).get(name)

    @property
    def base_url(self) -> str:
        """The base of links to this API: the operator's, else the domain and stage of this request."""
        if public := self._public_base_url():
            return public
        context = self.event.raw_event.get("requestContext") or {}
        return f"https://{context.get('domainName', '')}/{context.get('stage', '')}"

    def report(self, provider: str, rest: str) -> Report:
        """The present request as a provider's report. rest: the path after the provider's name."""
        headers = self.event.headers
        return Report(provider, rest.split("/"), self._parameters, lambda name: headers.get(name) or "", self.base_url)

    def _parameters(self) -> dict[str, tuple[str, ...]]:
        """Those of query and body together, however often each is given. Raises InvalidRequest."""
        raw = self.event.raw_event
        query: Mapping[str, list[str]] = raw.get("multiValueQueryStringParameters") or {}
        pairs = [(name, value) for name, values in query.items() for value in values]
        body = self.body
        pairs += parse_webhook(body, self.event.headers.get("Content-Type") or "") if body else []
        parameters: dict[str, tuple[str, ...]] = {}
        for name, value in pairs:
            parameters[name] = (*parameters.get(name, ()), value)
        return parameters

    # Out

    def reply(
        self,
        verification: Verification,
        caller: Caller,
        *,
        status: int = 200,
        replayed: bool = False,
        skipped: Sequence[Skipped] = (),
        polled: bool = False,
        **more: Any,
    ) -> Response[str]:
        """The resource as `caller` reads it, with what belongs to this call alone."""
        view = client_resource if caller.kind is CallerKind.CLIENT_TOKEN else resource
        body = view(verification, self._now(), polled=polled)
        self._note_skipped(skipped)
        if skipped and caller.is_key:
            body["skipped"] = [asdict(each) for each in skipped]
        headers = {"Idempotent-Replayed": "true"} if replayed else {}
        return json_response(200 if replayed else status, body | more, "application/json", headers)

    def reply_many(self, verifications: Sequence[Verification], **more: Any) -> Response[str]:
        """Resources as an API key reads them, with what belongs to this call alone."""
        now = self._now()
        return self.answer({"verifications": [resource(each, now, polled=True) for each in verifications], **more})

    def answer(self, body: Mapping[str, Any]) -> Response[str]:
        return json_response(200, body, "application/json", {})

    def acknowledge(self, answer: Acknowledgement) -> Response[str]:
        """What a provider's webhook is answered with."""
        return Response(200, answer.content_type, answer.body, headers={"Cache-Control": "no-store"})

    def note(self, error: CallverifyError) -> None:
        """Tell the operator of an error that a caller is answered with."""
        if isinstance(error, Busy):
            self._telemetry().busy(error)
        if error.limit:
            self._telemetry().count("LimitsReached", limit=error.limit)
        self._telemetry().add(error=error.code)
        self._note_skipped(error.skipped)

    def _problem(self, error: CallverifyError) -> Response[str]:
        self.note(error)
        headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}
        if error.replayed:
            headers["Idempotent-Replayed"] = "true"
        body = error.problem(_request_id(self.event.raw_event), self.base_url)
        if error.skipped and self.caller.is_key:
            body["skipped"] = [asdict(each) for each in error.skipped]
        return json_response(int(error.status), body, "application/problem+json", headers)

    def _note_skipped(self, skipped: Sequence[Skipped]) -> None:
        if skipped:
            self._telemetry().add(skipped={f"{each.provider}:{each.method}": each.reason for each in skipped})

    def _unexpected(self, error: Exception) -> Response[str]:
        if aws.is_busy(error):
            answer = busy()
            answer.__cause__ = error
            return self._problem(answer)
        self._telemetry().unexpected(error)
        return self._problem(
            InternalError("Internal error. Retry. If it happens again, give the operator the `request_id`.")
        )


def _literal(resource: str) -> str:
    """A resource of the template as the resolver takes it: to it, a `+` is an operator."""
    return resource.replace("+", "")


def no_content() -> Response[str]:
    return Response(204, body="", headers={"Cache-Control": "no-store"})


def json_response(status: int, body: Mapping[str, Any], content_type: str, headers: Mapping[str, str]) -> Response[str]:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(status, content_type, text, headers={"Cache-Control": "no-store", **headers})


def _request_id(event: Mapping[str, Any]) -> str:
    return str((event.get("requestContext") or {}).get("requestId", ""))
