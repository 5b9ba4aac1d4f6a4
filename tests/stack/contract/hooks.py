"""What schemathesis does for this API beyond what its configuration can say (decision 7)."""

import itertools
import json
import os
from collections import Counter, defaultdict
from typing import Any

import requests
import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response, cli
from schemathesis.core.failures import Failure
from schemathesis.engine import events
from schemathesis.openapi.checks import EnsureResourceAvailability, RejectedPositiveData

from tests.support.client import numbered_phone

type AnyCase = Case[Any]

EXAMPLE_ID = "vrf_4tc0j4d2wa2ex1fjfg3ct4haht"
EXAMPLE_SERVICE, EXAMPLE_SID = "VA4f1c5a2d8e0b47c39a6d1f7e2b8c4a05", "VE4f1c5a2d8e0b47c39a6d1f7e2b8c4a05"
EXAMPLE_KEY = "5f0b2d5e-7a3c-4c3e-9a55-1c7a0f4b8d21"

PHONES: list[Any] = json.loads(os.environ["PHONES"])
STARTS = itertools.cycle(os.environ["STARTS"].splitlines())
numbers = itertools.count(2000)


def start() -> tuple[str, str]:
    """The id of a new verification, pending, and its phone."""
    body = json.loads(next(STARTS).replace("NUMBERED", numbered_phone(next(numbers))))
    headers = {"Authorization": f"Bearer {os.environ['API_KEY']}"}
    answer = requests.post(f"{os.environ['BASE_URL']}/verifications", json=body, headers=headers, timeout=90)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], body["phone"]


def create() -> str:
    """The sid of a new verification of the façade, pending."""
    phone, channel = json.loads(os.environ["SDK_START"])
    form = {"To": phone or numbered_phone(next(numbers)), "Channel": channel}
    answer = requests.post(
        f"{os.environ['BASE_URL']}/twilio/v2/Services/{EXAMPLE_SERVICE}/Verifications",
        data=form,
        auth=(EXAMPLE_SERVICE.replace("VA", "AC"), os.environ["API_KEY"]),
        timeout=90,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["sid"])


@schemathesis.hook
def before_call(_context: HookContext, case: AnyCase, _kwargs: dict[str, Any]) -> None:
    """The document's example id stands for a new verification, pending, and its example key for a new one.

    With one of each for all requests, most would be refused before they are looked at: as ended, or as another body.
    """
    if (
        case.operation.path in ("/blocks", "/erasures")
        and isinstance(case.body, dict)
        and case.body.get("phone") in PHONES
    ):
        case.body["phone"] = numbered_phone(next(numbers))  # of which nothing is started
    if case.path_parameters.get("id") == EXAMPLE_ID:
        case.path_parameters["id"], phone = start()
        if isinstance(case.body, dict) and case.body.get("phone") in PHONES:
            case.body["phone"] = phone
    for given in (case.path_parameters, case.query, case.body):
        for name in ("verification", "VerificationSid"):
            if isinstance(given, dict) and given.get(name) == EXAMPLE_SID:
                given[name] = create()
    if case.headers.get("Idempotency-Key") == EXAMPLE_KEY:
        case.headers["Idempotency-Key"] = f"{EXAMPLE_KEY}-{next(numbers)}"


def is_code(body: object) -> bool:
    """Whether it is a check that the document lets pass."""
    return isinstance(body, dict) and body.keys() == {"code"} and str(body["code"]).isdigit()


@schemathesis.hook
def filter_failure(_context: HookContext, failure: Failure, case: AnyCase, response: Response) -> bool:
    """Drops what looks like a failure to somebody who does not read what the document says in words."""
    in_words = [
        # Which URLs and brands are the operator's.
        response.status_code == 400 and ("`return_url`" in response.text or "`brand`" in response.text),
        # As many digits as the challenge of that verification has.
        response.status_code == 400 and "`code` must be a string of" in response.text and is_code(case.body),
        # No JSON Schema says it without refusing what is above U+FFFF too.
        response.status_code == 400 and "Unicode noncharacter" in response.text,
    ]
    if isinstance(failure, EnsureResourceAvailability):
        # It also asks for what it has made of an id: without our prefix, and dashes in it.
        return str(case.path_parameters.get("id", "vrf_")).startswith("vrf_")
    return not (isinstance(failure, RejectedPositiveData) and any(in_words))


@schemathesis.check
def undeclared_method(_context: CheckContext, response: Response, case: AnyCase) -> None:
    """In place of `unsupported_method`, which asks for 405: the gateway knows no path without its method."""
    if case.method.lower() not in case.operation.schema.raw_schema["paths"][case.path]:
        assert response.status_code == 404
        assert case.method == "HEAD" or response.json()["code"] in ("not_found", 20404)


@cli.handler()
class Tally(cli.EventHandler[cli.ExecutionContext]):
    """Counts requests and their answers, for the summary."""

    def __init__(self, *_args: object, **_params: object) -> None:
        self.answers: dict[str, Counter[int]] = defaultdict(Counter)

    def handle_event(self, ctx: cli.ExecutionContext, event: events.EngineEvent) -> None:
        if isinstance(event, events.ScenarioFinished):
            for case_id, interaction in event.recorder.interactions.items():
                label = event.recorder.cases[case_id].value.operation.label
                self.answers[label][interaction.response.status_code if interaction.response else 0] += 1
        if isinstance(event, events.EngineFinished):
            ctx.add_summary_line("Requests, and how many were answered with which status:")
            for label, answers in sorted(self.answers.items()):
                statuses = "  ".join(f"{status}: {count}" for status, count in sorted(answers.items()))
                ctx.add_summary_line(f"  {answers.total():5}  {label:42}  {statuses}")
            ctx.add_summary_line(f"  {sum(map(Counter.total, self.answers.values())):5}  in all")
