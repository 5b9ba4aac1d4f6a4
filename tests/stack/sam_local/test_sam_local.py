"""The functions in containers, by the real `sam local`, on the local stack's data and simulators."""

import base64
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
import yaml
from botocore.config import Config

from local.background import background_stack
from local.build import ROOT, SAM, host_architecture, sam_environment
from local.containers import VARIABLES_FILE
from local.processes import free_port, running
from tests.support.client import EVIDENCE
from tests.support.samples import JOURNEYS

EVENTS = ROOT / "events"
# What no route leads to, and what it says when all is well. The rest are JOURNEYS.
OTHERS: dict[tuple[str, str], Any] = {
    ("follow_up", "FollowUpFunction"): {"batchItemFailures": []},
    ("follow_up_question", "FollowUpFunction"): {"batchItemFailures": []},
    ("transition", "ScheduleFollowUpFunction"): None,
    ("transition", "PublishEventFunction"): None,
    ("delivery", "DeliverEventFunction"): {"batchItemFailures": []},
}
# The event of the README's command, which is run as it stands there.
README_NAME = "start_telefon_ip"
START_SECONDS = 120
CALL_SECONDS = 60


@dataclass(frozen=True)
class SamLocal:
    """The local stack, and `sam local` on its build. `endpoint`: where `sam local start-lambda` answers."""

    env: dict[str, str]
    directory: Path
    endpoint: str = ""

    @cached_property
    def built(self) -> dict[str, Any]:
        loaded: dict[str, Any] = yaml.safe_load((self.directory / "build/template.yaml").read_text())
        return loaded

    def options(self, *, variables: Path | None = None, template: Path | None = None) -> list[str | Path]:
        architecture = host_architecture()
        image = f"public.ecr.aws/lambda/python:3.13-{architecture}"
        there = subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0
        return [
            *("--template", template or self.directory / "build/template.yaml"),
            *("--env-vars", variables or self.directory / VARIABLES_FILE),
            *("--parameter-overrides", f"Architecture={architecture}"),
            *(["--skip-pull-image"] if there else []),
        ]

    @property
    def environment(self) -> dict[str, str]:
        aws = {name: value for name, value in self.env.items() if name.startswith("AWS_") and "ENDPOINT" not in name}
        return {**sam_environment(), **aws}

    def invoke(self, function: str, event: Path) -> Any:
        """Have `sam local start-lambda` run it. In a container that stays: `sam local invoke` starts one each time."""
        client = boto3.client(
            "lambda",
            endpoint_url=self.endpoint,
            region_name=self.env["AWS_REGION"],
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(read_timeout=CALL_SECONDS, retries={"max_attempts": 0}),
        )
        return json.loads(client.invoke(FunctionName=function, Payload=event.read_bytes())["Payload"].read() or "null")

    def invoke_once(self, function: str, event: Path) -> Any:
        """By `sam local invoke`."""
        command = [SAM, "local", "invoke", function, "--event", event, *self.options()]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "null")

    def without_preflights(self) -> Path:
        """A copy of the built template without OPTIONS.

        Of a function's routes with one path, SAM CLI 1.170 gives all the authorizer of one of them, in no order: those
        with a preflight lose theirs.
        """
        template = deepcopy(self.built)
        for resource in template["Resources"].values():
            events = resource["Properties"].get("Events", {})
            for name in [name for name, event in events.items() if event["Properties"].get("Method") == "options"]:
                del events[name]
        copy = self.directory / "build/without_preflights.yaml"
        copy.write_text(yaml.safe_dump(template))
        return copy

    def function_of(self, event: dict[str, Any]) -> str:
        """The logical id of the function that the event's route leads to."""
        for name, resource in self.built["Resources"].items():
            for route in resource["Properties"].get("Events", {}).values():
                properties = route["Properties"]
                if (properties["Path"], properties["Method"].upper()) == (event["resource"], event["httpMethod"]):
                    return str(name)
        raise AssertionError(event["resource"])


@pytest.fixture(scope="module")
def sam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SamLocal]:
    directory = tmp_path_factory.mktemp("stack")
    with background_stack(directory, bind_host="0.0.0.0") as env:
        sam = SamLocal(env, directory)
        with listening(sam, "start-lambda") as endpoint:
            yield replace(sam, endpoint=endpoint)


@contextmanager
def listening(sam: SamLocal, what: str, *options: str | Path, port: int | None = None) -> Iterator[str]:
    """`sam local start-lambda` or `start-api`, until the block ends: its URL. `options` in place of sam.options()."""
    port = port or free_port()
    command: list[str | Path] = [SAM, "local", what, "--port", str(port), "--warm-containers", "LAZY"]
    log = sam.directory / f"{what}.log"
    with running([*command, *(options or sam.options())], env=sam.environment, cwd=ROOT, log=log) as process:
        deadline = time.monotonic() + START_SECONDS
        while "Running on" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("name", JOURNEYS)
def test_each_journey_of_events_can_be_invoked(sam: SamLocal, name: str) -> None:
    file = EVENTS / f"{name}.json"
    invoke = sam.invoke_once if name == README_NAME else sam.invoke
    answer = invoke(sam.function_of(json.loads(file.read_text())), file)
    status, code = JOURNEYS[name]
    assert answer["statusCode"] == status
    assert code is None or json.loads(answer["body"])["code"] == code


@pytest.mark.parametrize(("name", "function"), OTHERS)
def test_what_has_no_route_can_be_invoked(sam: SamLocal, name: str, function: str) -> None:
    assert sam.invoke(function, EVENTS / f"{name}.json") == OTHERS[name, function]


@pytest.mark.parametrize(
    ("name", "function", "text"),
    [
        ("page", "ServePageFunction", "<html"),
        ("docs", "ServeDocsFunction", "<html"),
        ("openapi", "ServeDocsFunction", '"openapi":'),
    ],
)
def test_pages_and_documents_can_be_invoked(sam: SamLocal, name: str, function: str, text: str) -> None:
    answer = sam.invoke(function, EVENTS / f"{name}.json")
    body = base64.b64decode(answer["body"]).decode() if answer.get("isBase64Encoded") else answer["body"]
    assert (answer["statusCode"], text in body) == (200, True)


def test_the_authorizer_can_be_invoked(sam: SamLocal, tmp_path: Path) -> None:
    event = json.loads((EVENTS / "authorize.json").read_text())
    assert sam.invoke("AuthorizeFunction", EVENTS / "authorize.json")["errorMessage"] == "Unauthorized"
    (tmp_path / "authorize.json").write_text(json.dumps(event | {"authorizationToken": f"Bearer {sam.env['API_KEY']}"}))
    allowed = sam.invoke("AuthorizeFunction", tmp_path / "authorize.json")
    assert allowed["policyDocument"]["Statement"][0]["Effect"] == "Allow"


def test_the_authorizer_of_updates_can_be_invoked(sam: SamLocal) -> None:
    answer = sam.invoke("AuthorizeUpdatesFunction", EVENTS / "authorize_updates.json")
    assert answer == {"isAuthorized": False, "ttlOverride": 0}


@pytest.mark.parametrize("name", ["sign_up", "define", "create", "verify"])
def test_the_triggers_of_a_user_pool_can_be_invoked(sam: SamLocal, name: str) -> None:
    """This stack has no pool."""
    answer = sam.invoke("CognitoTriggersFunction", EVENTS / f"cognito_{name}.json")
    assert answer["errorMessage"] == "UNAVAILABLE"


def test_every_function_is_invoked(sam: SamLocal) -> None:
    functions = {
        name for name, resource in sam.built["Resources"].items() if resource["Type"] == "AWS::Serverless::Function"
    }
    invoked = {sam.function_of(json.loads((EVENTS / f"{name}.json").read_text())) for name in JOURNEYS}
    static = {"ServePageFunction", "ServeDocsFunction"}
    authorizers = {"AuthorizeFunction", "AuthorizeUpdatesFunction"}
    others = {function for _, function in OTHERS}
    assert functions == invoked | others | static | authorizers | {"CognitoTriggersFunction"}


@pytest.fixture(scope="module")
def api(sam: SamLocal) -> Iterator[str]:
    """The base URL of `sam local start-api`, where the vendors report to as well."""
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    variables = json.loads((sam.directory / VARIABLES_FILE).read_text())
    variables["Parameters"]["PUBLIC_BASE_URL"] = base_url
    file = sam.directory / "start-api.json"
    file.write_text(json.dumps(variables))
    token = sam.env["SMSC_WEBHOOK_URL"].rpartition("/")[2]
    cabinet = {
        "handler_url": f"{base_url}/webhooks/smsc/{token}",
        "callback_secret": sam.env["SMSC_CALLBACK_SECRET"],
    }
    requests.post(f"{sam.env['SIMULATOR_URL']}/smsc/cabinet", json=cabinet, timeout=60).raise_for_status()
    options = sam.options(variables=file, template=sam.without_preflights())
    with listening(sam, "start-api", *options, port=port):
        yield base_url


def call(sam: SamLocal, verb: str, url: str, **body: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {sam.env['API_KEY']}"}
    answer = requests.request(verb, url, json=body or None, headers=headers, timeout=CALL_SECONDS)
    assert answer.status_code in (200, 201), f"{answer.status_code} {answer.text}"
    read: dict[str, Any] = answer.json()
    return read


@pytest.mark.parametrize(("provider", "phone"), [("telefon_ip", "+79000005001"), ("smsc", "+79000005002")])
def test_a_reverse_call_through_start_api(sam: SamLocal, api: str, provider: str, phone: str) -> None:
    started = call(sam, "POST", f"{api}/verifications", phone=phone, method="reverse_call", provider=provider)
    dialled = requests.post(
        f"{sam.env['SIMULATOR_URL']}/phone/{phone}/dial",
        json={"number": started["challenge"]["number"]},
        timeout=CALL_SECONDS,
    ).json()
    assert dialled["provider"] == provider
    deadline = time.monotonic() + CALL_SECONDS
    while (read := call(sam, "GET", f"{api}/verifications/{started['id']}"))["status"] == "pending":
        assert time.monotonic() < deadline, read
        time.sleep(1)
    assert (read["status"], read["evidence"]) == ("verified", EVIDENCE[provider])


def test_a_flash_call_through_start_api(sam: SamLocal, api: str) -> None:
    phone = "+79000005003"
    started = call(sam, "POST", f"{api}/verifications", phone=phone, method="flash_call")
    rang = requests.get(f"{sam.env['SIMULATOR_URL']}/phone/{phone}", timeout=60).json()["incoming_calls"]
    (code,) = re.findall(r"\d{4}$", rang[0]["from"])
    checked = call(sam, "POST", f"{api}/verifications/{started['id']}/check", code=code)
    assert (checked["valid"], checked["status"]) == (True, "verified")


def test_start_api_wants_a_key(api: str) -> None:
    assert requests.get(f"{api}/verifications/none", timeout=CALL_SECONDS).status_code == 401
