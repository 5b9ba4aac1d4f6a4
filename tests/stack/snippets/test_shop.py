"""examples/shop.py runs as its docstring says, and does a verification on the deployed local stack."""

import random
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from local.build import ROOT
from local.env import write_env
from local.processes import free_port

SECONDS = 60


@pytest.fixture
def env_file(stack: dict[str, str], tmp_path: Path) -> Path:
    """What `make dev` writes to .dev/env."""
    file = tmp_path / "env"
    write_env(file, stack)
    return file


def new_phone() -> str:
    return f"+7900{random.randint(0, 9_999_999):07}"


@pytest.fixture
def shop(env_file: Path) -> Iterator[str]:
    """The shop, started as its docstring says."""
    docstring = (ROOT / "examples/shop.py").read_text().split('"""')[1]
    commands = "\n".join(re.findall(r"^ {4}(?!make )(.+)", docstring, re.MULTILINE))
    port = str(free_port())
    assert "8808" in commands
    commands = commands.replace(".dev/env", str(env_file)).replace("8808", port)
    with subprocess.Popen(["bash", "-ec", f"{commands} & echo $!; wait"], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout
        shop_id = int(process.stdout.readline())
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            subprocess.run(["kill", str(shop_id)], check=False)


def visit(shop: str) -> requests.Session:
    """A browser on the shop's first page, as soon as the shop is up."""
    deadline = time.monotonic() + SECONDS
    session = requests.Session()
    while True:
        try:
            assert "Your phone number" in session.get(shop, timeout=60).text
            return session
        except requests.ConnectionError:
            assert time.monotonic() < deadline, "the shop did not start"
            time.sleep(0.2)


def cancel(stack: dict[str, str], verification_id: str) -> None:
    headers = {"Authorization": f"Bearer {stack['API_KEY']}"}
    url = f"{stack['BASE_URL']}/verifications/{verification_id}/cancel"
    requests.post(url, headers=headers, timeout=60).raise_for_status()


def test_the_shop(shop: str, stack: dict[str, str]) -> None:
    session = visit(shop)
    deadline = time.monotonic() + SECONDS
    phone = new_phone()
    framed = session.post(f"{shop}/start", {"phone": phone, "show": "frame"}, timeout=60)
    assert framed.status_code == 200, framed.text
    assert f'page-url="{stack["BASE_URL"]}/page#id=vrf_' in framed.text
    assert session.get(f"{shop}/done", timeout=60).status_code == 403

    shown = re.findall(r"id=(vrf_\w+)", framed.text)[0]
    headers = {"Authorization": f"Bearer {stack['API_KEY']}"}
    read = requests.get(f"{stack['BASE_URL']}/verifications/{shown}", headers=headers, timeout=60).json()
    dial = {"number": read["challenge"]["number"]}
    requests.post(f"{stack['SIMULATOR_URL']}/phone/{phone}/dial", json=dial, timeout=60).raise_for_status()
    while (done := session.get(f"{shop}/done", timeout=60)).status_code == 403:
        assert time.monotonic() < deadline, done.text
        time.sleep(0.5)
    assert f"{phone} is yours" in done.text
    assert session.get(f"{shop}/done", timeout=60).status_code == 403


def test_a_double_click_is_one_verification(shop: str, stack: dict[str, str]) -> None:
    session, phone = visit(shop), new_phone()
    cookies = session.cookies.get_dict()

    def click(_: int) -> requests.Response:
        sent = {"phone": phone, "show": "frame"}
        return requests.post(f"{shop}/start", sent, cookies=cookies, timeout=60)

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(click, range(3)))
    answers.append(click(4))  # later, by going back
    assert [answer.status_code for answer in answers] == [200] * 4, [answer.text for answer in answers]
    ids = {found for answer in answers for found in re.findall(r"id=(vrf_\w+)", answer.text)}
    assert len(ids) == 1

    # The verification has ended: a click is a new one, which waits for the phone's cooldown and gets no dead page.
    cancel(stack, *ids)
    again = click(5)
    assert (again.status_code, "vrf_" in again.text) == (429, False), again.text


def test_another_phone_ends_what_the_first_one_began(shop: str, stack: dict[str, str]) -> None:
    session, first, second = visit(shop), new_phone(), new_phone()
    ids = []
    for phone in (first, second):
        answer = session.post(f"{shop}/start", {"phone": phone, "show": "frame"}, timeout=60)
        assert answer.status_code == 200, answer.text
        ids += re.findall(r"id=(vrf_\w+)", answer.text)[:1]
    headers = {"Authorization": f"Bearer {stack['API_KEY']}"}
    statuses = [
        requests.get(f"{stack['BASE_URL']}/verifications/{each}", headers=headers, timeout=60).json()["status"]
        for each in ids
    ]
    assert statuses == ["canceled", "pending"]
