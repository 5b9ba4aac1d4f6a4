"""`restore`: the table as it was at an earlier time, in a new table, and the stack pointed at it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from cli.errors import Refused, on_ctrl_c
from cli.output import print_json
from cli.target import Target, as_json, on_stack

POLL_SECONDS = 10
PARAMETER = "RestoredTableStreamArn"


@click.command()
@click.option(
    "--to", "moment", metavar="TIME", help="A time such as 2026-11-27T10:00:00Z. Default: the latest possible."
)
@click.option("--table", help="Name of the new table. Default: made from the stack's name and the time.")
@as_json
@on_stack
def restore(target: Target, moment: str | None, table: str | None, as_json: bool) -> None:
    """Restore the table as it was at a TIME of the last 35 days, into a new table.

    The stack's own table is not changed. The stack uses it until you deploy with the parameter that this command
    prints. Read docs/restoring.md first: it lists what is lost.

    \b
    Example:
      callverify restore --stack callverify --to 2026-11-27T10:00:00Z
    """
    at = _moment(moment) if moment else None
    source = target.output("TableName")
    name = table or f"{target.name}-restored-{(at or datetime.now(UTC)):%Y%m%dT%H%M%SZ}"
    if not re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", name):
        raise click.UsageError("--table takes 3 to 255 letters, digits, dots, dashes and underscores.")
    client = target.client("dynamodb")
    _begin(client, source, name, at)
    on_ctrl_c(
        f"stopped waiting; AWS still creates the table {name}. To continue, run the command again with --table {name}"
    )
    arn = _ready(client, name)
    _set_up(client, source, name)
    stream = client.describe_table(TableName=name)["Table"]["LatestStreamArn"]
    if as_json:
        print_json({"table": name, "arn": arn, "stream_arn": stream, "parameter": PARAMETER})
        return
    click.echo(f"{name} is ready. To use it in place of {source}:")
    click.echo(f"  callverify deploy --stack {target.name} --set {PARAMETER}={stream}")
    click.echo(f"To go back to {source}: callverify deploy --stack {target.name} --unset {PARAMETER}")


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--to {text}: it must be a time such as 2026-11-27T10:00:00Z.") from None
    if at.tzinfo is None:
        raise click.UsageError(f"--to {text}: add a time zone, such as {text}Z.")
    return at


def _begin(client: Any, source: str, name: str, at: datetime | None) -> None:
    """Raises Refused for a time that is not kept, and what AWS raises. A table that is there is gone on with."""
    wanted: Mapping[str, Any] = {"RestoreDateTime": at} if at else {"UseLatestRestorableTime": True}
    backups = client.describe_continuous_backups(TableName=source)["ContinuousBackupsDescription"]
    kept = backups["PointInTimeRecoveryDescription"]
    if kept["PointInTimeRecoveryStatus"] != "ENABLED":
        raise Refused(f"point-in-time recovery of {source} is off: no earlier state is kept")
    earliest, latest = (kept.get(f"{which}RestorableDateTime") for which in ("Earliest", "Latest"))
    if at and earliest and latest and not earliest <= at <= latest:
        raise Refused(f"{source} can be restored to a time from {earliest:%FT%TZ} to {latest:%FT%TZ}")
    try:
        client.restore_table_to_point_in_time(SourceTableName=source, TargetTableName=name, **wanted)
    except client.exceptions.TableAlreadyExistsException:
        click.echo(f"{name} exists already: continuing with it", err=True)


def _ready(client: Any, name: str) -> str:
    """Wait for the table; return its ARN."""
    started = time.monotonic()
    while (table := client.describe_table(TableName=name)["Table"])["TableStatus"] != "ACTIVE":
        click.echo(f"[{time.monotonic() - started:5.0f} s] {name} is {table['TableStatus']} …", err=True)
        time.sleep(POLL_SECONDS)
    return str(table["TableArn"])


def _set_up(client: Any, source: str, name: str) -> None:
    """What a restored table has not: the source's stream, TTL, recovery and protection against deletion."""
    restored, own = (client.describe_table(TableName=each)["Table"] for each in (name, source))
    if not restored.get("StreamSpecification", {}).get("StreamEnabled"):
        stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        client.update_table(TableName=name, StreamSpecification=stream)
        _ready(client, name)
    ttl = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if ttl["TimeToLiveStatus"] == "DISABLED":
        client.update_time_to_live(TableName=name, TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True})
    client.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    if own.get("DeletionProtectionEnabled") and not restored.get("DeletionProtectionEnabled"):
        client.update_table(TableName=name, DeletionProtectionEnabled=True)
        _ready(client, name)
