"""Commands that the local stack runs, each in a session of its own: stopping one takes its children along."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

type Command = Sequence[str | Path]

HOST = "127.0.0.1"


class LocalStackError(Exception):
    """The local stack cannot run; the message says why, for the person who started it."""


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def require_free_port(port: int, purpose: str, setting: str) -> None:
    """Raise LocalStackError naming the process in the way, and the `setting` that picks another port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise LocalStackError(
                f"port {port}, wanted for {purpose}, is taken by {_listener(port) or f'another process ({error})'}. "
                f"Stop it, or choose another port with {setting}=…"
            ) from error


def _listener(port: int) -> str | None:
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and getattr(connection.laddr, "port", 0) == port
                and connection.pid
            ):
                command = " ".join(psutil.Process(connection.pid).cmdline())
                return f"process {connection.pid} ({command[:200]})"
    except psutil.Error:  # macOS shows other processes' ports to root alone
        pass
    return None


@contextmanager
def running(command: Command, *, env: Mapping[str, str], cwd: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` in the background, its output in `log`, until the block ends; then stop it and all its children."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _stop_group(process)


def run(command: Command, *, env: Mapping[str, str], cwd: Path, log: Path) -> None:
    """Run `command` to its end. Raise LocalStackError with the last of its output where it fails."""
    with running(command, env=env, cwd=cwd, log=log) as process:
        code = process.wait()
    if code:
        last_lines = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
        name = " ".join([Path(command[0]).name, *(str(argument) for argument in command[1:3])])
        raise LocalStackError(f"`{name}` failed ({code}):\n{last_lines}")


def _stop_group(process: subprocess.Popen[bytes], patience_seconds: float = 5) -> None:
    deadline = time.monotonic() + patience_seconds
    stop_signal = signal.SIGTERM
    while _members(process.pid):
        try:
            os.killpg(process.pid, stop_signal)
        except ProcessLookupError:
            break
        for _ in range(20):
            process.poll()
            if not _members(process.pid):
                break
            time.sleep(0.05)
        if time.monotonic() > deadline:
            stop_signal = signal.SIGKILL
    process.wait()


def _members(group: int) -> list[int]:
    """The living processes of a group: a zombie whose parent is slow holds neither port nor file."""
    members = []
    for candidate in psutil.process_iter(["pid", "status"]):
        try:
            if os.getpgid(candidate.pid) == group and candidate.info["status"] != psutil.STATUS_ZOMBIE:
                members.append(candidate.pid)
        except (ProcessLookupError, PermissionError):
            continue
    return members
