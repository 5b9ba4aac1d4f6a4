"""`make felt`: how long after a vendor's report the hosted page says "verified", with push, without, and with it lost.

Chromium on a local stack of its own. Nothing is asserted: the figures are of this machine.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Browser, sync_playwright

from local.background import background_stack
from local.env import read_env
from tests.support.browsers import CHROMIUM, FLAGS
from tests.support.client import new_phone
from tests.support.stacks import ASKED

WAYS = ("push", "polling", "report lost")


def call(env: Mapping[str, str], browser: Browser, way: str) -> float:
    """Seconds from the report, or where it is lost from the call, to the page's words."""
    phone = new_phone()
    body = {"phone": phone, "method": "reverse_call", "provider": ASKED, "locale": "en"}
    headers = {"Authorization": f"Bearer {env['API_KEY']}"}
    begun: dict[str, Any] = requests.post(
        f"{env['BASE_URL']}/verifications", json=body, headers=headers, timeout=30
    ).json()
    page = browser.new_page()
    url = begun["page_url"]
    if way == "polling":
        url = re.sub(r"&(updates|channel)=[^&]+", "", url)
    if way == "report lost":
        fault = {"provider": ASKED, "mode": "webhook_lost", "phone": phone}
        requests.post(f"{env['SIMULATOR_URL']}/faults", json=fault, timeout=10).raise_for_status()
    page.goto(url)
    page.locator("#number").wait_for()
    # People take some seconds; nobody calls in step with the polls.
    page.wait_for_timeout(4_000 + time.time_ns() % 3_000)
    page.evaluate(
        "() => new MutationObserver(() => { if (document.querySelector('h1').textContent === 'Number confirmed') "
        "window.said = window.said || Date.now(); }).observe(document.body, { subtree: true, childList: true })"
    )
    began = time.time()
    number = {"number": begun["challenge"]["number"]}
    requests.post(f"{env['SIMULATOR_URL']}/phone/{phone}/dial", json=number, timeout=30).raise_for_status()
    page.get_by_role("heading", name="Number confirmed").wait_for(timeout=60_000)
    took = float(page.evaluate("window.said")) / 1000 - began
    page.close()
    return took


def table(found: Mapping[str, list[float]]) -> str:
    lines = ["| the page | calls | p50, ms | p95, ms | slowest, ms |", "| --- | --- | --- | --- | --- |"]
    for way, times in found.items():
        ordered = sorted(times)
        p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
        figures = (statistics.median(ordered), p95, ordered[-1])
        lines.append(f"| {way} | {len(times)} | " + " | ".join(f"{1000 * each:,.0f}" for each in figures) + " |")
    return "\n".join(lines)


def measure(env: Mapping[str, str], calls: int) -> dict[str, list[float]]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        # In turns, so that a busy moment of the machine meets all.
        rounds = [[call(env, browser, way) for way in WAYS] for _ in range(calls)]
        browser.close()
    return {way: [each[at] for each in rounds] for at, way in enumerate(WAYS)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.felt", description=__doc__)
    parser.add_argument("--calls", type=int, default=20, help="of each way")
    parser.add_argument("--env", type=Path, help="the env file of a stack that runs")
    chosen = parser.parse_args()
    if chosen.env:
        print(table(measure(read_env(chosen.env), chosen.calls)))
        return
    with tempfile.TemporaryDirectory() as directory, background_stack(Path(directory)) as env:
        print(table(measure(env, chosen.calls)))


if __name__ == "__main__":
    main()
