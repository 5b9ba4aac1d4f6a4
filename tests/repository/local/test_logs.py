"""The functions' log file holds each line once, in order, without what Lambda adds."""

import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from mypy_boto3_logs import CloudWatchLogsClient

from local import logs
from local.logs import LogTail

GROUPS = ["/aws/lambda/callverify/authorize", "/aws/lambda/callverify/check-status"]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudWatchLogsClient]:
    monkeypatch.setattr(logs, "POLL_SECONDS", 0.01)
    with mock_aws():
        client = boto3.client("logs", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        for group in GROUPS:
            client.create_log_group(logGroupName=group)
        yield client


def write(client: CloudWatchLogsClient, group: str, stream: str, at: int, *messages: str) -> None:
    client.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": at, "message": message} for message in messages]
    client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)  # type: ignore[arg-type]


def wait_for(file: Path, line: str) -> None:
    deadline = time.monotonic() + 60
    while line not in file.read_text().splitlines() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_each_line_once_however_often_it_is_read(client: CloudWatchLogsClient, tmp_path: Path) -> None:
    file = tmp_path / "functions.log"
    now = int(time.time() * 1000)
    tail = LogTail(client, "/aws/lambda/callverify/", file)
    tail.start()
    write(client, GROUPS[0], "a", now, "START RequestId: 1", "same", "same", "END RequestId: 1")
    wait_for(file, "same")
    write(client, GROUPS[1], "b", now, "other")
    # Stored later, though it is older.
    write(client, GROUPS[0], "c", now - 1000, "late")
    write(client, GROUPS[0], "d", now, "last")
    tail.stop()
    assert sorted(file.read_text().splitlines()) == ["last", "late", "other", "same", "same"]
