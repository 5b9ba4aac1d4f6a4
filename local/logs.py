"""Everything that the functions log, from CloudWatch Logs into one file."""

import threading
from collections import Counter
from pathlib import Path

import botocore.exceptions
from mypy_boto3_logs import CloudWatchLogsClient

POLL_SECONDS = 0.3
# An event is stored later than its timestamp says: on a loaded machine, seconds later.
OVERLAP_MILLISECONDS = 20_000
# What Lambda adds to what a function logs.
PLATFORM_LINES = ("START RequestId: ", "END RequestId: ", "REPORT RequestId: ")


class LogTail:
    """Copies the log groups under `prefix` into `file`, each line once, until it is stopped."""

    def __init__(self, client: CloudWatchLogsClient, prefix: str, file: Path) -> None:
        self._client = client
        pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        self._newest = {group["logGroupName"]: 0 for page in pages for group in page["logGroups"]}
        # How many events of a (group, stream, timestamp) are written: the embedded AWS gives events no id.
        self._written: Counter[tuple[str, str, int]] = Counter()
        self._file = file.open("w", encoding="utf-8", buffering=1)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-tail", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what has been logged until now, and end."""
        self._stopping.set()
        self._thread.join()
        self._file.close()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stopping.wait(POLL_SECONDS)
            try:
                for group in self._newest:
                    self._copy(group)
            except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
                continue  # too busy to answer, or going down

    def _copy(self, group: str) -> None:
        since = max(0, self._newest[group] - OVERLAP_MILLISECONDS)
        found: Counter[tuple[str, str, int]] = Counter()
        for event in self._client.filter_log_events(logGroupName=group, startTime=since)["events"]:
            key = (group, event["logStreamName"], event["timestamp"])
            found[key] += 1
            if found[key] > self._written[key] and not event["message"].startswith(PLATFORM_LINES):
                self._file.write(event["message"].rstrip("\n") + "\n")
            self._newest[group] = max(self._newest[group], event["timestamp"])
        for key in [key for key in self._written if key[0] == group]:
            del self._written[key]
        self._written.update(found)
