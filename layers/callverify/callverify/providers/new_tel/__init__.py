"""New-Tel, "Call Password": flash calls. The last four digits of the calling number are the code, which we choose."""

import re

from callverify.domain.words import Method
from callverify.providers.base import OUR_LONGEST_WINDOW, Manifest, Route, Window, our_code
from callverify.providers.credentials import Text

_KEY = re.compile(r"[0-9a-f]{48}")

MANIFEST = Manifest(
    name="new_tel",
    title="New-Tel",
    base_url="https://api.new-tel.net",
    credentials=(Text("api_key", pattern=_KEY), Text("signing_key", pattern=_KEY)),
    routes=(
        Route(
            Method.FLASH_CALL,
            window=Window(default=300, most=OUR_LONGEST_WINDOW),
            paid=True,
            code=our_code(4),
        ),
    ),
)
