"""The deployed stack answers what docs/openapi.yaml says, whatever is sent: thousands of requests by schemathesis."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from local.build import ROOT
from tests.support.client import Api, Vendors, new_phone

HERE = Path(__file__).parent
AT_LEAST = 800
# By the mode of the key: the phones to start for, and what begins a verification that a request is about.
TEST_PHONES = ["+79000000101", "+79000000102", "+79000000103", "+79000000104"]
TEST_STARTS = ['{"phone": "+79000000101"}', '{"phone": "+79000000101"}', '{"phone": "+79000000103"}']
LIVE_PHONES = [f"+7900000{number}" for number in range(1000, 1500)]
LIVE_STARTS = [f'{{"phone": "+7900000NUMBER", "provider": "{name}"}}' for name in ("ucaller", "telefon_ip", "smsc")]


def with_examples(phone: str, hinted: str, hinted_token: str, smsc_token: str) -> str:
    """The document with examples of this stack: what schemathesis varies must begin as something that works."""
    document = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text())
    parameters = document["components"]["parameters"]
    telefon_ip, smsc = (document["paths"][f"/webhooks/{path}"] for path in ("telefon-ip/{id}/{token}", "smsc/{token}"))
    telefon_ip["parameters"] = [
        parameters["VerificationId"] | {"example": hinted},
        parameters["WebhookToken"] | {"example": hinted_token},
    ]
    smsc["parameters"] = [parameters["WebhookToken"] | {"example": smsc_token}]
    return json.dumps(document).replace("+79000001234", phone)


def write_dictionary(directory: Path, name: str, values: list[str]) -> None:
    (directory / f"{name}.dict").write_text("".join(f'"{value}"\n' for value in values))


@pytest.mark.parametrize(
    ("key", "phones", "starts"),
    [("TEST_API_KEY", TEST_PHONES, TEST_STARTS), ("API_KEY", LIVE_PHONES, LIVE_STARTS)],
    ids=["test", "live"],
)
def test_every_answer_is_documented(
    key: str,
    phones: list[str],
    starts: list[str],
    stack: dict[str, str],
    api: Api,
    vendors: Vendors,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    hinted = api.started(new_phone(), provider="telefon_ip")
    vendors.dial(new_phone(), hinted)  # a stranger's call shows the address of the webhook
    hinted_token = vendors.answered_webhooks(hinted.id)[0]["url"].split("?")[0].rsplit("/", 1)[1]
    smsc_token = stack["SMSC_WEBHOOK_URL"].rsplit("/", 1)[1]

    shutil.copy(HERE / "schemathesis.toml", tmp_path)
    write_dictionary(tmp_path, "phones", phones)
    write_dictionary(tmp_path, "telefon_ip_ids", [hinted.id])
    write_dictionary(tmp_path, "telefon_ip_tokens", [hinted_token])
    write_dictionary(tmp_path, "smsc_tokens", [smsc_token])
    document, report_file = tmp_path / "openapi.json", tmp_path / "report.json"
    document.write_text(with_examples(phones[0], hinted.id, hinted_token, smsc_token))
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "BASE_URL": stack["BASE_URL"],
        "API_KEY": stack[key],
        "PHONES": json.dumps(phones),
        "STARTS": "\n".join(starts),
    }
    command: list[str | Path] = [Path(sys.executable).parent / "schemathesis", "run", document]
    with capfd.disabled():
        print(f"\nWith {key}:", flush=True)
        ended = subprocess.run(
            [*command, "--report-json-path", report_file, "--no-color"], cwd=tmp_path, env=environment, check=False
        )
    assert ended.returncode == 0
    report = json.loads(report_file.read_text())
    assert report["operations"]["tested"] == report["operations"]["total"]
    assert report["test_cases"]["generated"] >= AT_LEAST
