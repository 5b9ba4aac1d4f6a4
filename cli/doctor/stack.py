"""A deployed stack as the checks see it, and what a check says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import requests

from callverify.domain.errors import ConfigurationFault
from callverify.providers.base import Line, Manifest
from callverify.providers.http import VendorHttp
from callverify.providers.names import NAMES
from callverify.providers.registry import LOCAL_HOSTS, lines
from cli.target import Target

# A vendor's time has to lie between our start and our end of an attempt.
CLOCK_TOLERANCE_SECONDS = 5
# One that the simulators accept, and that nobody else verifies.
LOCAL_PHONE = "+79000009999"
HTTP_SECONDS = 20
SERVICES = ("appsync", "cloudformation", "cloudwatch", "cognito-idp", "dynamodb", "lambda", "secretsmanager", "sqs")


class State(StrEnum):
    OK = "ok"
    WARNING = "warn"
    FAULT = "FAULT"
    SKIPPED = "skip"


@dataclass(frozen=True)
class Finding:
    """One line of the table. `says`: what was found; `fix`: the setting to look at, where something is wrong."""

    check: str
    state: State
    says: str
    fix: str = ""


@dataclass(frozen=True)
class Configured:
    """A provider that can be used: its part of the secret, and its lines."""

    given: Mapping[str, Any]
    lines: list[Line]

    @property
    def manifest(self) -> Manifest:
        return self.lines[0].manifest

    @property
    def base_url(self) -> str:
        return str(self.given.get("base_url", self.manifest.base_url)).rstrip("/")

    @property
    def is_simulated(self) -> bool:
        return urlsplit(self.base_url).hostname in LOCAL_HOSTS


class Stack:
    """A deployed stack, as far as the checks need to know it."""

    def __init__(self, target: Target, phone: str) -> None:
        self.name = target.name
        self.status = str(target.described["StackStatus"])
        self.outputs, self.parameters = target.outputs, target.parameters
        self.clients = {service: target.client(service) for service in SERVICES}
        # Answers carry AWS's clock.
        answer = self.clients["cloudformation"].list_stack_resources(StackName=self.name)
        self.aws_ahead = _ahead(answer["ResponseMetadata"]["HTTPHeaders"].get("date")) or 0.0
        pages = self.clients["cloudformation"].get_paginator("list_stack_resources").paginate(StackName=self.name)
        self.resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
        self.base_url = self.parameters.get("PublicBaseUrl") or target.base_url
        self._phone = phone

    def secret(self, name: str) -> str:
        answer = self.clients["secretsmanager"].get_secret_value(SecretId=f"{self.name}/{name}")
        return str(answer.get("SecretString") or "")

    def physical_ids(self, resource_type: str) -> dict[str, str]:
        """By logical id."""
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for each in self.resources
            if each["ResourceType"] == resource_type
        }

    def given(self) -> Any:
        """The secret `provider-credentials` as it is; None where it is no JSON."""
        try:
            return json.loads(self.secret("provider-credentials") or "{}")
        except ValueError:
            return None

    def providers(self) -> dict[str, Configured]:
        """The providers that can be used; the check on their secret says which can't."""
        given = self.given()
        usable = {}
        for name in NAMES if isinstance(given, dict) else ():
            if name in given:
                with suppress(ConfigurationFault):
                    if found := lines(name, given[name], VendorHttp()):
                        usable[name] = Configured(given[name], found)
        return usable

    def phone_for(self, configured: Configured) -> str:
        """The mobile to start a call for that costs nothing and rings nobody; empty where none was named."""
        return self._phone or (LOCAL_PHONE if configured.is_simulated else "")


type Check = Callable[[Stack], Iterator[Finding]]


def get(url: str) -> requests.Response | str:
    """The answer, or in words why there is none: the URL holds a token."""
    try:
        return requests.get(url, timeout=HTTP_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        return f"no answer: {type(error).__name__}"


def problem(answer: requests.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _ahead(date: str | None) -> float | None:
    """How many seconds the clock that wrote a Date header is ahead of this machine's."""
    return parsedate_to_datetime(date).timestamp() - time.time() if date else None


def command(arguments: str, stack: Stack) -> str:
    return f"callverify {arguments} --stack {stack.name}"
