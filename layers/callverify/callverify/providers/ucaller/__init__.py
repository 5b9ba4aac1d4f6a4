"""uCaller: flash calls, whose calling number ends in our code, and voice calls, in which a robot says it."""

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
        # The vendor says it in Russia and Kazakhstan (developer.ucaller.ru, initCall, read 2026-09-22).
        Route(
            Method.VOICE_CALL,
            window=Window(default=300, most=300),
            paid=True,
            code=our_code(4),
            countries=("RU", "KZ"),
            asks_countries=True,
            resends_safely=True,
        ),
    ),
)
