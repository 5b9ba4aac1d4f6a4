"""A local stack for the length of a test run."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.build import ROOT, with_layer
from local.env import read_env
from local.processes import HOST, LocalStackError, free_port


@contextmanager
def background_stack(
    directory: Path,
    parameters: Mapping[str, str] | None = None,
    *,
    providers: Mapping[str, Any] | None = None,
    bind_host: str = HOST,
    tree: Path = ROOT,
    built: Path | None = None,
) -> Iterator[dict[str, str]]:
    """Run what `make dev` runs, on free ports, and yield its env file's content.

    A process of its own: it stops when its standard input closes, so it outlives the caller in no case, not even when
    that is killed. `directory` keeps its logs; `parameters` are the template's, by name; `providers` is merged
    into the providers' credentials; `bind_host` and `built` are as in Options; `tree` is whose service it
    is. Raises LocalStackError with what it said where it does not come up.
    """
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "dev.log"
    command: list[str | Path] = [sys.executable, "-m", "local.dev", "--until-stdin-closes", "--dev-dir", directory]
    command += ["--aws-port", str(free_port()), "--simulator-port", str(free_port())]
    command += ["--receiver-port", str(free_port()), "--bind-host", bind_host]
    command += ["--built", built] if built else []
    command += ["--parameters", shlex.join(f"{name}={value}" for name, value in (parameters or {}).items())]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=tree,
            env={**os.environ, **with_layer(tree), "PROVIDERS": json.dumps(providers or {})},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        env_file = directory / "env"
        while not env_file.exists():
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
            raise LocalStackError(f"the local stack did not come up:\n{log.read_text()}")
        yield read_env(env_file)
