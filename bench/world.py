"""Everything that the functions work on: DynamoDB Local, the simulated vendors, and the wire to read off."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
import requests

from bench.artifacts import LAYER, WORK, Artifact, runtime
from bench.lambda_runtime import Function, running_function, wait_for_port
from bench.wire import Wire
from callverify.providers.names import NAMES
from local.aws import EmbeddedAws
from local.build import ROOT, with_layer
from local.processes import HOST, free_port, running
from simulators import accounts
from tests.stack.engines.dynamodb_local import dynamodb_local
from tests.support.template import INDEX_TABLE as INDEX_PROPERTIES
from tests.support.template import environment, table_definition

TABLE, INDEX_TABLE = "callverify", "callverify-index"
# Whose triggers the events of events/ call.
USER_POOL_ARN = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEf123"
# Two forms of the vendors' credentials: with their own addresses, and with that of the wire, which writes all down.
DIRECT, RECORDED = "ProviderCredentials", "ProviderCredentials recorded"
API_KEY = "cv_live_" + "B" * 43
CREDENTIALS = {name: accounts.credentials(name, lambda field: f"made-up-{field}") for name in NAMES}
SECRETS = {
    "PepperSecret": "PepperOfTheBench" * 4,
    "ApiKeysSecret": json.dumps(
        [
            {
                "name": "bench",
                "sha256": hashlib.sha256(API_KEY.encode()).hexdigest(),
                "scopes": ["verifications:read", "verifications:write"],
                "mode": "live",
            }
        ]
    ),
    "EventSigningSecret": json.dumps(["whsec_" + base64.b64encode(b"bench" * 6).decode()]),
}


def credentials(url: str) -> str:
    """The secret `provider-credentials`, with all vendors at this address."""
    return json.dumps({name: {**given, "base_url": f"{url}/{name}"} for name, given in CREDENTIALS.items()})


@dataclass(frozen=True, slots=True)
class World:
    artifacts: Mapping[str, Artifact]
    wire: Wire
    table: Any

    def environment(self, function: str | None, *, recorded: bool = False) -> dict[str, str]:
        """The variables of one of the service's functions, or of another (None). Recorded: it sends all by the wire."""
        wire = self.wire.url
        return {
            # There is no AppSync here: to publish would measure a refusal.
            **(environment(function, PushUpdates="false") if function else {}),
            "AWS_ENDPOINT_URL": wire,
            "AWS_ENDPOINT_URL_DYNAMODB": wire if recorded else self.wire.dynamodb,
            "TABLE_NAME": TABLE,
            "INDEX_TABLE_NAME": INDEX_TABLE,
            "PROVIDER_CREDENTIALS_SECRET": RECORDED if recorded else DIRECT,
            "PUBLIC_BASE_URL": f"{wire}/v1",
            "FOLLOW_UP_QUEUE_URL": f"{wire}/follow_up",
            "DELIVERY_QUEUE_URL": f"{wire}/delivery",
            "EVENT_WEBHOOK_URL": f"{wire}/receiver",
            "ALLOW_PRIVATE_EVENT_URL": "true",
            "COGNITO_USER_POOL_ARN": USER_POOL_ARN,
            "TODOS_URL": wire,
            "VENDOR_URL": f"{wire}/calls",
        }

    def path(self) -> list[Path]:
        """What the service's functions import from besides their own folders."""
        return [self.artifacts[LAYER].directory / "python", runtime()]

    @contextmanager
    def function(self, name: str, *, recorded: bool = False) -> Iterator[Function]:
        """A fresh process of one of the service's functions."""
        environment = self.environment(name, recorded=recorded)
        with running_function(self.artifacts[name].directory, self.path(), environment) as function:
            yield function


@contextmanager
def embedded_aws(directory: Path) -> Iterator[str]:
    """The embedded AWS of `make dev`, for counting: its capacity units are the real ones for transactions too."""
    aws = EmbeddedAws(free_port())
    with TemporaryDirectory(dir=directory) as temporary, aws.running(Path(temporary)):
        aws.wait()
        yield aws.endpoint


@contextmanager
def world(
    artifacts: Mapping[str, Artifact], engine: Callable[[Path], AbstractContextManager[str]] = dynamodb_local
) -> Iterator[World]:
    """`engine` runs DynamoDB; DynamoDB Local has to be fetched already."""
    logs = WORK / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        dynamodb = stack.enter_context(engine(logs))
        port = free_port()
        command = [sys.executable, "-m", "simulators", "--port", str(port)]
        stack.enter_context(
            running(command, env={"LANG": "C.UTF-8", **with_layer()}, cwd=ROOT, log=logs / "simulators.log")
        )
        wait_for_port(port)
        wire = Wire(dynamodb, f"http://{HOST}:{port}", {**SECRETS})
        stack.enter_context(wire.serving())
        wire.secrets |= {DIRECT: credentials(wire.simulators), RECORDED: credentials(wire.url)}
        table = boto3.client(
            "dynamodb",
            endpoint_url=dynamodb,
            region_name="eu-central-1",
            aws_access_key_id="bench",
            aws_secret_access_key="bench",
        )
        table.create_table(**table_definition(TABLE))
        table.create_table(**table_definition(INDEX_TABLE, INDEX_PROPERTIES))
        for name, given in CREDENTIALS.items():
            if cabinet := accounts.cabinet(name, given, f"{wire.url}/v1"):
                requests.post(f"{wire.simulators}/{name}/cabinet", json=cabinet, timeout=5).raise_for_status()
        yield World(artifacts, wire, table)
