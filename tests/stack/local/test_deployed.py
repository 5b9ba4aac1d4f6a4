"""The local stack, from outside: what of it does not depend on the service's rules."""

import json
from pathlib import Path

import pytest
import requests

from tests.support.client import PATIENCE, until

CONTRACT_NAMES = {
    "BASE_URL",
    "API_KEY",
    "TEST_API_KEY",
    "SIMULATOR_URL",
    "AWS_ENDPOINT_URL",
    "TABLE_NAME",
    "INDEX_TABLE_NAME",
    "SMSC_WEBHOOK_URL",
    "SMSC_CALLBACK_SECRET",
    "LOG_FILE",
    "RECEIVER_URL",
    "EVENT_SIGNING_SECRET",
}


def test_the_env_file_names_everything(stack: dict[str, str]) -> None:
    assert stack.keys() >= CONTRACT_NAMES
    assert stack["BASE_URL"].endswith("/v1")
    assert Path(stack["LOG_FILE"]).is_absolute()


@pytest.mark.parametrize(
    ("path", "authorization", "status", "code"),
    [
        ("/nowhere", None, 404, "not_found"),
        ("/verifications/none", None, 401, "unauthorized"),
        ("/verifications/none", "Bearer cv_live_unknown", 401, "unauthorized"),
    ],
)
def test_the_gateway_answers_with_problems(
    stack: dict[str, str], path: str, authorization: str | None, status: int, code: str
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    response = requests.get(stack["BASE_URL"] + path, headers=headers, timeout=PATIENCE)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["request_id"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/webhooks/nobody/x", "There is no such webhook."),
        ("/webhooks/nobody/x/y/z", "There is no such webhook."),
        ("/webhooks/nobody/x%2Fy/..%2Fz?x=1&x=2", "There is no such webhook."),
        # The gateway's own words.
        ("/webhooks/nobody", "This path does not exist, or not with this method."),
    ],
)
def test_any_report_of_any_provider_reaches_the_one_function(
    stack: dict[str, str], method: str, path: str, detail: str
) -> None:
    response = requests.request(method, stack["BASE_URL"] + path, timeout=PATIENCE)
    assert (response.status_code, response.json()["detail"]) == (404, detail)


def test_what_comes_after_a_providers_name_reaches_the_provider(stack: dict[str, str]) -> None:
    url = stack["SMSC_WEBHOOK_URL"]
    assert requests.get(url, timeout=PATIENCE).status_code == 200
    assert requests.get(f"{url}x", timeout=PATIENCE).status_code == 404
    assert requests.get(f"{url}/x", timeout=PATIENCE).status_code == 404


def test_a_browser_may_ask_before_it_switches(stack: dict[str, str]) -> None:
    response = requests.options(f"{stack['BASE_URL']}/verifications/none/switch", timeout=PATIENCE)
    assert response.status_code == 204


def test_the_log_file_follows_the_functions(stack: dict[str, str]) -> None:
    log = Path(stack["LOG_FILE"])
    headers = {"Authorization": f"Bearer {stack['API_KEY']}"}
    body = {"phone": "+79000004329", "method": "reverse_call", "provider": "telefon_ip"}
    started = requests.post(f"{stack['BASE_URL']}/verifications", json=body, headers=headers, timeout=PATIENCE)
    assert started.status_code == 201

    def lines() -> list[str]:
        about_it = [line for line in log.read_text().splitlines() if started.json()["id"] in line]
        return [line for line in about_it if '"message":"POST /verifications"' in line]

    (line,) = until(lines, bool)
    assert json.loads(line)["attempts"][0]["provider"] == "telefon_ip"
