"""What functions send, read off the wire: a server between them, DynamoDB and the vendors, that writes it down.

It answers for the other AWS services itself, and keeps what the vendors report to the service's webhooks.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import urllib3

from callverify.providers.names import NAMES
from callverify.providers.registry import manifest
from local.processes import HOST

DYNAMODB = "dynamodb"
READS = frozenset({"GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan"})
VENDORS = frozenset(NAMES)
TARGETS = {"DynamoDB_20120810": DYNAMODB, "secretsmanager": "secretsmanager", "AmazonSQS": "sqs", "AWSEvents": "events"}
HOP_BY_HOP = frozenset({"connection", "content-length", "host", "transfer-encoding", "accept-encoding"})


@dataclass(frozen=True, slots=True)
class Sent:
    """A request of a function.

    service: one of AWS's in boto3's words, or a vendor. operation: AWS's, or the HTTP method. request: the operation's
    parameters, or the vendor's path, headers and body. Units are DynamoDB's own count.
    """

    service: str
    operation: str
    request: Mapping[str, Any]
    read_units: float = 0
    write_units: float = 0

    @property
    def writes(self) -> bool:
        return self.service == DYNAMODB and self.operation not in READS


class Wire:
    """`sent`: all requests since it was last taken. `webhooks`: method, path, headers and body of vendors' reports."""

    def __init__(self, dynamodb: str, simulators: str, secrets: dict[str, str]) -> None:
        self.dynamodb = dynamodb
        self.simulators = simulators
        self.secrets = secrets
        self.webhooks: SimpleQueue[tuple[str, str, Mapping[str, str], str]] = SimpleQueue()
        self.url = ""
        self._sent: list[Sent] = []
        self._http = urllib3.PoolManager(retries=False, maxsize=8)

    def take(self) -> list[Sent]:
        taken, self._sent = self._sent, []
        return taken

    @contextmanager
    def serving(self) -> Iterator[None]:
        handler = type("Bound", (_Handler,), {"wire": self})
        with ThreadingHTTPServer((HOST, 0), handler) as server:
            self.url = f"http://{HOST}:{server.server_port}"
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                thread.join()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
        """Status, content type and body."""
        prefix, _, operation = headers.get("X-Amz-Target", "").partition(".")
        first = urlsplit(path).path.split("/")[1]
        if prefix:
            return self._aws(TARGETS[prefix], operation, headers, json.loads(body))
        if first in VENDORS:
            request = {"path": path, "headers": dict(headers), "body": body.decode()}
            self._sent.append(Sent(first, method, request))
            answer = self._http.request(method, self.simulators + path, headers=headers, body=body, redirect=False)
            return answer.status, answer.headers["Content-Type"], answer.data
        if first == "v1":
            self.webhooks.put((method, path, headers, body.decode()))
            hook = manifest(urlsplit(path).path.split("/")[3]).webhook
            assert hook
            return 200, hook.content_type, hook.answer.encode()  # without it a vendor may report the same again
        # Of the todo sample among the peers, the other's vendor, and a receiver's reply to an event.
        todo = {"userId": 1, "id": 1, "title": "delectus aut autem", "completed": False}
        answer_to_others = todo | {"number": "79000010000"}
        return 200, "application/json", json.dumps(answer_to_others).encode()

    def _aws(
        self, service: str, operation: str, headers: Mapping[str, str], body: dict[str, Any]
    ) -> tuple[int, str, bytes]:
        if service == DYNAMODB:
            return self._dynamodb(operation, headers, body)
        self._sent.append(Sent(service, operation, body))
        answer: dict[str, Any] = {}
        if operation == "GetSecretValue":
            answer = {"Name": body["SecretId"], "ARN": body["SecretId"], "SecretString": self.secrets[body["SecretId"]]}
        elif operation == "SendMessage":
            answer = _taken(body)
        elif operation == "SendMessageBatch":
            answer = {"Successful": [{"Id": entry["Id"], **_taken(entry)} for entry in body["Entries"]], "Failed": []}
        elif operation == "PutEvents":
            answer = {"FailedEntryCount": 0, "Entries": [{"EventId": "0"}] * len(body["Entries"])}
        return 200, "application/x-amz-json-1.1", json.dumps(answer).encode()

    def _dynamodb(self, operation: str, headers: Mapping[str, str], body: dict[str, Any]) -> tuple[int, str, bytes]:
        counted = json.dumps(body | {"ReturnConsumedCapacity": "TOTAL"})
        answer = self._http.request("POST", self.dynamodb, headers=headers, body=counted)
        consumed = answer.json().get("ConsumedCapacity", [])
        units = sum(one["CapacityUnits"] for one in (consumed if isinstance(consumed, list) else [consumed]))
        reads = operation in READS
        body.pop("ClientRequestToken", None)  # boto3's own, a new one for each request
        self._sent.append(Sent(DYNAMODB, operation, body, units if reads else 0, 0 if reads else units))
        return answer.status, answer.headers["Content-Type"], answer.data


def _taken(message: Mapping[str, Any]) -> dict[str, str]:
    return {
        "MessageId": "0",
        "MD5OfMessageBody": hashlib.md5(message["MessageBody"].encode(), usedforsecurity=False).hexdigest(),
    }


class _Handler(BaseHTTPRequestHandler):
    wire: Wire
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        with suppress(ConnectionError):  # a function that is stopped closes nothing
            super().handle()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        status, content_type, answer = self.wire.answer(self.command, self.path, headers, body)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST  # noqa: N815 (the base class's own name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass
