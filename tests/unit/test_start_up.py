"""What a function does before its first request, and that it gets by without."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from callverify import aws
from callverify.runtime import startup

LAYER = Path(__file__).parents[2] / "layers" / "callverify"


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    gc.disable()
    yield
    gc.unfreeze()
    gc.enable()


def test_parts_that_fail_are_left_to_the_first_request() -> None:
    done = []

    def fail() -> None:
        raise OSError("no secret")

    startup.ready(fail, lambda: done.append("fetched"), imported=[fail, lambda: done.append("imported")])
    assert sorted(done) == ["fetched", "imported"]
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_a_part_that_takes_too_long_is_left_to_the_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "READY_SECONDS", 0.05)
    over = threading.Event()

    def wait() -> None:
        over.wait(30)

    began = time.monotonic()
    startup.ready(wait)
    took = time.monotonic() - began
    over.set()
    assert took < 5
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("environment", "own"),
    [
        ({"AWS_REGION": "eu-central-1"}, True),
        ({"AWS_REGION": "us-gov-west-1"}, True),
        ({}, True),
        ({"AWS_REGION": "cn-north-1"}, False),
        ({"AWS_REGION": "eusc-de-east-1"}, False),
        ({"AWS_CA_BUNDLE": "/somewhere"}, False),
        ({"AWS_ENDPOINT_URL": "https://localhost"}, False),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "https://localhost"}, False),
    ],
)
def test_amazon_s_own_authorities_are_for_amazon_alone(
    environment: dict[str, str], own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aws, "TRIMMED_DATA", tmp_path)
    assert aws._authorities() is None
    (tmp_path / "roots.pem").touch()
    assert aws._authorities() == (str(tmp_path / "roots.pem") if own else None)


@pytest.mark.parametrize(("environment", "collects"), [({"AWS_LAMBDA_FUNCTION_NAME": "f"}, False), ({}, True)])
def test_garbage_waits_in_lambda_alone(environment: dict[str, str], collects: bool) -> None:
    code = "import gc, callverify; print(gc.isenabled())"
    path = {"PYTHONPATH": str(LAYER)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=path | environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == str(collects)
