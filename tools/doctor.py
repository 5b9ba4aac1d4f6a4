"""`make doctor`: looks whether everything that a stack needs is in place, and names the cause where it is not.

It reads; and it makes one API key of mode `test` for one verification of test mode, which costs nothing, and revokes
it. With PHONE, and in the local stack always, it also starts one reverse call at telefon-ip.ru: free, and nobody rings.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import boto3
import requests
from botocore.exceptions import BotoCoreError, ClientError

from callverify.access import parse_api_keys
from callverify.delivery import signing_secrets
from callverify.errors import CallverifyError, ConfigurationFault
from callverify.keys import Keys
from callverify.models import CallOrder, CallVerdict, Deadline, ProviderName, Result
from callverify.phone import parse_phone, readings
from callverify.providers import PROVIDERS
from callverify.providers.base import ProviderSettings
from callverify.providers.http import VendorHttp
from tools.api_key import SCOPES, Refused, add_key, revoke_key
from tools.target import target_stack
from tools.vendor_accounts import ACCOUNTS, AccountRefused

# A vendor's `ts` has to lie between our start and our end of an attempt.
CLOCK_TOLERANCE_SECONDS = 5
# A new AWS account may run 10 functions at once.
LEAST_CONCURRENCY = 100
# A container that has just read the secret again does not know a new key for 10 s.
KEY_APPEARS_WITHIN_SECONDS = 15
# The pepper is generated with 64 characters; whoever puts an own one should not fall far below.
LEAST_PEPPER = 32
# One that the simulators accept, and that nobody else verifies.
LOCAL_PHONE = "+79000009999"
LOCAL_HOSTS = ("127.0.0.1", "localhost", "172.17.0.1", "host.docker.internal")
HTTP_SECONDS = 20


class State(StrEnum):
    OK = "ok"
    WARNING = "warn"
    FAULT = "FAULT"
    SKIPPED = "skip"


@dataclass(frozen=True)
class Finding:
    """One line of the table. `says`: what was found; `fix`: the setting to look at, where something is wrong."""

    check: str
    state: State
    says: str
    fix: str = ""


class Stack:
    """A deployed stack, as far as the checks need to know it."""

    def __init__(self, name: str, phone: str) -> None:
        self.name = name
        session: Any = boto3.Session()
        self.clients = {
            service: session.client(service)
            for service in ("cloudformation", "cloudwatch", "dynamodb", "lambda", "secretsmanager", "sqs")
        }
        answer = self.clients["cloudformation"].describe_stacks(StackName=name)
        # How far AWS's clock is ahead of this machine's.
        self.aws_ahead = _ahead(answer["ResponseMetadata"]["HTTPHeaders"].get("date")) or 0.0
        self.status = str(answer["Stacks"][0]["StackStatus"])
        self.outputs = {each["OutputKey"]: each["OutputValue"] for each in answer["Stacks"][0].get("Outputs", [])}
        self.parameters = {
            each["ParameterKey"]: each["ParameterValue"] for each in answer["Stacks"][0].get("Parameters", [])
        }
        pages = self.clients["cloudformation"].get_paginator("list_stack_resources").paginate(StackName=name)
        self.resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
        self.base_url = self.parameters.get("PublicBaseUrl") or self.outputs.get("BaseUrl", "")
        self.phone = phone or (LOCAL_PHONE if self.is_simulated(ProviderName.TELEFON_IP) else "")

    def secret(self, name: str) -> str:
        answer = self.clients["secretsmanager"].get_secret_value(SecretId=f"{self.name}/{name}")
        return str(answer.get("SecretString") or "")

    def physical_ids(self, resource_type: str) -> dict[str, str]:
        """By logical id."""
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for each in self.resources
            if each["ResourceType"] == resource_type
        }

    def vendor_url(self, provider: ProviderName) -> str:
        name = "".join(word.capitalize() for word in provider.split("_"))
        return str(self.parameters[f"{name}BaseUrl"]).rstrip("/")

    def is_simulated(self, provider: ProviderName) -> bool:
        return urlsplit(self.vendor_url(provider)).hostname in LOCAL_HOSTS

    def credentials(self) -> Mapping[str, Any]:
        """What of the secret `provider-credentials` can be used; the check on it says what cannot."""
        try:
            given = json.loads(self.secret("provider-credentials") or "{}")
        except ValueError:
            return {}
        if not isinstance(given, dict):
            return {}
        usable = {}
        for name, value in given.items():
            try:
                self.provider(ProviderName(name), value)
            except (ConfigurationFault, ValueError):
                continue
            usable[name] = value
        return usable

    def provider(self, name: ProviderName, credentials: Any) -> Any:
        """The service's own client of a vendor. Raises ConfigurationFault."""
        if not isinstance(credentials, dict):
            raise ConfigurationFault(f"provider-credentials: {name}", "it must be a JSON object")
        settings = ProviderSettings(self.vendor_url(name), 1, VendorHttp(), lambda _: "", "get")
        return PROVIDERS[name].configure(credentials, settings)


type Check = Callable[[Stack], Iterator[Finding]]


def check_stack(stack: Stack) -> Iterator[Finding]:
    if stack.status.endswith("_COMPLETE") and "ROLLBACK" not in stack.status and "DELETE" not in stack.status:
        yield Finding("stack", State.OK, f"{stack.name}: {stack.status}")
    elif stack.status == "UPDATE_ROLLBACK_COMPLETE":
        fix = f"the last deployment failed: aws cloudformation describe-stack-events --stack-name {stack.name}"
        yield Finding("stack", State.WARNING, f"{stack.name}: {stack.status}", fix)
    else:
        fix = "wait while it is IN_PROGRESS; `make deploy` says what to do about anything else"
        yield Finding("stack", State.FAULT, f"{stack.name}: {stack.status}", fix)
    if abs(stack.aws_ahead) > CLOCK_TOLERANCE_SECONDS:
        says = f"this machine's clock is {-stack.aws_ahead:+.0f} s off AWS's"
        yield Finding(
            "clock here", State.WARNING, says, "set this machine's clock: AWS refuses requests from 5 minutes"
        )


def check_pepper(stack: Stack) -> Iterator[Finding]:
    pepper = stack.secret("pepper")
    answer = stack.clients["dynamodb"].get_item(TableName=stack.outputs["TableName"], Key={"pk": {"S": "pepper"}})
    known = answer.get("Item", {}).get("fingerprint", {}).get("S")
    if known not in (None, Keys(pepper).fingerprint()):
        says = "it is not the one of the table: whatever starts anew answers 503 busy"
        fix = f"secret {stack.name}/pepper: put the former version back; docs/operations.md, The pepper"
        yield Finding("secret pepper", State.FAULT, says, fix)
    elif len(pepper) >= LEAST_PEPPER:
        yield Finding("secret pepper", State.OK, "is there")
    else:
        fix = f"secret {stack.name}/pepper: generate 64 characters, and deploy with any changed parameter"
        yield Finding("secret pepper", State.FAULT, f"it has {len(pepper)} characters", fix)


def check_provider_credentials(stack: Stack) -> Iterator[Finding]:
    check, secret = "secret provider-credentials", f"secret {stack.name}/provider-credentials"
    try:
        given = json.loads(stack.secret("provider-credentials") or "{}")
    except ValueError:
        given = None
    if not isinstance(given, dict):
        yield Finding(check, State.FAULT, "it is not a JSON object", f"{secret}: every provider is off until it is one")
        return
    if not given:
        yield Finding(
            check, State.FAULT, "it is empty: no call can be made", f"put the vendors' credentials into {secret}"
        )
        return
    faults = []
    for name, value in given.items():
        try:
            stack.provider(ProviderName(name), value)
        except ConfigurationFault as fault:
            faults.append(Finding(check, State.FAULT, f"{fault}", f"{secret}: {name} alone is off until it is mended"))
        except ValueError:
            known = ", ".join(ProviderName)
            faults.append(Finding(check, State.WARNING, f"{name!r} is no provider", f"{secret}: they are {known}"))
    order = [name.strip() for name in stack.parameters.get("ProviderOrder", "").split(",")]
    left_out = [name for name in given if name not in order]
    if left_out:
        fix = "parameter ProviderOrder: a provider that is not in it is never asked"
        faults.append(Finding(check, State.WARNING, f"not in ProviderOrder: {', '.join(left_out)}", fix))
    yield from faults or [Finding(check, State.OK, f"{', '.join(given)}")]


def check_api_keys(stack: Stack) -> Iterator[Finding]:
    check, secret = "secret api-keys", f"secret {stack.name}/api-keys"
    try:
        keys, faults = parse_api_keys(stack.secret("api-keys"))
    except ConfigurationFault as fault:
        yield Finding(check, State.FAULT, str(fault), f"{secret}: no key works until it is mended")
        return
    for wrong in faults:
        yield Finding(check, State.FAULT, str(wrong), f"{secret}: this entry opens nothing until it is mended")
    if keys:
        names = ", ".join(f"{key.name} ({key.mode})" for key in keys)
        yield Finding(check, State.OK, f"{len(keys)}: {names}"[:120])
    elif not faults:
        yield Finding(check, State.FAULT, "it is empty: nobody can start anything", _make("api-key NAME=…", stack))


def check_event_signing(stack: Stack) -> Iterator[Finding]:
    check = "secret event-signing"
    if not stack.parameters.get("EventWebhookUrl"):
        yield Finding(check, State.SKIPPED, "EventWebhookUrl is empty: events are not sent")
        return
    try:
        given = signing_secrets(stack.secret("event-signing"))
    except ConfigurationFault as fault:
        fix = f"secret {stack.name}/event-signing: events wait in the queue until it is mended"
        yield Finding(check, State.FAULT, str(fault), fix)
    else:
        yield Finding(check, State.OK, f"{len(given)} in force")


def check_accounts(stack: Stack) -> Iterator[Finding]:
    for name, credentials in stack.credentials().items():
        check, provider = f"account {name}", ProviderName(name)
        try:
            account = ACCOUNTS[provider](credentials, stack.vendor_url(provider))
        except AccountRefused as error:
            fix = (
                f"secret {stack.name}/provider-credentials, {name}: compare it with the vendor's cabinet. "
                "Where that lists the addresses that may ask, this machine's may be missing"
            )
            yield Finding(check, State.FAULT, str(error), fix)
            continue
        says = f"accepted, {account.balance:.2f} RUB left"
        if account.has_money:
            yield Finding(check, State.OK, says)
        else:
            yield Finding(check, State.FAULT, says, "no money: top the account up in the vendor's cabinet")
        if account.time is not None:
            ahead = account.time - time.time() - stack.aws_ahead
            if abs(ahead) > CLOCK_TOLERANCE_SECONDS:
                fix = "tell the vendor; SMSC's callbacks are refused while its time lies outside our window"
                yield Finding(f"clock {name}", State.FAULT, f"{ahead:+.0f} s off AWS's", fix)


def check_webhooks(stack: Stack) -> Iterator[Finding]:
    fix = "PublicBaseUrl (empty: BaseUrl) has to lead to this API, from the open internet and without a redirect"
    if stack.parameters.get("TelefonIpStart") == "get":
        yield Finding("webhook telefon_ip", State.SKIPPED, "TelefonIpStart is `get`: nothing is reported")
    else:
        # A made-up token: the service itself, and nothing before it, has to refuse it.
        answer = _get(f"{stack.base_url}/webhooks/telefon-ip/vrf_doctor/{secrets.token_urlsafe(8)}")
        if isinstance(answer, str):
            yield Finding("webhook telefon_ip", State.FAULT, answer, fix)
        elif answer.status_code == 404 and _problem(answer).get("detail") == "There is no such webhook.":
            yield Finding("webhook telefon_ip", State.OK, f"{urlsplit(stack.base_url).netloc} is this API")
        else:
            ours = answer.status_code >= 500 and "code" in _problem(answer)
            log = f"the log /aws/lambda/{stack.name}/receive-webhook"
            says = f"answered {answer.status_code}, not with our own 404"
            yield Finding("webhook telefon_ip", State.FAULT, says, log if ours else f"{fix}; then {log}")
    smsc = stack.credentials().get("smsc")
    if smsc is None:
        return
    answer = _get(f"{stack.base_url}/webhooks/smsc/{smsc['webhook_token']}")
    if isinstance(answer, str):
        yield Finding("webhook smsc", State.FAULT, answer, fix)
    elif answer.status_code == 200:
        says = "takes callbacks; whether SMSC's cabinet names this handler, only a call can show"
        yield Finding("webhook smsc", State.OK, says)
    else:
        fix = "smsc.webhook_token was changed less than SecretCacheSeconds ago, or PublicBaseUrl is of another stack"
        yield Finding("webhook smsc", State.FAULT, f"answered {answer.status_code}", fix)


def check_telefon_ip_reply(stack: Stack) -> Iterator[Finding]:
    """While it waits, the vendor must not name the claimed phone as the caller without saying that it waits."""
    check = "pending reply telefon_ip"
    credentials = stack.credentials().get("telefon_ip")
    if credentials is None or not stack.phone:
        says = "telefon_ip is off" if credentials is None else "name a mobile with PHONE=+7…: it is not called"
        yield Finding(check, State.SKIPPED, says)
        return
    provider = stack.provider(ProviderName.TELEFON_IP, credentials)
    try:
        phone = parse_phone(stack.phone, default_country="RU", allowed_countries=["RU"])
    except CallverifyError as error:
        yield Finding(check, State.FAULT, error.detail, "PHONE: a Russian mobile number")
        return
    order = CallOrder(phone, unique=secrets.token_hex(8))
    outcome = provider.start(order, Deadline.after(HTTP_SECONDS))
    if outcome.result is not Result.STARTED or outcome.call_id is None:
        words = outcome.vendor_words or outcome.cause or ""
        yield Finding(
            check, State.FAULT, f"no call was started: {outcome.result}, {words}", "docs/providers/telefon_ip.md"
        )
        return
    report = provider.check(outcome.call_id, Deadline.after(HTTP_SECONDS))
    if report.verdict is CallVerdict.PENDING:
        yield Finding(check, State.OK, "says that it waits")
    elif report.verdict is CallVerdict.UNSTATED and phone.e164 in readings(report.caller or ""):
        says = "it names the claimed phone as the caller, without a status, though nobody has called"
        fix = "parameter ProviderOrder: leave telefon_ip out, and tell the vendor"
        yield Finding(check, State.FAULT, says, fix)
    else:
        says = f"{report.verdict} before anybody called"
        yield Finding(check, State.FAULT, says, "parameter ProviderOrder: leave telefon_ip out, and tell the vendor")


def check_table(stack: Stack) -> Iterator[Finding]:
    client, name = stack.clients["dynamodb"], stack.outputs["TableName"]
    wrong = []
    ttl = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if ttl["TimeToLiveStatus"] not in ("ENABLED", "ENABLING") or ttl.get("AttributeName") != "ttl":
        says = f"TTL is {ttl['TimeToLiveStatus']} on {ttl.get('AttributeName', 'nothing')}: old records stay for ever"
        wrong.append((says, "TTL on attribute `ttl`"))
    stream = client.describe_table(TableName=name)["Table"].get("StreamSpecification", {})
    if not stream.get("StreamEnabled") or stream.get("StreamViewType") != "NEW_AND_OLD_IMAGES":
        wrong.append(("its stream is off: no events, and windows end unwritten", "stream NEW_AND_OLD_IMAGES"))
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    if backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] != "ENABLED":
        wrong.append(("point-in-time recovery is off", "point-in-time recovery"))
    for says, setting in wrong:
        yield Finding("table", State.FAULT, says, f"{setting} of {name}: set it by hand, a deployment will not notice")
    if not wrong:
        yield Finding("table", State.OK, name)


def check_mappings(stack: Stack) -> Iterator[Finding]:
    for logical_id, uuid in sorted(stack.physical_ids("AWS::Lambda::EventSourceMapping").items()):
        state = stack.clients["lambda"].get_event_source_mapping(UUID=uuid)["State"]
        if state in ("Enabled", "Enabling", "Updating"):
            yield Finding("stream and queues", State.OK, f"{logical_id}: {state}")
        else:
            fix = f"aws lambda update-event-source-mapping --uuid {uuid} --enabled"
            yield Finding("stream and queues", State.FAULT, f"{logical_id}: {state}", fix)


def check_alarms(stack: Stack) -> Iterator[Finding]:
    declared = stack.physical_ids("AWS::CloudWatch::Alarm")
    pages = stack.clients["cloudwatch"].get_paginator("describe_alarms").paginate(AlarmNames=sorted(declared.values()))
    there = {alarm["AlarmName"]: alarm["StateValue"] for page in pages for alarm in page["MetricAlarms"]}
    missing = sorted(logical_id for logical_id, name in declared.items() if name not in there)
    raised = sorted(logical_id for logical_id, name in declared.items() if there.get(name) == "ALARM")
    if missing:
        fix = (
            "deploy without it in template.yaml and then with it: a deployment does not notice what was deleted by hand"
        )
        yield Finding("alarms", State.FAULT, f"deleted: {', '.join(missing)}", fix)
    if raised:
        yield Finding("alarms", State.WARNING, f"raised: {', '.join(raised)}", "docs/operations.md, Alarms")
    if not stack.parameters.get("AlarmTopicArn") and not stack.is_simulated(ProviderName.UCALLER):
        yield Finding("alarms", State.WARNING, "they go to nobody", "parameter AlarmTopicArn")
    if not missing and not raised:
        yield Finding("alarms", State.OK, f"{len(there)}, none raised")


def check_dead_letters(stack: Stack) -> Iterator[Finding]:
    for logical_id, url in sorted(stack.physical_ids("AWS::SQS::Queue").items()):
        if not logical_id.endswith("DeadLetterQueue"):
            continue
        attributes = stack.clients["sqs"].get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
        )["Attributes"]
        count = int(attributes["ApproximateNumberOfMessages"])
        if count:
            fix = "docs/operations.md, Dead letters: mend the cause, then `make redrive`"
            yield Finding("dead letters", State.FAULT, f"{logical_id} holds {count}", fix)
        else:
            yield Finding("dead letters", State.OK, f"{logical_id} is empty")


def check_concurrency(stack: Stack) -> Iterator[Finding]:
    allowed = stack.clients["lambda"].get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    if allowed < LEAST_CONCURRENCY:
        fix = "Service Quotas, Lambda: have `Concurrent executions` raised; a new account starts low"
        yield Finding("concurrency", State.WARNING, f"{allowed} functions at once, in all of the account", fix)
    else:
        yield Finding("concurrency", State.OK, f"{allowed} functions at once, in all of the account")


def check_verification(stack: Stack) -> Iterator[Finding]:
    """One verification in test mode, through everything but the vendors."""
    check, client, secret_id = "test verification", stack.clients["secretsmanager"], f"{stack.name}/api-keys"
    name = f"doctor {secrets.token_hex(4)}"
    try:
        key = add_key(client, secret_id, name, "test", list(SCOPES))
    except Refused as error:
        yield Finding(check, State.SKIPPED, f"no key could be made: {error}")
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
            if answer.status_code == 200 and _problem(answer).get("status") == "verified":
                return Finding(check, State.OK, "started, checked, verified")
    except requests.RequestException as error:
        return Finding(check, State.FAULT, f"{step}: {type(error).__name__}", "PublicBaseUrl (empty: BaseUrl)")
    function = {401: "authorize", 403: "authorize"}.get(
        answer.status_code, "check-status" if "{id}" in step else "start-verification"
    )
    request_id = _problem(answer).get("request_id", "")
    says = f"{step} answered {answer.status_code} {_problem(answer).get('code', '')}"
    return Finding(check, State.FAULT, says, f"the log /aws/lambda/{stack.name}/{function}, request {request_id}")


CHECKS: Sequence[Check] = (
    check_stack,
    check_pepper,
    check_provider_credentials,
    check_api_keys,
    check_event_signing,
    check_accounts,
    check_webhooks,
    check_telefon_ip_reply,
    check_table,
    check_mappings,
    check_alarms,
    check_dead_letters,
    check_concurrency,
    check_verification,
)


def examine(stack: Stack) -> list[Finding]:
    """Everything that is found, in the order of CHECKS. What AWS does not let us look at is a fault too."""

    def run(check: Check) -> list[Finding]:
        name = check.__name__.removeprefix("check_").replace("_", " ")
        try:
            return list(check(stack))
        except (BotoCoreError, ClientError) as error:
            fix = "run it with a role that may read this; a resource may have been deleted by hand"
            return [Finding(name, State.FAULT, f"cannot be looked at: {error}", fix)]

    # The last one writes a secret that another reads.
    with ThreadPoolExecutor(max_workers=6) as pool:
        looked = list(pool.map(run, CHECKS[:-1]))
    return [finding for findings in [*looked, run(CHECKS[-1])] for finding in findings]


def table(findings: Sequence[Finding]) -> str:
    width = max(len(finding.check) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:5}  {finding.check:{width}}  {finding.says}".rstrip())
        if finding.state in (State.FAULT, State.WARNING):
            lines.append(f"{'':{width + 9}}→ {finding.fix}")
    return "\n".join(lines)


def _get(url: str) -> requests.Response | str:
    """The answer, or in words why there is none: the URL holds a token."""
    try:
        return requests.get(url, timeout=HTTP_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        return f"no answer: {type(error).__name__}"


def _problem(answer: requests.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _ahead(date: str | None) -> float | None:
    """How many seconds the clock that wrote a Date header is ahead of this machine's."""
    return parsedate_to_datetime(date).timestamp() - time.time() if date else None


def _make(command: str, stack: Stack) -> str:
    return f"make {command} STACK={stack.name}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.doctor", description=__doc__)
    parser.add_argument("--stack", default="", help="default: the local stack where one runs, else callverify")
    parser.add_argument("--dev-dir", default=".dev")
    parser.add_argument(
        "--phone", default="", help="a mobile to start a reverse call for, at telefon-ip.ru; it is not called"
    )
    chosen = parser.parse_args(arguments)
    name = target_stack(chosen.stack, chosen.dev_dir)
    try:
        stack = Stack(name, chosen.phone)
    except (BotoCoreError, ClientError) as error:
        print(f"doctor: the stack {name} cannot be read: {error}", file=sys.stderr)
        return 1
    findings = examine(stack)
    print(table(findings))
    faults = sum(finding.state is State.FAULT for finding in findings)
    warnings = sum(finding.state is State.WARNING for finding in findings)
    print(f"\n{faults or 'no'} fault(s), {warnings or 'no'} warning(s)")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
