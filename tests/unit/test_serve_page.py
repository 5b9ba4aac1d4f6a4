"""The function that serves the page: its files, their headers, and nothing for anybody else."""

import base64
import hashlib
import importlib
import json
import re
from typing import Any

import pytest

from callverify.domain.words import Challenge, Method
from callverify.providers import registry
from functions.serve_page import app

FILES = ["app.js", "callverify.js", "icon.svg", "qr.js", "style.css"]


def get(file: str | None = None, **query: str) -> dict[str, Any]:
    return app.handler(
        {"pathParameters": {"file": file} if file else None, "queryStringParameters": query or None}, None
    )


def policy(answer: dict[str, Any]) -> dict[str, str]:
    directives = answer["headers"]["Content-Security-Policy"].split("; ")
    return {name: value for name, _, value in (directive.partition(" ") for directive in directives)}


def inlined(tag: str) -> list[str]:
    return re.findall(rf"<{tag}>(.*?)</{tag}>", get()["body"], re.DOTALL)


def hashes(texts: list[str]) -> str:
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
    return " ".join(f"'sha256-{digest}'" for digest in digests)


def test_the_page_lets_nothing_else_in() -> None:
    answer = get()
    assert answer["headers"]["Content-Type"] == "text/html; charset=utf-8"
    assert policy(answer) == {
        "default-src": "'none'",
        "script-src": hashes(inlined("script")),
        "style-src": hashes(inlined("style")),
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
    }


def test_the_page_is_one_request() -> None:
    assert inlined("script") == [get(file)["body"] for file in ("qr.js", "app.js")]
    assert inlined("style") == [get("style.css")["body"]]
    markup = re.sub(r"<(script|style)>.*?</\1>", "", get()["body"], flags=re.DOTALL)
    asked: list[str] = re.findall(r'(?:href|src)="([^"]*)"', markup)
    # Without an icon of its own, a browser asks for /favicon.ico.
    assert [address.partition(",")[0] for address in asked] == ["data:image/svg+xml;base64"]
    assert base64.b64decode(asked[0].partition(",")[2]).decode() == get("icon.svg")["body"]
    # Nor does what the policy would refuse stand in it.
    assert not re.search(r"\sstyle=|\son\w+=|https?://", markup)
    assert len(get()["body"].encode()) < 60_000


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


def test_the_page_may_listen_at_the_stacks_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPDATES_HOST", "x.appsync-api.example")
    monkeypatch.setenv("UPDATES_SOCKET_HOST", "x.appsync-realtime-api.example")
    answer = app.page()
    assert policy(answer)["connect-src"] == "'self' wss://x.appsync-realtime-api.example"
    assert 'data-updates-url="wss://x.appsync-realtime-api.example/event/realtime"' in answer["body"]
    assert 'data-updates-host="x.appsync-api.example"' in answer["body"]


@pytest.mark.parametrize("file", FILES)
def test_a_page_opened_before_an_upgrade_gets_its_files(file: str) -> None:
    (version,) = [version for name, (_, version) in app.FILES.items() if name == file]
    assert "immutable" in get(file, v=version)["headers"]["Cache-Control"]
    assert get(file, v="older")["headers"]["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("file", [None, *FILES])
def test_no_shared_cache_and_no_referrer(file: str | None) -> None:
    answer = get(file)
    assert answer["statusCode"] == 200
    assert answer["headers"]["Cache-Control"].startswith("private, ")
    assert answer["headers"]["X-Content-Type-Options"] == "nosniff"
    assert answer["headers"]["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("file", [None, *FILES])
def test_the_page_knows_no_provider(file: str | None) -> None:
    text = get(file)["body"].lower()
    assert "provider" not in re.sub("// .*", "", text)
    for manifest in registry.manifests():
        assert manifest.name not in text
        assert manifest.title.lower() not in text


def test_the_page_draws_every_challenge_and_has_words_for_every_method() -> None:
    script = get("app.js")["body"]
    challenges = {Challenge.enter_digits().type, Challenge.call_number("+79000000100").type}
    (drawn,) = re.findall(r"const CHALLENGES = {(.*?)};", script)
    assert set(re.findall(r"(\w+):", drawn)) == challenges
    for words in ("switchTo", "switchTitle"):
        for named in re.findall(rf"{words}: {{(.*?)}}", script):
            assert set(re.findall(r"(\w+): \"", named)) == set(Method)
        assert len(re.findall(rf"{words}: {{", script)) == 2  # languages


@pytest.mark.parametrize("file", [None, *FILES, "nothing.js"])
def test_browsers_keep_to_https(file: str | None) -> None:
    assert get(file)["headers"]["Strict-Transport-Security"] == "max-age=31536000"


def test_the_opener_of_the_page_has_no_hold_on_it() -> None:
    assert get()["headers"]["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/page/", "/v1/page/", "/verify/page/"])
def test_a_slash_at_the_end_leads_to_the_page(path: str) -> None:
    answer = app.handler({"path": path, "pathParameters": None}, None)
    # Relative, and without a fragment: the browser keeps the link's own.
    assert (answer["statusCode"], answer["headers"]["Location"]) == (308, "../page")
    assert app.handler({"path": path.rstrip("/"), "pathParameters": None}, None)["statusCode"] == 200


@pytest.mark.parametrize("file", ["app.py", "page.html", "../app.py", "__pycache__", "", "qr.svg"])
def test_other_files_are_not_served(file: str) -> None:
    answer = app.handler({"pathParameters": {"file": file}}, None)
    assert answer["statusCode"] == 404
    assert json.loads(answer["body"])["code"] == "not_found"
