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
from pathlib import Path
from typing import Any

from callverify.domain.channels import socket_origin, socket_url
from callverify.domain.origins import normal_origin

HERE = Path(__file__).parent
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
    """Text and version of each file, by name.

    A page opened before an upgrade may ask for those that now stand within the page, and for any under its version.
    """
    files = {}
    for path in HERE.iterdir():
        if path.suffix in CONTENT_TYPES and path.suffix != ".html":
            text = path.read_text()
            files[path.name] = (text, hashlib.sha256(text.encode()).hexdigest()[:16])
    return files


def allowed(name: str) -> str:
    """What a policy allows of the file that stands in the page: this very text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(FILES[name][0].encode()).digest()).decode()}'"


def page() -> dict[str, Any]:
    """The page itself, with its style and scripts, the operator's origins, and where it listens."""
    origins = {
        name: " ".join(filter(None, map(normal_origin, os.environ.get(name, "").split(","))))
        for name in ("ALLOWED_ORIGINS", "RETURN_ORIGINS")
    }
    host, socket_host = (os.environ.get(name, "") for name in ("UPDATES_HOST", "UPDATES_SOCKET_HOST"))
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    listening = {"UPDATES_HOST": host, "UPDATES_URL": socket_url(socket_host, endpoint) or ""}
    text = (HERE / "page.html").read_text()
    for name, value in (origins | listening).items():
        text = text.replace(f"{{{name}}}", html.escape(value))
    text = text.replace("{icon.svg}", base64.b64encode(FILES["icon.svg"][0].encode()).decode())
    for name in ("style.css", "qr.js", "app.js"):
        text = text.replace(f"{{{name}}}", FILES[name][0])
    policy = {
        "default-src": "'none'",
        "script-src": f"{allowed('qr.js')} {allowed('app.js')}",
        "style-src": allowed("style.css"),
        # The icon, without which browsers ask for one of the whole host's.
        "img-src": "data:",
        "connect-src": f"'self' {socket_origin(socket_host, endpoint)}" if socket_host else "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": origins["ALLOWED_ORIGINS"] or "'none'",
        "require-trusted-types-for": "'script'",
    }
    answer = respond("page.html", text, cache=NO_SHARED_CACHE)
    answer["headers"] |= {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
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
