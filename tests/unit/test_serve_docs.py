"""The function that serves the document of the API: as JSON and as a page, for whichever address it was asked at."""

import base64
import hashlib
import json
import re
from typing import Any

import pytest

from functions.serve_docs import app
from tests.support.gateway import load_event

DOMAIN = "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/v1"
NAMES = ["openapi", "docs"]


def get(name: str, **headers: str) -> dict[str, Any]:
    event = load_event(name)
    return app.handler(event | {"headers": event["headers"] | headers}, None)


def document(answer: dict[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(answer["body"])
    return read


def test_the_server_is_the_one_that_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert document(get("openapi"))["servers"] == [{"url": DOMAIN}]
    assert f"curl -sS {DOMAIN}/verifications" in get("docs")["body"]
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://verify.example.com/")
    assert document(get("openapi"))["servers"] == [{"url": "https://verify.example.com"}]
    assert "curl -sS https://verify.example.com/verifications" in get("docs")["body"]
    assert DOMAIN not in get("docs")["body"]


def test_any_origin_may_read_the_document_but_none_may_frame_the_page() -> None:
    assert get("openapi")["headers"]["Access-Control-Allow-Origin"] == "*"
    assert "frame-ancestors 'none'" in get("docs")["headers"]["Content-Security-Policy"]


def test_the_page_runs_its_own_script_and_asks_for_nothing_of_others() -> None:
    answer = get("docs")
    policy = dict(each.split(" ", 1) for each in answer["headers"]["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    for element in ("script", "style"):
        (text,) = re.findall(rf"<{element}[^>]*>(.*?)</{element}>", answer["body"], re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy[f"{element}-src"] == f"'sha256-{digest}'"
    assert not re.search(r"\sstyle=|\son\w+=|(?:src|href)=\"(?:https?:)?//", answer["body"])
    assert re.findall(r'<link[^>]+href="([^"]+)"', answer["body"]) == ["page/icon.svg"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sent", ["{tag}", "W/{tag}", '"other", {tag}', "*"])
@pytest.mark.parametrize("header", ["If-None-Match", "if-none-match"])
def test_what_is_known_is_not_sent_again(name: str, sent: str, header: str) -> None:
    first = get(name)
    again = get(name, **{header: sent.format(tag=first["headers"]["ETag"])})
    assert (again["statusCode"], again["body"]) == (304, "")
    assert again["headers"] == first["headers"]
    assert get(name) == first


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sent", ["", '"other"', 'W/"other", '])
def test_what_is_not_known_is_sent(name: str, sent: str) -> None:
    answer = get(name, **{"If-None-Match": sent})
    assert answer["statusCode"] == 200
    assert answer["headers"]["Cache-Control"] == "public, max-age=300"


def test_another_address_has_another_etag(monkeypatch: pytest.MonkeyPatch) -> None:
    tags = {get(name)["headers"]["ETag"] for name in NAMES}
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://verify.example.com")
    assert len(tags | {get(name)["headers"]["ETag"] for name in NAMES}) == 4


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small(name: str) -> None:
    assert len(get(name)["body"].encode()) < 400_000
