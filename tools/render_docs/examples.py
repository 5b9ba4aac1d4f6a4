"""How to make a request: in curl, Python and JavaScript."""

from __future__ import annotations

import ast
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LANGUAGES = {"curl": "curl", "python": "Python", "javascript": "JavaScript"}
# By security scheme: the environment variable that holds the credential.
VARIABLES = {"apiKey": "API_KEY", "clientToken": "CLIENT_TOKEN"}
BASIC = "sdkBasic"
SNIPPETS = Path(__file__).parents[2] / "docs/snippets"


@dataclass(frozen=True)
class Request:
    """scheme: the name of the security scheme, None for a request without a credential.

    body: sent as JSON. form: sent as a form. idempotent: whether it takes an Idempotency-Key.
    """

    method: str
    url: str
    scheme: str | None = None
    body: Any = None
    form: dict[str, str] | None = None
    idempotent: bool = False

    def texts(self) -> dict[str, str]:
        """The request in each of LANGUAGES."""
        return {"curl": self.curl(), "python": self.python(), "javascript": self.javascript()}

    def curl(self) -> str:
        # A body makes it a POST.
        has_verb = self.method == "get" or (self.method == "post" and (self.body is not None or self.form))
        verb = "" if has_verb else f"-X {self.method.upper()} "
        parts = [f"curl -sS {verb}" + (f'"{self.url}"' if "?" in self.url else self.url)]
        if self.scheme == BASIC:
            parts.append('-u "$ACCOUNT_SID:$API_KEY"')
        elif self.scheme:
            parts.append(f'-H "Authorization: Bearer ${VARIABLES[self.scheme]}"')
        if self.idempotent:
            parts.append('-H "Idempotency-Key: $(openssl rand -hex 16)"')
        if self.body is not None:
            parts.append('-H "Content-Type: application/json"')
            parts.append(f"-d {shlex.quote(json.dumps(self.body, ensure_ascii=False))}")
        parts += [f"--data-urlencode {shlex.quote(f'{k}={v}')}" for k, v in (self.form or {}).items()]
        return " \\\n  ".join(parts)

    def python(self) -> str:
        modules = [*(["os"] if self.scheme else []), *(["uuid"] if self.idempotent else [])]
        arguments = [json.dumps(self.url)]
        headers = []
        if self.scheme == BASIC:
            arguments.append('auth=(os.environ["ACCOUNT_SID"], os.environ["API_KEY"])')
        elif self.scheme:
            headers.append(f'"Authorization": f"Bearer {{os.environ[\'{VARIABLES[self.scheme]}\']}}"')
        if self.idempotent:
            headers.append('"Idempotency-Key": str(uuid.uuid4())')
        if headers:
            arguments.append(f"headers={{{', '.join(headers)}}}")
        if self.body is not None:
            arguments.append(f"json={in_python(self.body)}")
        if self.form:
            arguments.append(f"data={in_python(self.form)}")
        arguments.append("timeout=20")
        imports = "".join(f"import {name}\n" for name in modules) + ("\n" if modules else "") + "import requests\n"
        call = "".join(f"    {argument},\n" for argument in arguments)
        return f"{imports}\nresponse = requests.{self.method}(\n{call})\nprint(response.status_code, response.json())"

    def javascript(self) -> str:
        headers, options = [], []
        if self.method != "get":
            options.append(f'method: "{self.method.upper()}"')
        if self.scheme == BASIC:
            headers.append("Authorization: `Basic ${btoa(`${process.env.ACCOUNT_SID}:${process.env.API_KEY}`)}`")
        elif self.scheme:
            headers.append(f"Authorization: `Bearer ${{process.env.{VARIABLES[self.scheme]}}}`")
        if self.idempotent:
            headers.append('"Idempotency-Key": crypto.randomUUID()')
        if self.body is not None:
            headers.append('"Content-Type": "application/json"')
        if headers:
            options.append("headers: {\n" + "".join(f"    {header},\n" for header in headers) + "  }")
        if self.body is not None:
            options.append(f"body: JSON.stringify({json.dumps(self.body, ensure_ascii=False)})")
        if self.form:
            options.append(f"body: new URLSearchParams({json.dumps(self.form, ensure_ascii=False)})")
        given = ", {\n" + "".join(f"  {option},\n" for option in options) + "}" if options else ""
        call = f"const response = await fetch({json.dumps(self.url)}{given});"
        return f"{call}\nconsole.log(response.status, await response.json());"


def in_python(value: Any) -> str:
    """A JSON value as Python writes it, texts in double quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {in_python(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(in_python, value)) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def receiving() -> dict[str, str]:
    """How to read an event and check its signature, from docs/snippets."""
    python = (SNIPPETS / "server.py").read_text()
    found = next(
        each for each in ast.parse(python).body if isinstance(each, ast.FunctionDef) and each.name == "read_event"
    )
    javascript = (SNIPPETS / "server.mjs").read_text()
    javascript = javascript[javascript.index("function readEvent") :].partition("\n}\n")[0] + "\n}"
    return {
        "python": f"import base64, hashlib, hmac, json, time\n\n{ast.get_source_segment(python, found)}",
        "javascript": f'import {{ createHmac, timingSafeEqual }} from "node:crypto";\n\n{javascript}',
    }


def quick_start(name: str) -> dict[str, str]:
    """A program of the folder quick_start, in each of LANGUAGES."""
    endings = {"curl": "sh", "python": "py", "javascript": "mjs"}
    folder = Path(__file__).parent / "quick_start"
    return {language: (folder / f"{name}.{endings[language]}").read_text().rstrip() for language in LANGUAGES}
