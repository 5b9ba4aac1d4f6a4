"""The function that serves the page: its files, their headers, and nothing for anybody else."""

import base64
import hashlib
import importlib
import json
import re
from typing import Any

import pytest

from callverify.domain.brands import Brand
from callverify.domain.colors import contrast
from callverify.domain.words import Challenge, Method
from callverify.providers import registry
from callverify.service.requests import LOCALES
from functions.serve_page import app

FILES = ["app.js", "callverify.js", "icon.svg", "parts.js", "qr.js", "style.css"]
WORDS = app.words()
BRANDS = {"acme": {"name": "Acme", "color": "#ffdd2d", "logo_url": "https://Logos.example:443/acme.svg"}}


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
    assert inlined("script")[1:] == [app.served(file) for file in ("qr.js", "parts.js", "app.js")]
    assert inlined("style") == [app.served("style.css"), ""]
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
    script = app.FILES["app.js"][0]
    challenges = {Challenge.enter_digits().type, Challenge.call_number("+79000000100").type}
    (drawn,) = re.findall(r"const CHALLENGES = {(.*?)};", script)
    assert set(re.findall(r"(\w+):", drawn)) == challenges
    for words in WORDS.values():
        assert words["switchTo"].keys() == words["switchTitle"].keys() == set(Method)


# The texts: one file for each language


def flat(words: dict[str, Any], before: str = "") -> dict[str, str]:
    """Texts by their path. A text with forms for numbers is one of each form."""
    found: dict[str, str] = {}
    for name, text in words.items():
        found |= flat(text, f"{before}{name}.") if isinstance(text, dict) else {f"{before}{name}": text}
    return found


def without_forms(texts: dict[str, str]) -> set[str]:
    return {re.sub(r"\.(zero|one|two|few|many|other)$", "", name) for name in texts}


def test_every_language_of_a_start_has_its_texts() -> None:
    assert set(LOCALES) <= WORDS.keys()


@pytest.mark.parametrize("language", sorted(WORDS.keys() - {"en"}))
def test_no_text_is_missing_in_a_language(language: str) -> None:
    english, texts = flat(WORDS["en"]), flat(WORDS[language])
    assert without_forms(texts) == without_forms(english)
    # Nor a value that a text has to name; where a number is one, "the last digit" names none.
    for name, text in english.items():
        if name in texts and not name.endswith(".one"):
            assert set(re.findall(r"{\w+}", texts[name])) == set(re.findall(r"{\w+}", text)), name
    assert [name for name, text in texts.items() if not text.strip()] == []


def test_every_text_is_used_and_every_used_text_is_there() -> None:
    used = set(re.findall(r"words\.(\w+)", app.FILES["app.js"][0])) | set(
        re.findall(r'support\("(\w+)"', app.FILES["app.js"][0])
    )
    assert used | {"noscript", "late"} == WORDS["en"].keys()


@pytest.mark.parametrize("language", WORDS)
def test_no_word_says_left_twice_on_a_screen(language: str) -> None:
    """The time that is left stands on every screen that waits: nothing else is "left" in Russian."""
    assert [name for name, text in flat(WORDS[language]).items() if "Остал" in text] in ([], ["left"])


@pytest.mark.parametrize("language", WORDS)
def test_no_call_is_said_to_be_free(language: str) -> None:
    """The user's tariff decides."""
    assert not re.search(r"\bfree\b|бесплатн", " ".join(flat(WORDS[language]).values()), re.IGNORECASE)


# Brands


@pytest.fixture
def branded(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("BRAND_NAME", "Shop </script>")
    monkeypatch.setenv("BRAND_COLOR", "#101820")
    monkeypatch.setenv("BRAND_LOGO_URL", "https://cdn.example/logo.png")
    monkeypatch.setenv("SUPPORT_URL", "mailto:help@shop.example")
    monkeypatch.setenv("BRANDS", json.dumps({**BRANDS, "no_name": {"color": "#ffffff"}}))
    return app.page()


def test_the_page_has_the_brands_and_loads_their_logos_alone(branded: dict[str, Any]) -> None:
    assert policy(branded)["img-src"] == "data: https://cdn.example https://logos.example"
    (told,) = re.findall(r"const given = (.*?);</script>", branded["body"])
    assert json.loads(told)["brands"] == {
        "": {
            "name": "Shop </script>",
            "logo": "https://cdn.example/logo.png",
            "support": "mailto:help@shop.example",
        },
        "acme": {"name": "Acme", "logo": BRANDS["acme"]["logo_url"], "support": ""},
    }
    assert "Shop </script>" not in branded["body"]


def test_brands_stand_in_the_page_under_the_policy(branded: dict[str, Any]) -> None:
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", branded["body"], re.DOTALL)
        assert policy(branded)[directive] == hashes(found)


@pytest.mark.parametrize(
    "color", ["#ffffff", "#000000", "#ffdd2d", "#101820", "#1f5be0", "#777777", "#00ff00", "#ff0000"]
)
def test_a_brands_colour_can_be_read_in_both_themes(color: str) -> None:
    light, dark = app.brand_style({"x": Brand("X", color)}).splitlines()
    for rule, card in ((light, "#ffffff"), (dark, "#181c22")):
        colors = dict(re.findall(r"--([\w-]+):(#\w+);", rule))
        assert contrast(colors["accent"], card) >= 4.5
        assert contrast(colors["on-fill"], colors["fill"]) >= 4.5
        assert contrast(colors["fill"], card) >= 1.3


def test_a_colour_that_can_be_read_is_left_as_it_is() -> None:
    assert "--accent:#b3005e;--fill:#b3005e;--on-fill:#ffffff" in app.brand_style({"x": Brand("X", "#b3005e")})


def test_cards_are_those_of_the_style() -> None:
    light, dark = re.findall(r"--card: (#\w+);", app.FILES["style.css"][0])
    assert (light, dark) == ("#fff", app.CARDS["dark"])
    assert app.CARDS["light"] == "#ffffff"


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
