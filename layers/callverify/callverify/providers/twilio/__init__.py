"""Twilio, Programmable Voice: voice calls that say the code once a key was pressed."""

import re

from callverify.domain.words import Method
from callverify.providers.base import OUR_LONGEST_WINDOW, Manifest, Per, Proof, Route, Webhook, Window, our_code
from callverify.providers.credentials import HEADER_SAFE, Text
from callverify.providers.twilio.twiml import HANG_UP, say_code

MANIFEST = Manifest(
    name="twilio",
    title="Twilio",
    base_url="https://api.twilio.com",
    credentials=(
        Text("account_sid", pattern=re.compile(r"AC[0-9a-fA-F]{32}")),
        # Signs the key press too, so that an API key in its place would not do.
        Text("auth_token", least=16, pattern=HEADER_SAFE),
        Text("from", pattern=re.compile(r"\+[1-9][0-9]{6,14}")),
    ),
    routes=(
        Route(
            Method.VOICE_CALL,
            window=Window(default=300, most=OUR_LONGEST_WINDOW),
            paid=True,
            code=our_code(6),
            asks_countries=True,
            webhook=Webhook(
                Per.VERIFICATION,
                Proof.SIGNATURE,
                answer=HANG_UP,
                content_type="text/xml; charset=utf-8",
                signature="X-Twilio-Signature",
                say=say_code,
            ),
        ),
    ),
)
