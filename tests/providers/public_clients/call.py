"""Runs methods of a vendor's public client in that client's own environment.

    python call.py <module> <class> <constructor's arguments as JSON>

Each line of standard input is `[method, arguments]`; the answer to each is one line: its type and its content.
"""

import importlib
import json
import sys

module, class_name, arguments = sys.argv[1:]
client = getattr(importlib.import_module(module), class_name)(**json.loads(arguments))
for line in sys.stdin:
    method, given = json.loads(line)
    answer = getattr(client, method)(**given)
    print(type(answer).__name__, answer.model_dump_json(), flush=True)
