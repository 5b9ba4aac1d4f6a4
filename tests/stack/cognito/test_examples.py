"""The browser examples of examples/cognito sign in at the pool, unmodified."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from local.build import ROOT
from tests.stack.cognito.conftest import SITE_PORT, Stack
from tests.support.browsers import CHROMIUM, FLAGS
from tests.support.client import Answer, new_phone

pytestmark = pytest.mark.stack
EXAMPLE = ROOT / "examples/cognito"
MODULES = ROOT / ".clients/node_modules"
SECONDS = 90


@pytest.fixture
def site(deployed: Stack, tmp_path: Path) -> Iterator[str]:
    """The example at an allowed origin, with a config.json of this pool."""
    shutil.copytree(EXAMPLE, tmp_path / "site")
    config = {"endpoint": deployed.env["AWS_ENDPOINT_URL"], "clientId": deployed.pool["ClientId"]}
    (tmp_path / "site/config.json").write_text(json.dumps(config))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "site"))
    server = ThreadingHTTPServer(("127.0.0.1", SITE_PORT), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://localhost:{SITE_PORT}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page(locale="en")
        browser.close()


def test_the_plain_example(deployed: Stack, site: str, page: Page) -> None:
    phone = new_phone()
    page.goto(site)
    page.get_by_label("Phone").fill(phone)
    page.get_by_role("button", name="Sign in").click()
    frame = page.frame_locator("iframe")
    frame.locator("#number").wait_for(timeout=SECONDS * 1000)
    shown = "+" + "".join(filter(str.isdigit, frame.locator("#number").inner_text()))
    deployed.vendors.dial(phone, Answer(200, {}, {"challenge": {"number": shown}}))
    expect(page.get_by_role("status")).to_have_text(f"Signed in as {phone}", timeout=SECONDS * 1000)

    # The phone is proven now: it may be called.
    page.get_by_label("Method").select_option("flash_call")
    page.get_by_role("button", name="Sign in").click()
    frame.locator("#digits").wait_for(timeout=SECONDS * 1000)
    frame.locator("#digits").fill(deployed.vendors.code(phone))
    expect(page.get_by_role("status")).to_have_text(f"Signed in as {phone}", timeout=SECONDS * 1000)


def test_the_plain_example_says_what_is_wrong(deployed: Stack, site: str, page: Page) -> None:  # noqa: ARG001
    page.goto(site)
    page.get_by_label("Phone").fill("+74950000001")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("status")).to_have_text("This number can't be verified.", timeout=SECONDS * 1000)


# The user looks at the page of the first line, and the second line says that they have called.
AMPLIFY = """
import { createInterface } from "node:readline/promises";
import { Amplify } from "aws-amplify";
import { fetchAuthSession } from "aws-amplify/auth";
import { signIn, signUp } from "./amplify.js";
const [pool, phone, method] = process.argv.slice(2);
Amplify.configure({ Auth: { Cognito: JSON.parse(pool) } });
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
await signUp(phone);
await signIn(phone, { method, locale: "en" }, async (pageUrl) => {
  console.log(pageUrl);
  await lines.next();
});
console.log((await fetchAuthSession()).tokens.idToken.payload.phone_number);
process.exit();
"""


def run_amplify(deployed: Stack, directory: Path, phone: str, prove: Callable[[dict[str, Any]], None]) -> str:
    for name in ("amplify.js", "plain.js"):
        shutil.copy(EXAMPLE / name, directory)
    (directory / "package.json").write_text('{"type": "module"}')
    (directory / "main.js").write_text(AMPLIFY)
    (directory / "node_modules").symlink_to(MODULES)
    pool = {
        "userPoolId": deployed.pool["UserPoolId"],
        "userPoolClientId": deployed.pool["ClientId"],
        "userPoolEndpoint": deployed.env["AWS_ENDPOINT_URL"],
    }
    command = ["node", "main.js", json.dumps(pool), phone, "reverse_call"]
    with subprocess.Popen(
        command, cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        said = []
        for line in process.stdout:  # Amplify warns of an endpoint that is not AWS's
            said.append(line)
            if "/page#" in line:
                break
        else:
            pytest.fail("".join(said))
        prove({name: values[0] for name, values in parse_qs(line.strip().partition("#")[2]).items()})
        more, _ = process.communicate("called\n", timeout=SECONDS)
    return more.strip()


def test_the_amplify_example(deployed: Stack, tmp_path: Path) -> None:
    phone = new_phone()

    def call(told: dict[str, Any]) -> None:
        shown = deployed.api.read(told["id"], key=told["token"]).expect(200)
        deployed.vendors.dial(phone, shown)
        deployed.api.wait_until(told["id"], "verified", key=told["token"])

    assert run_amplify(deployed, tmp_path, phone, call) == phone
