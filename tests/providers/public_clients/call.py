"""Runs methods of a vendor's public client, blocking or not, in that client's own environment.

    python call.py <module> <class> <constructor's arguments as JSON>

Each line of standard input is `[method, arguments]`; the answer to each is one line: its type and its content.
"""

import asyncio
import importlib
import inspect
import json
import sys

module, class_name, arguments = sys.argv[1:]
client = getattr(importlib.import_module(module), class_name)(**json.loads(arguments))
with asyncio.Runner() as loop:
    for line in sys.stdin:
        method, given = json.loads(line)
        answer = getattr(client, method)(**given)
        if inspect.iscoroutine(answer):
            answer = loop.run(answer)
        content = answer.model_dump_json() if hasattr(answer, "model_dump_json") else json.dumps(answer)
        print(type(answer).__name__, content, flush=True)
