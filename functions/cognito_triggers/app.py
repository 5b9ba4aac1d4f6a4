"""The triggers of a Cognito user pool, in one function: what a sign-in's first one has warmed up, the next ones use."""

from typing import Any

from callverify.runtime import startup, wiring


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return wiring.cognito().handle(event, getattr(context, "aws_request_id", ""))


startup.ready(startup.secrets, imported=[startup.vendors, startup.phones, startup.cognito])
