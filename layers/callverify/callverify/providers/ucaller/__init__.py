"""uCaller: flash calls. The last four digits of the calling number are the code, which we choose."""

from callverify.domain.words import Method
from callverify.providers.base import Manifest, Route, Window, our_code
from callverify.providers.credentials import HEADER_SAFE, Number, Text

MANIFEST = Manifest(
    name="ucaller",
    title="uCaller",
    base_url="https://api.ucaller.ru",
    credentials=(Text("key", pattern=HEADER_SAFE), Number("service_id")),
    routes=(
        Route(
            Method.FLASH_CALL,
            window=Window(default=300, most=300),
            paid=True,
            code=our_code(4),
            repeats=2,
            repeat_after=60,
            resends_safely=True,
        ),
    ),
)
