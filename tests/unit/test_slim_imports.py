"""Packages entered without their `__init__` still are what they were to all who import them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LAYER = Path(__file__).parents[2] / "layers" / "callverify"


def run(code: str) -> None:
    command = [sys.executable, "-c", f"import sys, callverify\n{code}"]
    done = subprocess.run(command, env={"PYTHONPATH": str(LAYER)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("code", "not_loaded"),
    [
        ("from aws_lambda_powertools.event_handler.api_gateway import APIGatewayRestResolver", "asyncio"),
        ("from aws_lambda_powertools.utilities.parameters.base import BaseProvider", "boto3"),
        ("from aws_lambda_powertools.utilities.data_classes import ALBEvent; ALBEvent({})", "asyncio"),
        ("import urllib3", "importlib.metadata"),
        ("import requests; assert requests.compat.chardet", "charset_normalizer.api"),
        (
            "from phonenumbers import phonenumberutil; phonenumberutil.parse('+79000000101')",
            "phonenumbers.phonenumbermatcher",
        ),
    ],
)
def test_modules_come_without_the_rest(code: str, not_loaded: str) -> None:
    run(f"{code}\nassert {not_loaded!r} not in sys.modules")


@pytest.mark.parametrize(
    "code",
    [
        "import phonenumbers; phonenumbers.AsYouTypeFormatter('RU'); phonenumbers.parse('+79000000101')",
        "from aws_lambda_powertools.event_handler import AppSyncResolver",
        "from aws_lambda_powertools.utilities.data_classes import SQSEvent",
        "from aws_lambda_powertools.utilities.parameters import SSMProvider",
        "import requests, charset_normalizer; charset_normalizer.from_bytes(b'abc').best()",
        "import charset_normalizer; assert charset_normalizer.detect(b'abc')['encoding'] == 'ascii'",
        "import urllib3.http2; urllib3.http2.inject_into_urllib3",
        "import boto3; boto3.client('sqs', region_name='eu-central-1')",
    ],
)
def test_the_rest_comes_when_it_is_asked_for(code: str) -> None:
    run(code)


def test_a_name_that_is_nowhere_is_an_attribute_error() -> None:
    run("import phonenumbers; assert not hasattr(phonenumbers, 'nothing') and not hasattr(phonenumbers, '__nothing__')")
