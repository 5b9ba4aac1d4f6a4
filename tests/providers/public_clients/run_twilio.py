"""Creates a call with Twilio's own SDK, in its own environment, and looks it up, or says what the SDK says was wrong.

    python run_twilio.py <base URL> <account SID> <auth token> <arguments of calls.create as JSON>

Or judges the signature of a report, where the arguments hold `signed`: [URL, parameters, signature].
"""

import json
import sys
from typing import Any

from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client

base_url, account_sid, auth_token, arguments = sys.argv[1:]
given: dict[str, Any] = json.loads(arguments)
if "signed" in given:
    print(json.dumps({"valid": RequestValidator(auth_token).validate(*given["signed"])}))
    sys.exit()
client = Client(account_sid, auth_token)
client.api.base_url = base_url
try:
    created = client.calls.create(**given)
    found = client.calls(created.sid).fetch()
    balance = client.balance.fetch()
except TwilioRestException as error:
    print(json.dumps({"status": error.status, "code": error.code, "message": error.msg}))
else:
    print(
        json.dumps(
            {
                "sid": created.sid,
                "status": created.status,
                "found": found.status,
                "to": found.to,
                "balance": balance.balance,
                "currency": balance.currency,
            }
        )
    )
