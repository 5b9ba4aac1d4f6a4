"""The function that serves the page: its files, their headers, the QR code, and nothing for anybody else."""

import importlib
import io
import json
import re
from typing import Any

import pytest
import segno

from functions.serve_page import app

FILES = ["app.js", "callverify.js", "icon.svg", "style.css"]


def get(file: str | None = None, **query: str) -> dict[str, Any]:
    return app.handler(
        {"pathParameters": {"file": file} if file else None, "queryStringParameters": query or None}, None
    )


def policy(answer: dict[str, Any]) -> dict[str, str]:
    directives = answer["headers"]["Content-Security-Policy"].split("; ")
    return {name: value for name, _, value in (directive.partition(" ") for directive in directives)}


def test_the_page_lets_nothing_else_in() -> None:
    answer = get()
    assert answer["headers"]["Content-Type"] == "text/html; charset=utf-8"
    assert policy(answer)["default-src"] == "'none'"
    assert {policy(answer)[f"{kind}-src"] for kind in ("script", "style", "img", "connect")} == {"'self'"}
    assert policy(answer)["frame-ancestors"] == "'none'"
    assert "unsafe" not in answer["headers"]["Content-Security-Policy"]
    # What the policy would refuse is not there either.
    assert not re.search(r"<style|<script>|\sstyle=|\son\w+=|https?://", answer["body"])


def test_origins_are_those_of_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_ORIGINS", "https://Shop.Example.com:443,https://app.example.com,https://a..b,file://x")
    monkeypatch.setenv("RETURN_ORIGINS", "HTTPS://shop.example.com")
    configured = importlib.reload(app)
    answer = configured.handler({}, None)
    assert policy(answer)["frame-ancestors"] == "https://shop.example.com https://app.example.com"
    assert 'data-allowed-origins="https://shop.example.com https://app.example.com"' in answer["body"]
    assert 'data-return-origins="https://shop.example.com"' in answer["body"]
    monkeypatch.undo()
    importlib.reload(app)


def test_the_page_asks_for_its_files_by_their_version() -> None:
    asked = dict(re.findall(r'(?:href|src)="page/([\w.]+)\?v=(\w+)"', get()["body"]))
    assert asked.keys() == {"app.js", "icon.svg", "style.css"}
    for file, version in asked.items():
        assert "immutable" in get(file, v=version)["headers"]["Cache-Control"]
        assert get(file, v="older")["headers"]["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("file", [None, *FILES, "qr.svg"])
def test_no_shared_cache_and_no_referrer(file: str | None) -> None:
    answer = get(file, number="+79000002761")
    assert answer["statusCode"] == 200
    assert answer["headers"]["Cache-Control"].startswith("private, ")
    assert answer["headers"]["X-Content-Type-Options"] == "nosniff"
    assert answer["headers"]["Referrer-Policy"] == "no-referrer"


def test_all_of_it_is_small() -> None:
    bodies = [get(file, number="+79000002761")["body"] for file in (None, *FILES, "qr.svg")]
    assert sum(len(body.encode()) for body in bodies) < 60_000


@pytest.mark.parametrize("file", ["app.py", "page.html", "../app.py", "__pycache__", ""])
def test_other_files_are_not_served(file: str) -> None:
    answer = app.handler({"pathParameters": {"file": file}}, None)
    assert answer["statusCode"] == 404
    assert json.loads(answer["body"])["code"] == "not_found"


def test_the_qr_code_dials() -> None:
    expected = io.BytesIO()
    segno.make("tel:+79000002761", error="m", micro=False).save(expected, kind="svg", light="#fff", border=2)
    path = re.search(r'stroke="#000" d="([^"]+)"', get("qr.svg", number="+79000002761")["body"])
    assert path
    assert path[1] in expected.getvalue().decode()


@pytest.mark.parametrize(
    "number", [None, "", "79000002761", "+7900000276x", "+0900000276", "+" + "7" * 16, "+79000002761\n"]
)
def test_the_qr_code_dials_numbers_alone(number: str | None) -> None:
    answer = get("qr.svg", number=number) if number is not None else get("qr.svg")
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["code"] == "invalid_request"


def test_a_number_is_judged_whichever_file_it_comes_with() -> None:
    assert get("app.js", number="nobody")["statusCode"] == 400
    assert get("app.js", number="+79000002761")["statusCode"] == 200
