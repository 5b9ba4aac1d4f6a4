from __future__ import annotations

import pytest

from callverify.origins import normal_origin

ORIGINS = {
    "https://shop.example.com": "https://shop.example.com",
    "https://Shop.Example.com": "https://shop.example.com",
    "HTTPS://SHOP.EXAMPLE.COM:443": "https://shop.example.com",
    "https://shop.example.com:8443": "https://shop.example.com:8443",
    "https://shop.example.com:0443": "https://shop.example.com",
    "https://магазин.рф": "https://xn--80aairftm.xn--p1ai",
    "https://XN--80AAIRFTM.xn--p1ai": "https://xn--80aairftm.xn--p1ai",
    "https://straße.example": "https://xn--strae-oqa.example",
    "https://192.0.2.7": "https://192.0.2.7",
    "https://[2001:DB8:0:0::1]:8443": "https://[2001:db8::1]:8443",
    "http://localhost:3000": "http://localhost:3000",
    "http://LOCALHOST:80": "http://localhost",
    "http://127.0.0.1:5173": "http://127.0.0.1:5173",
    "http://127.1.2.3": "http://127.1.2.3",
    "http://[::1]:8080": "http://[::1]:8080",
    "http://[0:0:0:0:0:0:0:1]": "http://[::1]",
    "http://shop.localhost": "http://shop.localhost",
    "capacitor://localhost": "capacitor://localhost",
    "Ionic://localhost": "ionic://localhost",
    "com.example.app://main": "com.example.app://main",
    "app://.": "app://.",
    "tauri://localhost:1420": "tauri://localhost:1420",
    "chrome-extension://abcdefghijklmnopabcdefghijklmnop": "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
}
NO_ORIGINS = [
    "null",
    "*",
    "https://*",
    "https://*.example.com",
    "shop.example.com",
    "//shop.example.com",
    "http://shop.example.com",
    "http://localhost.example.com",
    "http://127.0.0.1.example.com",
    "http://10.0.0.1",
    "http://[::2]",
    "https://shop.example.com/",
    "https://shop.example.com/path",
    "https://shop.example.com?",
    "https://user@shop.example.com",
    "https://shop example.com",
    "https://shop.example.com\\@evil.example",
    "https://",
    "https://:443",
    "https://shop.example.com:",
    "file://localhost",
    "FILE://x",
    "data://x",
    "blob://x",
    "null://x",
    "javascript://x",
    "ws://localhost",
]
# What only a look at the name tells: deployed, and logged as a fault of configuration.
NO_ORIGINS_BUT_BY_FORM = [
    "https://shop.example.com:65536",
    "https://shop.example.com:0",
    "https://shop..example.com",
    "https://1.2.3.999",
    "https://192.000.2.7",
    "https://[2001:db8::1::2]",
    "https://xn--a\u2260.example",
    "http://127.0.0.999",
]


@pytest.mark.parametrize(("text", "normal"), ORIGINS.items())
def test_an_origin_has_one_form(text: str, normal: str) -> None:
    assert normal_origin(text) == normal
    assert normal_origin(normal) == normal


@pytest.mark.parametrize("text", [*NO_ORIGINS, *NO_ORIGINS_BUT_BY_FORM, "", "https://a.example\n"])
def test_what_no_page_can_have_for_an_origin_is_none(text: str) -> None:
    assert normal_origin(text) is None
