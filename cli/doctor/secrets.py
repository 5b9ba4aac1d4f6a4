"""The stack's four secrets."""

from __future__ import annotations

from collections.abc import Iterator

from callverify.domain.errors import ConfigurationFault
from callverify.domain.keys import Keys
from callverify.edge.access import parse_api_keys
from callverify.events.deliver import signing_secrets
from callverify.providers.http import VendorHttp
from callverify.providers.names import NAMES
from callverify.providers.registry import lines
from callverify.providers.stop import ALLOWED, PAID_CALLS, is_meant, paid_calls_stopped
from cli.doctor.stack import Finding, Stack, State, command

# The pepper is generated with 64 characters; one of your own should not fall far below.
LEAST_PEPPER = 32


def check_pepper(stack: Stack) -> Iterator[Finding]:
    pepper = stack.secret("pepper")
    answer = stack.clients["dynamodb"].get_item(TableName=stack.outputs["TableName"], Key={"pk": {"S": "pepper"}})
    known = answer.get("Item", {}).get("fingerprint", {}).get("S")
    if known not in (None, Keys(pepper).fingerprint()):
        says = "it is not the pepper that the table was written with: new containers answer 503 busy"
        fix = f"secret {stack.name}/pepper: restore its previous version; see docs/operations.md, The pepper"
        yield Finding("secret pepper", State.FAULT, says, fix)
    elif len(pepper) >= LEAST_PEPPER:
        yield Finding("secret pepper", State.OK, "present")
    else:
        fix = f"secret {stack.name}/pepper: generate 64 characters, and deploy with any changed parameter"
        yield Finding("secret pepper", State.FAULT, f"it has {len(pepper)} characters", fix)


def check_provider_credentials(stack: Stack) -> Iterator[Finding]:
    check, secret = "secret provider-credentials", f"secret {stack.name}/provider-credentials"
    given = stack.given()
    if not isinstance(given, dict):
        yield Finding(
            check, State.FAULT, "it is not a JSON object", f"{secret}: every provider is off until it is corrected"
        )
        return
    if not given:
        fix = f"add the vendors' credentials to {secret}"
        yield Finding(check, State.FAULT, "it is empty: no call can be made", fix)
        return
    faults = []
    stopped, fault = paid_calls_stopped(given)
    if stopped:
        says = str(fault) if fault else "paid calls are stopped: routes that cost money are skipped"
        state = State.FAULT if fault else State.WARNING
        fix = f'{secret}: "{PAID_CALLS}": "{ALLOWED}" resumes them'
        faults.append(Finding("paid calls", state, says, fix))
    for name, value in given.items():
        if is_meant(name, value):
            continue
        if name not in NAMES:
            fix = f"{secret}: known providers are {', '.join(NAMES)}"
            faults.append(Finding(check, State.FAULT, f"{name!r} is not a provider", fix))
            continue
        try:
            found = lines(name, value, VendorHttp())
        except ConfigurationFault as fault:
            fix = f"{secret}: only {name} is off until it is corrected"
            faults.append(Finding(check, State.FAULT, f"{fault}", fix))
            continue
        if not found:
            fix = f"{secret}, {name}.methods: remove it, or add a method; {name}.countries: voice calls need it"
            faults.append(Finding(check, State.WARNING, f"{name} offers no method", fix))
    order = [entry.strip().partition(":")[0] for entry in stack.parameters.get("ProviderOrder", "").split(",")]
    left_out = [name for name in given if name not in order and not is_meant(name, given[name])]
    if left_out:
        fix = "parameter ProviderOrder: a provider that is not in it is never asked"
        faults.append(Finding(check, State.WARNING, f"not in ProviderOrder: {', '.join(left_out)}", fix))
    yield from faults or [Finding(check, State.OK, ", ".join(name for name in given if name != PAID_CALLS))]


def check_api_keys(stack: Stack) -> Iterator[Finding]:
    check, secret = "secret api-keys", f"secret {stack.name}/api-keys"
    try:
        keys, faults = parse_api_keys(stack.secret("api-keys"))
    except ConfigurationFault as fault:
        yield Finding(check, State.FAULT, str(fault), f"{secret}: no key works until it is corrected")
        return
    for wrong in faults:
        yield Finding(check, State.FAULT, str(wrong), f"{secret}: this key does not work until it is corrected")
    if keys:
        names = ", ".join(f"{key.name} ({key.mode})" for key in keys)
        yield Finding(check, State.OK, f"{len(keys)}: {names}"[:120])
    elif not faults:
        fix = command("api-key create NAME", stack)
        yield Finding(check, State.FAULT, "it is empty: no request is accepted", fix)


def check_event_signing(stack: Stack) -> Iterator[Finding]:
    check = "secret event-signing"
    if not stack.parameters.get("EventWebhookUrl"):
        yield Finding(check, State.SKIPPED, "EventWebhookUrl is empty: events are not sent")
        return
    try:
        given = signing_secrets(stack.secret("event-signing"))
    except ConfigurationFault as fault:
        fix = f"secret {stack.name}/event-signing: events wait in the queue until it is corrected"
        yield Finding(check, State.FAULT, str(fault), fix)
    else:
        yield Finding(check, State.OK, f"{len(given)} in force")
