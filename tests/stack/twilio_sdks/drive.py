"""Runs calls of Twilio's own Python SDK, unmodified but for its base URL, in that SDK's environment.

    python drive.py <base URL> <account SID> <password> <service SID>

Each line of standard input is `[call, arguments]`; the answer to each is one line of JSON: `{"found": …}`, or
`{"raised": <the exception's class>, …}`.
"""

import json
import sys
from typing import Any

from twilio.rest import Client

base_url, account_sid, password, service_sid = sys.argv[1:]
client = Client(account_sid, password)
client.verify.base_url = base_url
service = client.verify.v2.services(service_sid)
CALLS = {
    "create": lambda **given: service.verifications.create(**given),
    "fetch": lambda sid: service.verifications(sid).fetch(),
    "update": lambda sid, **given: service.verifications(sid).update(**given),
    "check": lambda **given: service.verification_checks.create(**given),
    "service": lambda: service.fetch(),
    "services": lambda: client.verify.v2.services.list()[0],
    "create_service": lambda **given: client.verify.v2.services.create(**given),
    "attempts": lambda **given: client.verify.v2.verification_attempts.list(**given)[0],
}
NAMES = (
    *("sid", "status", "valid", "to", "channel", "sna", "account_sid", "service_sid", "friendly_name", "code_length"),
    *("conversion_status", "send_code_attempts", "date_created"),
)


def answer(call: str, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        found = CALLS[call](**arguments)
    except Exception as error:
        told = {name: getattr(error, name, None) for name in ("status", "code", "msg")}
        return {"raised": type(error).__name__, "status": told["status"], "code": told["code"], "message": told["msg"]}
    return {"found": {name: getattr(found, name, None) for name in NAMES}}


for line in sys.stdin:
    print(json.dumps(answer(*json.loads(line)), default=str), flush=True)
