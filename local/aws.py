"""The embedded AWS of the local stack: start it, deploy the real template into it, reach it."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import requests
import yaml
from mypy_boto3_apigateway import APIGatewayClient
from mypy_boto3_apigateway.literals import GatewayResponseTypeType
from mypy_boto3_cloudformation import CloudFormationClient
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_logs import CloudWatchLogsClient
from mypy_boto3_secretsmanager import SecretsManagerClient

from local.build import ROOT, SAM, sam_environment
from local.processes import HOST, Command, LocalStackError, run, running

PYTHON = ROOT / ".venv-aws" / "bin" / "python"
STACK_NAME = "callverify"
STAGE = "v1"
ALIAS = "live"
# The embedded AWS gives a REST API the id that this tag holds: its address is known before it is deployed.
API_ID_TAG = "ms-custom-id"
API_ID = "ca11ab1e"
START_SECONDS = 60


class EmbeddedAws:
    """The embedded AWS on a port of this machine, and the clients to reach it with."""

    def __init__(self, port: int, bind_host: str = HOST) -> None:
        self._process: subprocess.Popen[bytes]
        self._bind_host = bind_host
        self.port = port
        self.endpoint = f"http://{HOST}:{port}"
        self.base_url = f"{self.endpoint}/_aws/execute-api/{API_ID}/{STAGE}"
        # What any client of it needs in its environment; it asks nobody for a real credential.
        region = os.environ.get("AWS_REGION") or "us-east-1"
        self.environment = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }

    @contextmanager
    def running(self, directory: Path) -> Iterator[None]:
        """Run it until the block ends; its log and temporary files are in `directory`."""
        self._log = directory / "aws.log"
        temporary = directory / "tmp"
        temporary.mkdir()
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
            "LANG": "C.UTF-8",
            "BIND_HOST": self._bind_host,
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": self.environment["AWS_REGION"],
            "LOG_LEVEL": "WARNING",
        }
        command: Command = [PYTHON, "-m", "local.embedded"]
        with running(command, env=environment, cwd=ROOT, log=self._log) as process:
            self._process = process
            yield

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> None:
        """Wait until it answers; raise LocalStackError where it does not."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.is_alive():
            try:
                if requests.get(f"{self.endpoint}/_ministack/health", timeout=2).ok:
                    return
            except requests.RequestException:
                time.sleep(0.1)
        raise LocalStackError(f"the embedded AWS does not start: see {self._log}")

    def deploy(self, built: Path, parameters: Mapping[str, str], log: Path) -> None:
        """`sam deploy` of the template built into the folder `built`. Raise LocalStackError with what it says."""
        template = yaml.safe_load((built / "template.yaml").read_text())
        if unknown := parameters.keys() - template["Parameters"].keys():
            known = ", ".join(template["Parameters"])
            raise LocalStackError(f"template.yaml has no parameter {', '.join(sorted(unknown))}; it has {known}")
        command: list[str | Path] = [SAM, "deploy", "--stack-name", STACK_NAME]
        command += ["--template-file", built / "template.yaml"]
        command += ["--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar"]
        command += ["--tags", f"{API_ID_TAG}={API_ID}", "--parameter-overrides"]
        command += [f'{name}="{value.replace('"', '\\"')}"' for name, value in parameters.items()]
        environment = {name: value for name, value in sam_environment().items() if not name.startswith("AWS_")}
        run(command, env={**environment, **self.environment, "SAM_CLI_POLL_DELAY": "0.5"}, cwd=built, log=log)
        responses = template["Resources"]["Api"]["Properties"]["GatewayResponses"]
        self._apply_gateway_responses(responses, bool(parameters.get("AllowedOrigins")))
        for output, table in (("TableName", "Table"), ("IndexTableName", "IndexTable")):
            self._apply_table_settings(self.output(output), template["Resources"][table]["Properties"])

    def _apply_gateway_responses(
        self, gateway_responses: Mapping[GatewayResponseTypeType, Any], has_allowed_origins: bool
    ) -> None:
        """Do what the embedded AWS leaves out of a deployment: ministack 1.5.33 ignores those in an API's body."""

        def resolve(value: Any) -> Any:
            match value:
                case {"Fn::If": ["HasAllowedOrigins", then, _]}:
                    return then if has_allowed_origins else None
            return value

        for response_type, response in gateway_responses.items():
            resolved = {name: resolve(value) for name, value in response["ResponseParameters"]["Headers"].items()}
            headers = {name: value for name, value in resolved.items() if value is not None}
            self.api_gateway.put_gateway_response(
                restApiId=API_ID,
                responseType=response_type,
                statusCode=str(response["StatusCode"]),
                responseParameters={f"gatewayresponse.header.{name}": value for name, value in headers.items()},
                responseTemplates={
                    # Where the stage's own path is not the whole of it.
                    kind: template.replace(f'"/{STAGE}/', f'"{urlsplit(self.base_url).path}/')
                    for kind, template in response["ResponseTemplates"].items()
                },
            )
        self.api_gateway.create_deployment(restApiId=API_ID, stageName=STAGE)

    def _apply_table_settings(self, name: str, table: Mapping[str, Any]) -> None:
        """Likewise: ministack 1.5.33 ignores these two of a table."""
        self._dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=table["TimeToLiveSpecification"])
        self._dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification=table["PointInTimeRecoverySpecification"]
        )

    def output(self, name: str) -> str:
        """The value of an output of the deployed stack."""
        (stack,) = self.cloud_formation.describe_stacks(StackName=STACK_NAME)["Stacks"]
        return next(output["OutputValue"] for output in stack["Outputs"] if output["OutputKey"] == name)

    def variables(self) -> dict[str, str]:
        """The variables of the deployed functions that are the same wherever they are set."""
        found: dict[str, set[str]] = {}
        for page in self._lambda.get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                for name, value in function.get("Environment", {}).get("Variables", {}).items():
                    found.setdefault(name, set()).add(value)
        return {name: values.pop() for name, values in sorted(found.items()) if len(values) == 1}

    def warm(self, functions: Sequence[str]) -> None:
        """Have each function, by its logical id, take an empty batch: it is loaded by the time that it is needed.

        One that a condition leaves out of the stack is left out here.
        """
        pages = self.cloud_formation.get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
        found = {each["LogicalResourceId"]: each for page in pages for each in page["StackResourceSummaries"]}

        def invoke(function: str) -> None:
            name = found[function]["PhysicalResourceId"]
            answer = self._lambda.invoke(FunctionName=name, Qualifier=ALIAS, Payload=json.dumps({"Records": []}))
            if "FunctionError" in answer:
                raise LocalStackError(f"{function} does not work: {answer['Payload'].read().decode()[:500]}")

        with ThreadPoolExecutor() as pool:
            list(pool.map(invoke, [function for function in functions if function in found]))

    @cached_property
    def _lambda(self) -> Any:
        return self._session.client("lambda", endpoint_url=self.endpoint)

    @cached_property
    def _dynamodb(self) -> DynamoDBClient:
        return self._session.client("dynamodb", endpoint_url=self.endpoint)

    @cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session(
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name=self.environment["AWS_REGION"],
        )

    @cached_property
    def api_gateway(self) -> APIGatewayClient:
        return self._session.client("apigateway", endpoint_url=self.endpoint)

    @cached_property
    def cloud_formation(self) -> CloudFormationClient:
        return self._session.client("cloudformation", endpoint_url=self.endpoint)

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        return self._session.client("logs", endpoint_url=self.endpoint)

    @cached_property
    def secrets_manager(self) -> SecretsManagerClient:
        return self._session.client("secretsmanager", endpoint_url=self.endpoint)
