"""Ringbell: reverse calls that can be read back, and flash calls that show our code."""

from callverify.domain.words import Method
from callverify.providers.base import Manifest, Per, Proof, Route, Webhook, Window, our_code
from callverify.providers.credentials import HEADER_SAFE, Text

MANIFEST = Manifest(
    name="ringbell",
    title="Ringbell",
    base_url="https://ringbell.example",
    credentials=(Text("api_key", pattern=HEADER_SAFE),),
    routes=(
        Route(
            Method.REVERSE_CALL,
            window=Window(default=90, most=90),
            paid=False,
            webhook=Webhook(Per.VERIFICATION, Proof.HINT, answer="100"),
            read_back=True,
        ),
        Route(Method.FLASH_CALL, window=Window(default=200, most=900), paid=True, code=our_code(4)),
    ),
)
