"""Which stack a command is about: one in AWS by its name, or the one that `make dev` runs here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from local.env import read_env

DEFAULT_STACK = "callverify"


def target_stack(name: str, dev_dir: str) -> str:
    """The stack's name, with the environment set for boto3 to reach it.

    Without a name it is the local stack where one runs, and else `callverify` in the account that AWS_PROFILE names.
    """
    env_file = Path(dev_dir) / "env"
    if name or not env_file.exists():
        return name or DEFAULT_STACK
    env = read_env(env_file)
    os.environ.update({key: value for key, value in env.items() if key.startswith("AWS_")})
    print(f"for the local stack of {dev_dir}; STACK=<name> is for one in AWS", file=sys.stderr)
    return env["STACK_NAME"]
