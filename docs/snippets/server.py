"""Calling callverify from a backend, with only the standard library. Take what you need.

BASE_URL and API_KEY are what the service's operator gave you; EVENT_SIGNING_SECRET, where you take events.
"""

import base64
import hashlib
import hmac
import json
import os
import time
import urllib.error
import urllib.request
import uuid

BASE_URL = os.environ["BASE_URL"]
API_KEY = os.environ["API_KEY"]


class Refused(Exception):
    """An answer that is not a success: `problem["code"]` is for programs, `problem["detail"]` for people."""

    def __init__(self, problem):
        super().__init__(f"{problem['status']} {problem['code']}: {problem['detail']}")
        self.problem = problem


def call(method, path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    headers |= {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(BASE_URL + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise Refused(json.load(error)) from None


def new_click():
    """A random key for one click of the user on "Confirm my number". Make it on your server and keep it there.

    Don't build it from an order or a phone: after a cancel or an expiry, a new click would get the ended verification.
    """
    return str(uuid.uuid4())


def start(phone, click, end_user_ip, method="reverse_call"):
    """Start a verification. A retry with the same `click`, after a timeout for instance, costs one call in all.

    `click`: from new_click(). Keep the reply's `id` in the user's session. If they click again while that verification
    is pending, cancel it first. Your app gets `client_token` and `challenge`, and never the API key.
    """
    # `reference` is new for each click: a start with the same one, key and phone learns this verification's id.
    body = {"phone": phone, "method": method, "reference": click, "end_user_ip": end_user_ip}
    return call("POST", "/verifications", body, **{"Idempotency-Key": click})


def cancel(verification_id):
    """End a pending verification, so that its phone is free for another one. Refused if it has ended."""
    return call("POST", f"/verifications/{verification_id}/cancel")


def check(verification_id, code):
    """Check the code that the user typed: True or False. Refused when there is nothing left to check."""
    return call("POST", f"/verifications/{verification_id}/check", {"code": code})["valid"]


def wait(verification_id, seconds=300):
    """The verification when it has ended: by a call that was answered, or by its window. Events spare you this."""
    deadline = time.monotonic() + seconds
    while True:
        verification = call("GET", f"/verifications/{verification_id}")
        if verification["status"] != "pending" or time.monotonic() > deadline:
            return verification
        time.sleep(2)


def read_event(headers, body, secret, now=None):
    """The event in a request to your EventWebhookUrl, by the Standard Webhooks spec. ValueError if it is not ours.

    `headers`: with names in lower case. `body`: the raw bytes. `secret`: whsec_…. Answer with a 2xx within 10 seconds;
    an event may come twice, with the same `id`, and late ones may come after newer ones.
    """
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        if not headers.get(name):
            raise ValueError(f"the header {name} is missing")
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    if not key:
        raise ValueError("the secret is empty")
    expected = b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    # While a secret is being rotated there are two signatures.
    given = headers["webhook-signature"].encode().split(b" ")
    if not any(hmac.compare_digest(expected, signature) for signature in given):
        raise ValueError("not signed with our secret")
    if abs((now or time.time()) - int(headers["webhook-timestamp"])) > 300:
        raise ValueError("too old: it may have been sent by somebody who overheard it")
    return json.loads(body)
