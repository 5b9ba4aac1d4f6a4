"""What a deployment made: the stack itself, its table, mappings, alarms, queues, and the account that it is in."""

from __future__ import annotations

from collections.abc import Iterator

from cli.doctor.stack import CLOCK_TOLERANCE_SECONDS, Finding, Stack, State

# A new AWS account may run 10 functions at once.
LEAST_CONCURRENCY = 100


def check_stack(stack: Stack) -> Iterator[Finding]:
    if stack.status.endswith("_COMPLETE") and "ROLLBACK" not in stack.status and "DELETE" not in stack.status:
        yield Finding("stack", State.OK, f"{stack.name}: {stack.status}")
    elif stack.status == "UPDATE_ROLLBACK_COMPLETE":
        fix = f"the last deployment failed; see aws cloudformation describe-stack-events --stack-name {stack.name}"
        yield Finding("stack", State.WARNING, f"{stack.name}: {stack.status}", fix)
    else:
        fix = "wait while it is IN_PROGRESS; `callverify deploy` says what to do about anything else"
        yield Finding("stack", State.FAULT, f"{stack.name}: {stack.status}", fix)
    if abs(stack.aws_ahead) > CLOCK_TOLERANCE_SECONDS:
        says = f"this machine's clock is {-stack.aws_ahead:+.0f} s off AWS's"
        yield Finding(
            "clock here",
            State.WARNING,
            says,
            "set this machine's clock: AWS refuses requests that are off by 5 minutes",
        )


def check_tables(stack: Stack) -> Iterator[Finding]:
    yield from _check_table(stack, "table", stack.outputs["TableName"], has_stream=True)
    if index := stack.outputs.get("IndexTableName"):  # stacks of 0.2.0 have none
        yield from _check_table(stack, "index table", index, has_stream=False)


def _check_table(stack: Stack, about: str, name: str, *, has_stream: bool) -> Iterator[Finding]:
    client, wrong = stack.clients["dynamodb"], []
    ttl = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if ttl["TimeToLiveStatus"] not in ("ENABLED", "ENABLING") or ttl.get("AttributeName") != "ttl":
        attribute = f" on {ttl['AttributeName']}" if "AttributeName" in ttl else ""
        says = f"TTL is {ttl['TimeToLiveStatus']}{attribute}: old records are never deleted"
        wrong.append((says, "TTL on attribute `ttl`"))
    stream = client.describe_table(TableName=name)["Table"].get("StreamSpecification", {})
    if has_stream and not (stream.get("StreamEnabled") and stream.get("StreamViewType") == "NEW_AND_OLD_IMAGES"):
        wrong.append(
            ("its stream is off: there are no events, and expiries are not recorded", "stream NEW_AND_OLD_IMAGES")
        )
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    if backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] != "ENABLED":
        wrong.append(("point-in-time recovery is off", "point-in-time recovery"))
    for says, setting in wrong:
        yield Finding(about, State.FAULT, says, f"{setting} of {name}: set it by hand; a deployment does not repair it")
    if not wrong:
        yield Finding(about, State.OK, name)


def check_mappings(stack: Stack) -> Iterator[Finding]:
    for logical_id, uuid in sorted(stack.physical_ids("AWS::Lambda::EventSourceMapping").items()):
        state = stack.clients["lambda"].get_event_source_mapping(UUID=uuid)["State"]
        if state in ("Enabled", "Enabling", "Updating"):
            yield Finding("stream and queues", State.OK, f"{logical_id}: {state}")
        else:
            fix = f"aws lambda update-event-source-mapping --uuid {uuid} --enabled"
            yield Finding("stream and queues", State.FAULT, f"{logical_id}: {state}", fix)


def check_updates(stack: Stack) -> Iterator[Finding]:
    """Push, where it is on: its namespace, and who may publish to it and listen."""
    for api_arn in stack.physical_ids("AWS::AppSync::Api").values():
        client, api_id = stack.clients["appsync"], api_arn.rpartition("/")[2]
        spaces = {each["name"]: each for each in client.list_channel_namespaces(apiId=api_id)["channelNamespaces"]}
        found = spaces.get("verifications", {})
        modes = [
            [mode["authType"] for mode in found.get(name, ())] for name in ("publishAuthModes", "subscribeAuthModes")
        ]
        if modes == [["AWS_IAM"], ["AWS_LAMBDA"]]:
            yield Finding("push", State.OK, stack.outputs["UpdatesHost"])
        else:
            fix = "deploy with PushUpdates=false, then true: one deployment does not repair manual changes"
            yield Finding(
                "push", State.FAULT, f"publish and subscribe auth modes are {modes}, not AWS_IAM and AWS_LAMBDA", fix
            )


def check_alarms(stack: Stack) -> Iterator[Finding]:
    declared = stack.physical_ids("AWS::CloudWatch::Alarm")
    pages = stack.clients["cloudwatch"].get_paginator("describe_alarms").paginate(AlarmNames=sorted(declared.values()))
    there = {alarm["AlarmName"]: alarm["StateValue"] for page in pages for alarm in page["MetricAlarms"]}
    missing = sorted(logical_id for logical_id, name in declared.items() if name not in there)
    raised = sorted(logical_id for logical_id, name in declared.items() if there.get(name) == "ALARM")
    if missing:
        fix = "remove them from template.yaml and deploy, then put them back and deploy again"
        yield Finding("alarms", State.FAULT, f"deleted: {', '.join(missing)}", fix)
    if raised:
        yield Finding("alarms", State.WARNING, f"raised: {', '.join(raised)}", "docs/operations.md, Alarms")
    if not stack.parameters.get("AlarmTopicArn") and not _is_local(stack):
        yield Finding("alarms", State.WARNING, "alarms notify nobody", "parameter AlarmTopicArn")
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
            fix = "docs/operations.md, Dead letters: fix the cause, then `callverify redrive`"
            yield Finding("dead letters", State.FAULT, f"{logical_id} holds {count}", fix)
        else:
            yield Finding("dead letters", State.OK, f"{logical_id} is empty")


def check_concurrency(stack: Stack) -> Iterator[Finding]:
    allowed = stack.clients["lambda"].get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    if allowed < LEAST_CONCURRENCY:
        fix = "Service Quotas, Lambda: request more `Concurrent executions`; new accounts start low"
        yield Finding("concurrency", State.WARNING, f"{allowed} concurrent executions in this account and region", fix)
    else:
        yield Finding("concurrency", State.OK, f"{allowed} concurrent executions in this account and region")


def _is_local(stack: Stack) -> bool:
    return any(configured.is_simulated for configured in stack.providers().values())
