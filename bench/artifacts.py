"""What is measured, as Lambda would have it: zipped by the SAM CLI's own code, unzipped with the zip's own dates."""

from __future__ import annotations

import compileall
import fcntl
import hashlib
import os
import re
import shutil
import sys
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

from samcli.lib.package.utils import make_zip_with_lambda_permissions  # type: ignore[import-untyped]

from local.build import ROOT, build, host_architecture
from local.processes import LocalStackError, run

WORK = ROOT / ".bench"
HERE = Path(__file__).resolve().parent
LAYER = "CallverifyLayer"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A zip and where it was unzipped to; sizes in bytes."""

    name: str
    directory: Path
    zipped: int
    unzipped: int


def functions() -> list[str]:
    return sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))


def logical_id(function: str) -> str:
    return "".join(word.capitalize() for word in function.split("_")) + "Function"


def service(*, rebuild: bool = True) -> Mapping[str, Artifact]:
    """The layer (as LAYER) and each function by its folder's name, built for this machine's processor."""
    if rebuild:
        build(["--parameter-overrides", f"Architecture={host_architecture()}"])
    built = ROOT / ".aws-sam" / "build"
    artifacts = {name: _ship(name, built / logical_id(name)) for name in functions()}
    return artifacts | {LAYER: _ship(LAYER, built / LAYER)}


def folder(source: Path) -> Artifact:
    """A floor or a peer: a folder with its requirements, if any, built as `make build` builds a function."""
    name = "-".join(source.relative_to(HERE).parts)
    built = WORK / "build" / name
    built.mkdir(parents=True, exist_ok=True)
    with (WORK / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of tests that run side by side
        requirements = source / "requirements.txt"
        if requirements.exists():
            _install(requirements, built)
        for path in source.glob("*.py"):
            shutil.copy(path, built)
        _compile(built)
        return _ship(name, built)


def runtime() -> Path:
    """The stand-in for what Lambda's image has in /var/runtime."""
    directory = WORK / "runtime"
    if _install(HERE / "runtime" / "requirements.txt", directory):
        _compile(directory)
    return directory


def version(package: str, directory: Path) -> str:
    """The version of an installed package, or "none"."""
    found = next(directory.glob(f"{package}-*.dist-info"), None)
    match = re.fullmatch(r".*-(.+)\.dist-info", found.name) if found else None
    return match[1] if match else "none"


def _install(requirements: Path, directory: Path) -> bool:
    """`pip install --target`, unless the same requirements lie there already: whether anything was done."""
    stamp = directory / ".requirements"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return False
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-qq",
        "--disable-pip-version-check",
        "--no-compile",
    ]
    command += ["--require-hashes", "--no-deps", "--target", directory, "-r", requirements]
    run(command, env=os.environ, cwd=ROOT, log=WORK / f"{directory.name}.log")
    stamp.write_text(digest)
    return True


def _compile(directory: Path) -> None:
    if not compileall.compile_dir(directory, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH):
        raise LocalStackError(f"{directory} holds Python that does not compile")


def _ship(name: str, built: Path) -> Artifact:
    archives = WORK / "zips"
    archives.mkdir(parents=True, exist_ok=True)
    archive = Path(make_zip_with_lambda_permissions(str(archives / name), str(built)))
    directory = WORK / "opt" / name
    shutil.rmtree(directory, ignore_errors=True)
    unzipped = 0
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            path = opened.extract(member, directory)
            at = time.mktime((*member.date_time, 0, 0, -1))
            os.utime(path, (at, at))
            unzipped += member.file_size
    return Artifact(name, directory, archive.stat().st_size, unzipped)
