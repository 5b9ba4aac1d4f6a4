"""Runs methods of a vendor's public client, blocking or not, in that client's own environment.

    python call.py <module> <class> <constructor's arguments as JSON> [<address>]

Where a client that uses httpx knows no host but the vendor's own, its requests are carried to the address instead.
Each line of standard input is `[method, arguments]`; the answer to each is one line: its type and its content.
"""

import asyncio
import importlib
import inspect
import json
import sys
from functools import partial
from typing import Any

module, class_name, arguments, *elsewhere = sys.argv[1:]
if elsewhere:
    httpx: Any = importlib.import_module("httpx")
    base = httpx.URL(elsewhere[0])

    class Elsewhere(httpx.HTTPTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            path = base.raw_path.rstrip(b"/") + request.url.raw_path
            request.url = base.copy_with(raw_path=path)
            return super().handle_request(request)

    httpx.Client = partial(httpx.Client, transport=Elsewhere())
client = getattr(importlib.import_module(module), class_name)(**json.loads(arguments))
with asyncio.Runner() as loop:
    for line in sys.stdin:
        method, given = json.loads(line)
        answer = getattr(client, method)(**given)
        if inspect.iscoroutine(answer):
            answer = loop.run(answer)
        writes = (getattr(answer, name, None) for name in ("model_dump_json", "json"))  # pydantic's names for it
        content = next(filter(None, writes), partial(json.dumps, answer))()
        print(type(answer).__name__, content, flush=True)
