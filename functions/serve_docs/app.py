"""The document of the API, for tools as JSON and for people as a page.

`make docs` makes both files from docs/openapi.yaml. Nothing is imported that would cost a cold start. The page runs its
own script alone, and asks nobody for anything: it stands on the domain where people are verified.
"""

import base64
import hashlib
import html
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DOCUMENT: dict[str, Any] = json.loads((HERE / "openapi.json").read_text())
PAGE = (HERE / "docs.html").read_text()


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    answer = page(base_url(event)) if event["resource"] == "/docs" else document(base_url(event))
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    known = {tag.strip().removeprefix("W/") for tag in headers.get("if-none-match", "").split(",")}
    if known & {answer["headers"]["ETag"], "*"}:
        return answer | {"statusCode": 304, "body": ""}
    return answer


def base_url(event: dict[str, Any]) -> str:
    """The base URL of the API: the operator's, else the domain and stage of this request."""
    context = event["requestContext"]
    return os.environ.get("PUBLIC_BASE_URL", "").rstrip("/") or f"https://{context['domainName']}/{context['stage']}"


@lru_cache(maxsize=8)
def document(url: str) -> dict[str, Any]:
    text = json.dumps({**DOCUMENT, "servers": [{"url": url}]}, ensure_ascii=False, separators=(",", ":"))
    return respond(text, "application/json", {"Access-Control-Allow-Origin": "*"})


@lru_cache(maxsize=8)
def page(url: str) -> dict[str, Any]:
    policy = {
        "default-src": "'none'",
        "script-src": allowed("script"),
        "style-src": allowed("style"),
        "img-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
    }
    return respond(PAGE.replace("{BASE_URL}", html.escape(url)), "text/html; charset=utf-8", headers)


def allowed(element: str) -> str:
    """What a policy allows of an element of the page: this very text."""
    text = PAGE.partition(f"<{element}>")[2].partition(f"</{element}>")[0]
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def respond(text: str, content_type: str, headers: dict[str, str]) -> dict[str, Any]:
    headers = {
        "Content-Type": content_type,
        "Cache-Control": "public, max-age=300",
        "ETag": f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"',
        "Strict-Transport-Security": "max-age=31536000",
        "X-Content-Type-Options": "nosniff",
        **headers,
    }
    return {"statusCode": 200, "headers": headers, "body": text}
