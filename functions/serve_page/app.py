"""The page for the person being verified, in one request, and the script of the element for pages of other sites.

All of it is static: the browser asks the API itself, and no request here says whose verification it is. Nothing of the
layer's service is imported, so that the page costs no AWS client at a cold start.
"""

import base64
import gc
import hashlib
import html
import json
import os
import re
from pathlib import Path
from typing import Any

from callverify.domain.brands import Brand, logo_origin, read_brand, read_brands
from callverify.domain.channels import socket_origin, socket_url
from callverify.domain.colors import READABLE, VISIBLE, corrected, text_on
from callverify.domain.origins import normal_origin

HERE = Path(__file__).parent
SCRIPTS = ("qr.js", "parts.js", "app.js")
BRAND_VARIABLES = {
    "name": "BRAND_NAME",
    "color": "BRAND_COLOR",
    "logo_url": "BRAND_LOGO_URL",
    "support_url": "SUPPORT_URL",
}
# What texts and buttons stand on, by theme: --card of style.css.
CARDS = {"light": "#ffffff", "dark": "#181c22"}
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
NO_SHARED_CACHE = "private, no-cache"
# For a file under the address of its very content.
FOREVER = "private, max-age=31536000, immutable"
# For a year, and for this host alone: what else stands on the operator's domain is theirs to decide.
HTTPS_ONLY = "max-age=31536000"
# `/page/`: the page has one address. Browsers keep the fragment.
TO_THE_PAGE = {
    "statusCode": 308,
    "headers": {"Location": "../page", "Cache-Control": NO_SHARED_CACHE, "Strict-Transport-Security": HTTPS_ONLY},
    "body": "",
}


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    name = (event.get("pathParameters") or {}).get("file")
    query = event.get("queryStringParameters") or {}
    if name is None:
        return TO_THE_PAGE if (event.get("path") or "").endswith("/") else PAGE
    if name in FILES:
        text, version = FILES[name]
        if name == "app.js":
            # For a page opened before an upgrade, which asks for its scripts after itself, and not for what came since.
            text = "\n".join([given(words(), configured_brands()), FILES["parts.js"][0], text])
        return respond(name, text, cache=FOREVER if query.get("v") == version else NO_SHARED_CACHE)
    return problem(event, 404, "Not found", "not_found", "No such file.")


def respond(name: str, text: str, *, cache: str) -> dict[str, Any]:
    headers = {
        "Content-Type": CONTENT_TYPES[Path(name).suffix],
        "Cache-Control": cache,
        "Strict-Transport-Security": HTTPS_ONLY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return {"statusCode": 200, "headers": headers, "body": text}


def problem(event: dict[str, Any], status: int, title: str, code: str, detail: str) -> dict[str, Any]:
    context = event.get("requestContext") or {}
    base_url = os.environ.get("PUBLIC_BASE_URL", "").rstrip("/") or (
        f"https://{context.get('domainName', '')}/{context.get('stage', '')}"
    )
    request_id = context.get("requestId", "")
    body = {"type": f"{base_url}/docs#error-{code}", "title": title, "status": status, "code": code, "detail": detail}
    headers = {
        "Content-Type": "application/problem+json",
        "Cache-Control": "no-store",
        "Strict-Transport-Security": HTTPS_ONLY,
    }
    return {"statusCode": status, "headers": headers, "body": json.dumps({**body, "request_id": request_id})}


def read_files() -> dict[str, tuple[str, str]]:
    """Text and version of each file, by name."""
    files = {}
    for path in HERE.iterdir():
        if path.suffix in CONTENT_TYPES and path.suffix != ".html":
            text = path.read_text()
            files[path.name] = (text, hashlib.sha256(text.encode()).hexdigest()[:16])
    return files


def allowed(text: str) -> str:
    """What a policy allows of a script or style that stands in the page: this very text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def served(name: str) -> str:
    """A script or style without what only its readers need: comments that fill a line, and indentation."""
    text = re.sub(r"/\*.*?\*/", "", FILES[name][0], flags=re.DOTALL) if name.endswith(".css") else FILES[name][0]
    return re.sub(r"^\s*(//.*)?\n?", "", text, flags=re.MULTILINE)


def words() -> dict[str, Any]:
    """The texts of each language, by its tag: one file each."""
    return {path.stem: json.loads(path.read_text()) for path in sorted((HERE / "words").glob("*.json"))}


def configured_brands() -> dict[str, Brand]:
    """By the id that a start names; "" is the stack's own. What can't be used is left out: starts tell of it."""
    own = {member: os.environ.get(name, "") for member, name in BRAND_VARIABLES.items()}
    return {"": read_brand(own, lambda _: None), **read_brands(os.environ.get("BRANDS", ""), lambda _: None)}


def brand_style(brands: dict[str, Brand]) -> str:
    """Each brand's colour, as far as it can be read: --accent as text, --fill behind a button's text."""
    rules = []
    for name, brand in brands.items():
        for theme, card in CARDS.items() if brand.color else ():
            fill = corrected(brand.color, card, VISIBLE)
            colors = {"accent": corrected(brand.color, card, READABLE), "fill": fill, "on-fill": text_on(fill)}
            rule = "".join(f"--{role}:{color};" for role, color in colors.items())
            rule = f':root[data-brand="{name}"]{{{rule}}}'
            rules.append(f"@media (prefers-color-scheme:dark){{{rule}}}" if theme == "dark" else rule)
    return "\n".join(rules)


def given(texts: dict[str, Any], brands: dict[str, Brand]) -> str:
    """The script that gives the others the texts and the brands."""
    shown = {
        name: {"name": each.name, "logo": each.logo_url, "support": each.support_url} for name, each in brands.items()
    }
    told = json.dumps({"words": texts, "brands": shown}, ensure_ascii=False, separators=(",", ":"))
    return f"const given = {told};".replace("<", "\\u003c")  # else a text could end the element


def hints(texts: dict[str, Any], name: str) -> str:
    """A text in every language, for a browser that runs no script."""
    return "\n".join(f'<p lang="{tag}">{html.escape(told[name])}</p>' for tag, told in texts.items())


def content_policy(brands: dict[str, Brand], scripts: list[str], styles: list[str], frame_ancestors: str) -> str:
    host, endpoint = os.environ.get("UPDATES_SOCKET_HOST", ""), os.environ.get("AWS_ENDPOINT_URL", "")
    logos = sorted({origin for origin in map(logo_origin, brands.values()) if origin})
    policy = {
        "default-src": "'none'",
        "script-src": " ".join(map(allowed, scripts)),
        "style-src": " ".join(map(allowed, styles)),
        # The icon, without which browsers ask for one of the whole host's; and the brands' logos.
        "img-src": " ".join(["data:", *logos]),
        "connect-src": f"'self' {socket_origin(host, endpoint)}" if host else "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": frame_ancestors or "'none'",
        "require-trusted-types-for": "'script'",
    }
    return "; ".join(f"{name} {value}" for name, value in policy.items())


def page() -> dict[str, Any]:
    """The page itself, with its style, scripts and texts, the operator's brands and origins, and where it listens."""
    origins = {
        name: " ".join(filter(None, map(normal_origin, os.environ.get(name, "").split(","))))
        for name in ("ALLOWED_ORIGINS", "RETURN_ORIGINS")
    }
    socket = socket_url(os.environ.get("UPDATES_SOCKET_HOST", ""), os.environ.get("AWS_ENDPOINT_URL", ""))
    listening = {"UPDATES_HOST": os.environ.get("UPDATES_HOST", ""), "UPDATES_URL": socket or ""}
    texts, brands = words(), configured_brands()
    styles = [served("style.css"), brand_style(brands)]
    scripts = [given(texts, brands), *map(served, SCRIPTS)]
    parts = {name: html.escape(value) for name, value in (origins | listening).items()}
    parts |= {"noscript": hints(texts, "noscript"), "late": hints(texts, "late")}
    parts |= {"icon.svg": base64.b64encode(FILES["icon.svg"][0].encode()).decode()}
    parts |= dict(zip(("style.css", "brands.css"), styles, strict=True))
    parts |= dict(zip(("given.js", *SCRIPTS), scripts, strict=True))
    # In one pass, so that nothing within a part is taken for the name of another.
    text = re.sub(r"{([\w.]+)}", lambda found: parts[found[1]], (HERE / "page.html").read_text())
    answer = respond("page.html", text, cache=NO_SHARED_CACHE)
    answer["headers"] |= {
        "Content-Security-Policy": content_policy(brands, scripts, styles, origins["ALLOWED_ORIGINS"]),
        # The site that opened the page gets no hold on its window.
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
        "X-Robots-Tag": "noindex",
    }
    return answer


FILES = read_files()
PAGE = page()
# Which the layer puts off to the end of a start-up.
gc.enable()
