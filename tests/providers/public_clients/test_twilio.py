"""Twilio's own SDK, as published, with its base URL changed, against the simulator of Twilio: and its own validator."""

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import requests
from flask import Flask, Response, request
from werkzeug.serving import make_server

from callverify.providers.twilio.twiml import ask_for_key, say_code
from simulators.__main__ import QuietHandler
from vendors.twilio.simulator import ACCOUNT_SID, AUTH_TOKEN, FROM

PYTHON = Path(__file__).resolve().parents[3] / ".venv-vendors-twilio/bin/python"
PHONE = "+79000000011"


def sdk(simulators: str, token: str = AUTH_TOKEN, **given: object) -> dict[str, Any]:
    script = str(Path(__file__).with_name("run_twilio.py"))
    command = [str(PYTHON), script, f"{simulators}/twilio", ACCOUNT_SID, token, json.dumps(given)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env={})
    return cast(dict[str, Any], json.loads(done.stdout))


@pytest.fixture
def answering() -> Iterator[tuple[str, list[tuple[dict[str, str], str]]]]:
    """A server that answers a key with a code: its address, and the parameters and signatures that came to it."""
    app, heard = Flask("answering"), list[tuple[dict[str, str], str]]()

    @app.post("/key")
    def key() -> Response:
        heard.append((request.form.to_dict(), request.headers["X-Twilio-Signature"]))
        return Response(say_code("042742", "en"), content_type="text/xml")

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/key", heard
    server.shutdown()


def test_a_call_its_state_the_key_and_the_balance(
    simulators: str, answering: tuple[str, list[tuple[dict[str, str], str]]]
) -> None:
    url, heard = answering
    made = sdk(simulators, to=PHONE, from_=FROM, timeout=20, twiml=ask_for_key(url, "en"))
    assert made.pop("sid").startswith("CA")
    assert made == {"status": "queued", "found": "in-progress", "to": PHONE, "balance": "20.00", "currency": "USD"}
    pressed = requests.post(f"{simulators}/phone/{PHONE}/press", json={"key": "1"}, timeout=60).json()
    assert "0, 4, 2, 7, 4, 2" in pressed["spoken"]
    ((parameters, signature),) = heard
    # The simulator signs as Twilio does, in the judgement of Twilio's own validator.
    assert sdk(simulators, signed=[url, parameters, signature]) == {"valid": True}
    assert sdk(simulators, signed=[url, parameters | {"Digits": "2"}, signature]) == {"valid": False}


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [({"to": "+7900"}, 400, 21211), ({"from_": "+15005550001"}, 400, 21210), ({"timeout": 0}, 400, 21208)],
)
def test_an_error_that_the_sdk_reads(simulators: str, changed: dict[str, object], status: int, code: int) -> None:
    given = {"to": PHONE, "from_": FROM, "timeout": 20, "twiml": "<Response><Hangup/></Response>"} | changed
    refused = sdk(simulators, AUTH_TOKEN, **given)
    assert (refused["status"], refused["code"]) == (status, code)
    assert refused["message"]


def test_a_wrong_token(simulators: str) -> None:
    refused = sdk(simulators, "wrong", to=PHONE, from_=FROM, twiml="<Response/>")
    assert (refused["status"], refused["code"]) == (401, 20003)
