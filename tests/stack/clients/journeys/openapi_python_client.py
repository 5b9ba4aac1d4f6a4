"""A verification from start to end with the client that openapi-python-client makes."""

import json
import os
import time
import uuid

import httpx
from callverify_client import AuthenticatedClient
from callverify_client.api.events import list_events
from callverify_client.api.verifications import cancel_verification, check_code, get_verification, start_verification
from callverify_client.models import (
    CallNumber,
    CheckedVerification,
    CheckRequest,
    EnterDigits,
    Method,
    Problem,
    StartedVerification,
    StartRequest,
    Verification,
)

client = AuthenticatedClient(base_url=os.environ["BASE_URL"], token=os.environ["API_KEY"])


def start(phone, method):
    key = str(uuid.uuid4())
    body = StartRequest(phone=phone, method=method, end_user_ip=os.environ["END_USER_IP"], locale=None)
    started, again = (start_verification.sync(client=client, body=body, idempotency_key=key) for _ in range(2))
    assert isinstance(started, StartedVerification), started
    assert isinstance(again, StartedVerification), again
    assert again.id == started.id
    return started


def check(code):
    return check_code.sync(flash.id, client=client, body=CheckRequest(code))


flash = start(os.environ["FLASH_PHONE"], Method.FLASH_CALL)
assert isinstance(flash.challenge, EnterDigits)
read = get_verification.sync(flash.id, client=client)
assert isinstance(read, Verification)
wrong = check("0000")
assert isinstance(wrong, CheckedVerification)
calls = httpx.get(f"{os.environ['SIMULATOR_URL']}/phone/{os.environ['FLASH_PHONE']}").json()["incoming_calls"]
right = check(calls[-1]["from"][-flash.challenge.length :])
assert isinstance(right, CheckedVerification)
refused = check("0000")
assert isinstance(refused, Problem)

reverse = start(os.environ["REVERSE_PHONE"], Method.REVERSE_CALL)
assert isinstance(reverse.challenge, CallNumber)
canceled = cancel_verification.sync(reverse.id, client=client)
assert isinstance(canceled, Verification)

events, cursor = [], {}
while "verification.verified" not in events:
    page = list_events.sync(client=client, **cursor)
    events += [event.type_ for event in page.events if event.data.id == flash.id]
    cursor = {"after": page.next_}
    time.sleep(0 if page.has_more else 0.2)

print(
    json.dumps(
        {
            "read": read.status,
            "wrong": [wrong.valid, wrong.checks_remaining],
            "right": [right.valid, right.status, right.evidence, right.verified_at is not None],
            "refused": [refused.status, refused.code],
            "number": reverse.challenge.number,
            "canceled": [canceled.status, canceled.reason],
            "events": events,
        }
    )
)
