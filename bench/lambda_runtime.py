"""A function under AWS's own Runtime Interface Emulator, which comes inside the SAM CLI.

Its REPORT lines mean nothing (the memory is the setting, the first duration holds the start); its debug log has the
times of the very phases. CPU and memory are the kernel's, of the function's own process.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import samcli  # type: ignore[import-untyped]
import urllib3

from bench.artifacts import WORK
from local.processes import HOST, LocalStackError, free_port, running

INIT = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)")
INVOKE = re.compile(r"INVOKE RTDONE\(status: (\w+), .*duration: ([\d.]+)ms\)")
CPU_CLOCK_OF_A_PROCESS = 2
TRACE = {"X-Amzn-Trace-Id": "Root=1-6a217f20-000000000000000000000001;Parent=53995c3f42cd8ad8;Sampled=1"}


@dataclass(frozen=True, slots=True)
class Invocation:
    """wall: the runtime's own time for it; cpu: that of the function's process; both in ms.

    The first invocation's `cpu` holds the start's too: the emulator lets no time pass between them.
    """

    answer: Any
    wall: float
    cpu: float


class Function:
    """A running function. `init_ms` is known after the first invocation."""

    def __init__(self, emulator: psutil.Process, port: int, log: Path) -> None:
        self._emulator = emulator
        self._url = f"http://{HOST}:{port}/2015-03-31/functions/function/invocations"
        self._log = log
        self._http = urllib3.PoolManager(retries=False)
        self._runtime: psutil.Process | None = None
        self._read = 0
        self.init_ms = 0.0

    def invoke(self, event: Any) -> Invocation:
        before = self._cpu_ms() if self._runtime else 0.0
        response = self._http.request("POST", self._url, body=json.dumps(event), headers=TRACE, timeout=60)
        if self._runtime is None:
            self._runtime = self._emulator.children()[0]
        new = self._wait_for_report()
        if init := INIT.search(new):
            self.init_ms = float(init[1])
        done = INVOKE.search(new)
        if done is None or done[1] != "success" or '"errorType"' in response.data.decode()[:2000]:
            raise RuntimeError(f"the invocation failed: {response.data[:500]!r}\n{new}")
        return Invocation(response.json(), float(done[2]), self._cpu_ms() - before)

    def peak_bytes(self) -> int:
        """The most memory that the function's process has had resident."""
        assert self._runtime
        status = Path(f"/proc/{self._runtime.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def _cpu_ms(self) -> float:
        assert self._runtime
        return time.clock_gettime_ns(~self._runtime.pid << 3 | CPU_CLOCK_OF_A_PROCESS) / 1e6

    def _wait_for_report(self) -> str:
        """What the log says of the latest invocation. The emulator answers first and writes afterwards."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with self._log.open() as log:
                log.seek(self._read)
                new = log.read()
            if "execute finished" in new or "Reset initiated" in new:
                self._read += len(new.encode())
                return new
            time.sleep(0.001)
        raise RuntimeError(f"the emulator says nothing of an invocation: see {self._log}")


def emulator() -> Path:
    """The emulator's binary, ready to run."""
    if sys.platform != "linux":
        raise LocalStackError("the Runtime Interface Emulator runs on Linux alone")
    processor = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    target = WORK / "aws-lambda-rie"
    if not target.exists():
        WORK.mkdir(exist_ok=True)
        shutil.copy(Path(samcli.__file__).parent / "local" / "rapid" / f"aws-lambda-rie-{processor}", target)
        target.chmod(0o755)
    return target


@contextmanager
def running_function(
    task: Path, path: Sequence[Path], environment: Mapping[str, str], *, handler: str = "app.handler"
) -> Iterator[Function]:
    """A fresh process of the function in `task`; it starts at its first invocation. `path`: what else it can import."""
    port, api_port = free_port(), free_port()
    command: list[str | Path] = [
        emulator(),
        *("--log-level", "debug"),
        *("--runtime-interface-emulator-address", f"{HOST}:{port}"),
        *("--runtime-api-address", f"{HOST}:{api_port}"),
        # -S: nothing of this environment's packages.
        *(sys.executable, "-S", "-m", "awslambdaric", handler),
    ]
    lambdas_own = {
        "PATH": os.defpath,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONPATH": os.pathsep.join(str(directory) for directory in (task, *path)),
        "LAMBDA_TASK_ROOT": str(task),
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
    }
    logs = WORK / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = Path(tempfile.mkstemp(prefix=f"{task.name}-", suffix=".log", dir=logs)[1])
    with running(command, env=lambdas_own | dict(environment), cwd=task, log=log) as process:
        wait_for_port(port)
        yield Function(psutil.Process(process.pid), port, log)


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError(f"nothing answers on port {port}")
