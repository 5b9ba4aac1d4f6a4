"""Chromium, a deployed stack that knows the origins below, and a site at one of them."""

import fcntl
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from werkzeug.serving import make_server

from simulators.__main__ import QuietHandler
from tests.support.browsers import CHROMIUM, FLAGS
from tests.support.client import Operator, new_phone
from tests.support.stacks import RETURN_ORIGIN, SHOP, SHOP_PORT

ROOT = Path(__file__).resolve().parents[3]
AXE = ROOT / ".axe/node_modules/axe-core/axe.min.js"
ACORN = ROOT / ".axe/node_modules/acorn/dist/acorn.js"
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
SECONDS = 60
# Of brands; answered by the tests themselves.
LOGO_ORIGIN = "https://logos.example"

expect.set_options(timeout=SECONDS * 1000)


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
    own = (stack["BASE_URL"], stack["SIMULATOR_URL"], SHOP, RETURN_ORIGIN, LOGO_ORIGIN, "data:")

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

    with serving(answer):
        yield pages


@contextmanager
def serving(app: Callable[..., Any]) -> Iterator[None]:
    """Have the site at SHOP be this one. Of all test processes, one at a time has it."""
    with (Path(tempfile.gettempdir()) / f"callverify-{SHOP_PORT}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = make_server("localhost", SHOP_PORT, app, threaded=True, request_handler=QuietHandler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()
        server.server_close()


class Service:
    """What the customer's server and the user's telephone do."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env

    def new_phone(self) -> str:
        # Pictures go into the documents, where only numbers of this block are shown.
        return new_phone(0 if os.environ.get("SCREENS_DIR") else None)

    def start(self, key: str = "API_KEY", **fields: Any) -> dict[str, Any]:
        """Start a verification; the reply, with the `full_phone` that it was for."""
        fields = {"phone": self.new_phone(), "allowed_methods": BOTH, **fields}
        started = self._call("POST", "/verifications", key, fields)
        return {**started, "full_phone": fields["phone"]}

    def read(self, verification: dict[str, Any]) -> dict[str, Any]:
        return self._call("GET", f"/verifications/{verification['id']}")

    def rest(self, verification: dict[str, Any]) -> None:
        """Let the time pass until this phone may start or switch again."""
        Operator(self.env).end_cooldown(verification["id"])

    def cancel(self, verification: dict[str, Any]) -> None:
        self._call("POST", f"/verifications/{verification['id']}/cancel", body={})

    def code(self, verification: dict[str, Any]) -> str:
        """The last four digits of the number that called."""
        url = f"{self.env['SIMULATOR_URL']}/phone/{verification['full_phone']}"
        calls = requests.get(url, timeout=SECONDS).json()["incoming_calls"]
        return str(calls[-1]["from"][-4:])

    def wrong_code(self, verification: dict[str, Any]) -> str:
        return "1111" if self.code(verification) != "1111" else "2222"

    def dial(self, verification: dict[str, Any]) -> None:
        url = f"{self.env['SIMULATOR_URL']}/phone/{verification['full_phone']}/dial"
        body = {"number": verification["challenge"]["number"]}
        assert requests.post(url, json=body, timeout=SECONDS).json()["answered"]

    def fault(self, provider: str, mode: str, verification: dict[str, Any]) -> None:
        """For this verification's phone, once."""
        body = {"provider": provider, "mode": mode, "phone": verification["full_phone"]}
        requests.post(f"{self.env['SIMULATOR_URL']}/faults", json=body, timeout=SECONDS).raise_for_status()

    def _call(self, method: str, path: str, key: str = "API_KEY", body: object = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.env[key]}"}
        answer = requests.request(method, self.env["BASE_URL"] + path, json=body, headers=headers, timeout=SECONDS)
        assert answer.ok, answer.text
        found: dict[str, Any] = answer.json()
        return found


def run(page: Page, seconds: int) -> None:
    """Let the page's clock run, in steps that leave answers time to arrive."""
    for _ in range(seconds * 2):
        page.clock.run_for(500)
        page.evaluate("() => fetch('page/icon.svg')")


def violations(page: Page, *rules: str) -> list[str]:
    """What axe finds against WCAG 2.2, levels A and AA, or against these rules alone."""
    page.evaluate(AXE.read_text())
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    # Alone the violations leave the browser: all that axe has looked at would be megabytes.
    found = page.evaluate(
        """async ([rules, tags]) => (await axe.run({
            runOnly: rules.length ? { type: "rule", values: rules } : { type: "tag", values: tags },
            resultTypes: ["violations"],
        })).violations""",
        [rules, tags],
    )
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]
