"""`python -m local.build`: sam build, with the layer trimmed and the Python compiled beforehand.

The zips that the SAM CLI uploads hold no compiled Python, and Lambda's file system is read-only: without this, every
cold start compiles every module that it imports. The compiled files are told to trust their source, because a zip's
dates are all in 1980 (decision 45).
"""

import compileall
import fcntl
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from py_compile import PycInvalidationMode

from local.processes import LocalStackError, run
from local.trim import trim

ROOT = Path(__file__).resolve().parent.parent
SAM = Path(sys.executable).parent / "sam"


def with_layer(tree: Path = ROOT) -> dict[str, str]:
    """Where Python finds the layer's package: for commands of a tree's own."""
    return {"PYTHONPATH": str(tree / "layers" / "callverify")}


def sam_environment() -> dict[str, str]:
    """The environment for the SAM CLI, which looks for `python3.13` in the PATH: this one's."""
    path = f"{SAM.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, "PATH": path, "SAM_CLI_TELEMETRY": "0"}


def host_architecture() -> str:
    """This machine's processor, in Lambda's words."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def build(options: Sequence[str] = (), *, copy_to: Path | None = None) -> None:
    """Build into .aws-sam/build, one build at a time, and copy the result to `copy_to`.

    Raises LocalStackError with the SAM CLI's own words.
    """
    artifacts = ROOT / ".aws-sam" / "build"
    artifacts.parent.mkdir(exist_ok=True)
    with (artifacts.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        log = artifacts.parent / "build.log"
        run([SAM, "build", "--cached", "--parallel", *options], env=sam_environment(), cwd=ROOT, log=log)
        trim(artifacts / "CallverifyLayer" / "python")
        if not compileall.compile_dir(artifacts, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH):
            raise LocalStackError("the build holds Python that does not compile")
        if copy_to:
            shutil.rmtree(copy_to, ignore_errors=True)
            shutil.copytree(artifacts, copy_to)


def build_for(architecture: str, directory: Path) -> None:
    """Build for a processor, in Lambda's words, into `directory`. Raises LocalStackError."""
    build(["--parameter-overrides", f"Architecture={architecture}"], copy_to=directory)


if __name__ == "__main__":
    try:
        build(sys.argv[1:])
    except LocalStackError as error:
        sys.exit(f"build: {error}")
    print("Built into .aws-sam/build; `callverify deploy` deploys it")
