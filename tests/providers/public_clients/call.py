"""Runs methods of a vendor's public client, blocking or not, in that client's own environment.

    python call.py <module> <class> <constructor's arguments as JSON> [<address>]

Where the vendor's host is fixed in a client that uses httpx, its requests are carried to the address instead. Each line of standard input is `[method, arguments]`; the answer to each is one line: its type and its content.
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
    import httpx

    base = httpx.URL(elsewhere[0])

    class Elsewhere(httpx.HTTPTransport):
        def handle_request(self, request: Any) -> Any:
            path = base.raw_path.rstrip(b"/") + request.url.raw_path
            request.url = base.copy_with(raw_path=path)
            return super().handle_request(request)

    httpx.Client = partial(httpx.Client, transport=Elsewhere())  # type: ignore[assignment, misc]
client = getattr(importlib.import_module(module), class_name)(**json.loads(arguments))
with asyncio.Runner() as loop:
    for line in sys.stdin:
        method, given = json.loads(line)
        answer = getattr(client, method)(**given)
        if inspect.iscoroutine(answer):
            answer = loop.run(answer)
        write = getattr(answer, "model_dump_json", None) or getattr(answer, "json", partial(json.dumps, answer))
        content = write()
        print(type(answer).__name__, content, flush=True)
