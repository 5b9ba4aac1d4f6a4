"""Chromium, a deployed stack that knows the origins below, and a site at one of them."""

import os
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from werkzeug.serving import make_server

from local.background import background_stack
from local.env import read_env
from simulators.__main__ import QuietHandler

ROOT = Path(__file__).resolve().parents[3]
AXE = ROOT / ".axe/node_modules/axe-core/axe.min.js"
ACORN = ROOT / ".axe/node_modules/acorn/dist/acorn.js"
SHOP_PORT = 8808
SHOP = f"http://localhost:{SHOP_PORT}"
RETURN_ORIGIN = "https://shop.example.com"
# Many starts for one block of numbers, from one address.
PARAMETERS = {
    "AllowedOrigins": SHOP,
    "ReturnOrigins": RETURN_ORIGIN,
    "PhoneCooldownSeconds": "0",
    "PrefixTenMinuteLimit": "1000",
    "IpTenMinuteLimit": "1000",
    "BrowserTenMinuteLimit": "1000",
}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# It runs as root in a container, and should reach for nothing by itself.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# What Safari 14.0 or Chrome 86 does not have. Every test's pages do without.
NEWER = {
    "Object": "groupBy hasOwn",
    "Array": "fromAsync",
    "Array.prototype": "at findLast findLastIndex group toReversed toSorted toSpliced with",
    "Uint8Array": "fromBase64 fromHex",
    "Uint8Array.prototype.__proto__": "at findLast findLastIndex toReversed toSorted with",
    "String.prototype": "at isWellFormed toWellFormed",
    "Promise": "try withResolvers",
    "Map": "groupBy",
    "Set.prototype": "difference intersection isDisjointFrom isSubsetOf isSupersetOf symmetricDifference union",
    "RegExp": "escape",
    "AbortSignal": "any timeout",
    "AbortSignal.prototype": "throwIfAborted",
    "Crypto.prototype": "randomUUID",
    "URL": "canParse parse",
    "URLSearchParams.prototype": "size",
    "Response": "json",
    "Intl": "DurationFormat ListFormat Segmenter supportedValuesOf",
    "Element.prototype": "checkVisibility setHTML setHTMLUnsafe",
    "HTMLElement.prototype": "hidePopover inert showPopover togglePopover",
    "HTMLFormElement.prototype": "requestSubmit",
    "Document.prototype": "startViewTransition",
    "Navigator.prototype": "locks userActivation userAgentData",
    "window": "BroadcastChannel CompressionStream DecompressionStream FinalizationRegistry HTMLDialogElement "
    "URLPattern WeakRef cookieStore navigation requestIdleCallback scheduler structuredClone trustedTypes",
}
WITHOUT_NEWER = "\n".join(
    f"for (const name of '{names}'.split(' ')) delete {owner}[name];" for owner, names in NEWER.items()
)
BOTH = ["reverse_call", "flash_call"]
SECONDS = 20

expect.set_options(timeout=SECONDS * 1000)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A stack with PARAMETERS; CALLVERIFY_DEV_ENV may point at the env file of one that runs."""
    if env_file := os.environ.get("CALLVERIFY_DEV_ENV"):
        yield read_env(Path(env_file))
        return
    with background_stack(tmp_path_factory.mktemp("stack"), PARAMETERS) as env:
        yield env


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.fail("Chromium is not installed: these tests are about nothing else")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_context(browser: Browser, stack: dict[str, str]) -> Iterator[Callable[..., BrowserContext]]:
    """Open a window; at the end of the test, it must have asked no other origin, and its console must be clean."""
    opened: list[BrowserContext] = []
    problems: list[str] = []
    own = (stack["BASE_URL"], stack["SIMULATOR_URL"], SHOP, RETURN_ORIGIN, "data:")

    def open_one(width: int = 1100, height: int = 800, locale: str = "en-US", **options: Any) -> BrowserContext:
        touch = width < 600
        context = browser.new_context(
            viewport={"width": width, "height": height}, locale=locale, has_touch=touch, is_mobile=touch, **options
        )
        context.set_default_timeout(SECONDS * 1000)
        context.add_init_script(WITHOUT_NEWER)
        context.on("request", lambda asked: None if asked.url.startswith(own) else problems.append(asked.url))
        context.on("weberror", lambda error: problems.append(str(error.error)))
        context.on(
            "console",
            lambda line: problems.append(line.text) if "Content Security Policy" in line.text else None,
        )
        opened.append(context)
        return context

    yield open_one
    for context in opened:
        context.close()
    assert problems == []


@pytest.fixture
def window(open_context: Callable[..., BrowserContext]) -> Page:
    """A desktop window in English."""
    return open_context().new_page()


@pytest.fixture(scope="session")
def service(stack: dict[str, str]) -> "Service":
    return Service(stack)


@pytest.fixture
def site() -> Iterator[dict[str, str]]:
    """A site at SHOP: its pages by path, to be filled by the test."""
    pages: dict[str, str] = {}

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        page = pages.get(environ["PATH_INFO"])
        start_response("200 OK" if page else "404 Not Found", [("Content-Type", "text/html; charset=utf-8")])
        return [(page or "").encode()]

    server = make_server("localhost", SHOP_PORT, answer, threaded=True, request_handler=QuietHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield pages
    server.shutdown()
    server.server_close()


class Service:
    """What the customer's server and the user's telephone do."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env
        self._numbers = random.sample(range(1000, 9999), 900)

    def new_phone(self) -> str:
        return f"+7900000{self._numbers.pop()}"

    def start(self, key: str = "API_KEY", **fields: Any) -> dict[str, Any]:
        """Start a verification; the reply, with the `full_phone` that it was for."""
        fields = {"phone": self.new_phone(), "allowed_methods": BOTH, **fields}
        started = self._call("POST", "/verifications", key, fields)
        return {**started, "full_phone": fields["phone"]}

    def read(self, verification: dict[str, Any]) -> dict[str, Any]:
        return self._call("GET", f"/verifications/{verification['id']}")

    def cancel(self, verification: dict[str, Any]) -> None:
        self._call("POST", f"/verifications/{verification['id']}/cancel", body={})

    def code(self, verification: dict[str, Any]) -> str:
        """The last four digits of the number that called."""
        url = f"{self.env['SIMULATOR_URL']}/phone/{verification['full_phone']}"
        calls = requests.get(url, timeout=10).json()["incoming_calls"]
        return str(calls[-1]["from"][-4:])

    def wrong_code(self, verification: dict[str, Any]) -> str:
        return "1111" if self.code(verification) != "1111" else "2222"

    def dial(self, verification: dict[str, Any]) -> None:
        url = f"{self.env['SIMULATOR_URL']}/phone/{verification['full_phone']}/dial"
        body = {"number": verification["challenge"]["number"]}
        assert requests.post(url, json=body, timeout=10).json()["answered"]

    def fault(self, provider: str, mode: str) -> None:
        body = {"provider": provider, "mode": mode, "times": 1}
        requests.post(f"{self.env['SIMULATOR_URL']}/faults", json=body, timeout=10).raise_for_status()

    def _call(self, method: str, path: str, key: str = "API_KEY", body: object = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.env[key]}"}
        answer = requests.request(method, self.env["BASE_URL"] + path, json=body, headers=headers, timeout=30)
        assert answer.ok, answer.text
        found: dict[str, Any] = answer.json()
        return found


def run(page: Page, seconds: int) -> None:
    """Let the page's clock run, in steps that leave answers time to arrive."""
    for _ in range(seconds * 2):
        page.clock.run_for(500)
        page.evaluate("() => fetch('page/icon.svg')")


def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2, levels A and AA."""
    page.evaluate(AXE.read_text())
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate("tags => axe.run({ runOnly: tags })", tags)
    return [f"{each['id']}: {node['html']}" for each in found["violations"] for node in each["nodes"]]
