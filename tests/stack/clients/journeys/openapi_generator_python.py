"""A verification from start to end with the client that openapi-generator makes for Python."""

import json
import os
import time
import urllib.request
import uuid

from callverify_client import (
    ApiClient,
    ApiException,
    CallNumber,
    CheckRequest,
    Configuration,
    EnterDigits,
    EventsApi,
    Method,
    StartRequest,
    VerificationsApi,
)

client = ApiClient(Configuration(host=os.environ["BASE_URL"], access_token=os.environ["API_KEY"]))
verifications = VerificationsApi(client)


def start(phone, method):
    key = str(uuid.uuid4())
    body = StartRequest(phone=phone, method=method, end_user_ip=os.environ["END_USER_IP"], locale=None)
    started, again = (verifications.start_verification(body, idempotency_key=key) for _ in range(2))
    assert again.id == started.id
    return started


def check(code):
    return verifications.check_code(flash.id, CheckRequest(code=code))


flash = start(os.environ["FLASH_PHONE"], Method.FLASH_CALL)
digits = flash.challenge.actual_instance
assert isinstance(digits, EnterDigits)
read = verifications.get_verification(flash.id)
wrong = check("0000")
with urllib.request.urlopen(f"{os.environ['SIMULATOR_URL']}/phone/{os.environ['FLASH_PHONE']}") as answer:
    calls = json.load(answer)["incoming_calls"]
right = check(calls[-1]["from"][-digits.length :])
try:
    check("0000")
    raise AssertionError("a check after the end was answered")
except ApiException as error:
    refused = error.data

reverse = start(os.environ["REVERSE_PHONE"], Method.REVERSE_CALL)
assert isinstance(reverse.challenge.actual_instance, CallNumber)
canceled = verifications.cancel_verification(reverse.id)

events, cursor = [], {}
while "verification.verified" not in events:
    page = EventsApi(client).list_events(**cursor)
    events += [event.type for event in page.events if event.data.id == flash.id]
    cursor = {"after": page.next}
    time.sleep(0 if page.has_more else 0.2)

print(
    json.dumps(
        {
            "read": read.status,
            "wrong": [wrong.valid, wrong.checks_remaining],
            "right": [right.valid, right.status, right.evidence, right.verified_at is not None],
            "refused": [refused.status, refused.code],
            "number": reverse.challenge.actual_instance.number,
            "canceled": [canceled.status, canceled.reason],
            "events": events,
        }
    )
)
