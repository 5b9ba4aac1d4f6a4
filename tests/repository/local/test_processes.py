"""What the local stack starts ends with it, and what is in its way is named."""

import os
import socket
import time
from pathlib import Path

import psutil
import pytest

from local.processes import HOST, LocalStackError, free_port, require_free_port, run, running


def test_a_taken_port_names_the_process_and_the_way_out() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(LocalStackError, match=rf"port {port}.*process {os.getpid()} \(.*AWS_PORT=") as error:
            require_free_port(port, "the embedded AWS", "AWS_PORT")
    assert "python" in str(error.value)


def test_a_free_port_is_fine() -> None:
    require_free_port(free_port(), "the simulators", "SIMULATOR_PORT")


def test_children_of_what_was_started_end_too(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = ["sh", "-c", "sleep 600 & echo $!; wait"]
    with running(command, env=dict(os.environ), cwd=tmp_path, log=log) as process:
        deadline = time.monotonic() + 60
        while not log.read_text().strip() and time.monotonic() < deadline:
            time.sleep(0.01)
        child = int(log.read_text())
        assert psutil.pid_exists(child)
    assert process.returncode is not None
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_a_command_that_fails_is_quoted(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo the reason; exit 3"]
    with pytest.raises(LocalStackError, match=r"failed \(3\):\nthe reason"):
        run(command, env=dict(os.environ), cwd=tmp_path, log=tmp_path / "log")
