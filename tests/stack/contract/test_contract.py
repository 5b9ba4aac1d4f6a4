"""The deployed stack answers what docs/openapi.yaml says, whatever is sent: thousands of requests by schemathesis."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from callverify.providers import registry
from local.build import ROOT
from tests.support.client import Api, Vendors, new_phone, numbered_phone, until

HERE = Path(__file__).parent
AT_LEAST = 800
# By the mode of the key: the phones to start for, and what begins a verification that a request is about.
TEST_PHONES = ["+79000000101", "+79000000102", "+79000000103", "+79000000104"]
TEST_STARTS = ['{"phone": "+79000000101"}', '{"phone": "+79000000101"}', '{"phone": "+79000000103"}']
LIVE_PHONES = [numbered_phone(number) for number in range(500)]
ROUTES = [(each.name, route) for each in registry.manifests() for route in each.routes]
# Calls that cost nothing, and one that does: the limit of paid calls a day is for all suites of a stack.
LIVE_ROUTES = [each for each in ROUTES if not each[1].paid] + [each for each in ROUTES if each[1].resends_safely][:1]
LIVE_STARTS = [
    f'{{"phone": "NUMBERED", "provider": "{name}", "method": "{route.method}"}}' for name, route in LIVE_ROUTES
]
REPORTED = [each.name for each in registry.manifests() if each.webhook]
ROUTE = "/webhooks/{provider}/{rest}"


@dataclass(frozen=True)
class Address:
    """Where a provider reports: the document's one route, as this provider uses it."""

    provider: str
    parts: dict[str, str]  # what follows the provider's name, by a name of ours
    report: dict[str, str]  # one that came

    @property
    def path(self) -> str:
        return f"/webhooks/{self.provider}/" + "/".join(f"{{{name}}}" for name in self.parts)

    def parameters(self) -> list[dict[str, Any]]:
        text = {"type": "string"}
        return [
            {"name": name, "in": "path", "required": True, "schema": text, "example": value}
            for name, value in self.parts.items()
        ]

    def configuration(self) -> str:
        """For schemathesis: mostly this very address."""
        lines = []
        for name, value in self.parts.items():
            lines += [f"[dictionaries.{self.provider}-{name}]", f"values = {json.dumps([value])}"]
        lines += ["[[operations]]", f'include-path-regex = "/webhooks/{self.provider}/"']
        for name in self.parts:
            lines += [f'parameters."path.{name}" = {{ dictionary = "{self.provider}-{name}", probability = 0.9 }}']
        return "\n".join(["", *lines, ""])

    def query(self) -> list[dict[str, Any]]:
        text = {"type": "string"}
        return [{"name": name, "in": "query", "schema": text, "example": value} for name, value in self.report.items()]


def address_of(provider: str, api: Api, vendors: Vendors) -> Address:
    """Of a verification that stays pending where the vendor reports a stranger's call too."""
    phone, caller = new_phone(), new_phone()
    route = next(route for route in registry.manifest(provider).routes if route.webhook)
    started = api.started(phone, provider=provider, method=route.method)
    if route.code:
        vendors.told_code(phone, route.code.digits, asks=True)
    elif vendors.dial(caller, started) == "none":
        vendors.dial(phone, started)

    def answered() -> list[dict[str, Any]]:
        sent = vendors.webhooks(f"/webhooks/{provider}/")
        return [webhook for webhook in sent if webhook["outcome"] == "answered"]

    sent = until(answered, bool)[-1]
    url = urlsplit(sent["url"])
    rest = url.path.partition(f"/webhooks/{provider}/")[2].split("/")
    parts = dict(zip(("id", "token")[-len(rest) :], rest, strict=True))
    return Address(provider, parts, dict(parse_qsl(url.query)) | (sent["form"] or {}))


def with_examples(phone: str, addresses: list[Address]) -> str:
    """The document with examples of this stack: what schemathesis varies must begin as something that works.

    The providers' one route becomes a path for each of them, since a parameter of OpenAPI holds no slash.
    """
    document = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text())
    general = document["paths"].pop(ROUTE)
    for address in addresses:
        own = json.loads(json.dumps(general)) | {"parameters": address.parameters()}
        own["get"]["parameters"] = address.query()
        for verb in ("get", "post"):
            own[verb]["operationId"] += f"_{address.provider}"
        for content in own["post"]["requestBody"]["content"].values():
            content["example"] = address.report
        document["paths"][address.path] = own
    return json.dumps(document).replace("+79000001234", phone)


@pytest.mark.parametrize(
    ("key", "phones", "starts", "sdk_start"),
    [
        ("TEST_API_KEY", TEST_PHONES, TEST_STARTS, ("+79000000103", "sna")),
        ("API_KEY", LIVE_PHONES, LIVE_STARTS, (None, "sna")),
    ],
    ids=["test", "live"],
)
def test_every_answer_is_documented(
    key: str,
    phones: list[str],
    starts: list[str],
    sdk_start: tuple[str | None, str],
    stack: dict[str, str],
    api: Api,
    vendors: Vendors,
    tmp_path: Path,
) -> None:
    addresses = [address_of(provider, api, vendors) for provider in REPORTED]
    configuration = (HERE / "schemathesis.toml").read_text()
    (tmp_path / "schemathesis.toml").write_text(configuration + "".join(map(Address.configuration, addresses)))
    (tmp_path / "phones.dict").write_text("".join(f'"{phone}"\n' for phone in phones))
    document, report_file = tmp_path / "openapi.json", tmp_path / "report.json"
    document.write_text(with_examples(phones[0], addresses))
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'layers/callverify'}",
        "BASE_URL": stack["BASE_URL"],
        "API_KEY": stack[key],
        "PHONES": json.dumps(phones),
        "STARTS": "\n".join(starts),
        "SDK_START": json.dumps(sdk_start),
    }
    command: list[str | Path] = [Path(sys.executable).parent / "schemathesis", "run", document]
    command += ["--report-json-path", report_file, "--no-color"]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    print(ended.stdout)  # with pytest's -s: the requests, and how many were answered with which status
    assert ended.returncode == 0, ended.stderr
    report = json.loads(report_file.read_text())
    assert report["operations"]["tested"] == report["operations"]["total"]
    assert report["test_cases"]["generated"] >= AT_LEAST
