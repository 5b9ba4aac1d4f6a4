"""`python -m local.install <environment> <requirements>`: a virtual environment, and its packages by their hashes.

It says how far it has come, since the first time takes minutes. Standard library alone: there is no package yet.
"""

import re
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

# A line a package would be too much, and nothing for a minute too little.
SAY_EVERY_SECONDS = 10


def install(environment: Path, requirements: Path) -> None:
    """Make `environment` anew. Raises CalledProcessError where pip fails, which has then said why."""
    packages = len(re.findall(r"^[\w.-]+(?:\[.*\])?==", requirements.read_text(), flags=re.MULTILINE))
    started = said = time.monotonic()
    print(f"Installing {packages} packages of {requirements} into {environment}, once …", flush=True)

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:5.1f} s] {text}", flush=True)

    shutil.rmtree(environment, ignore_errors=True)
    venv.create(environment, with_pip=True, symlinks=True)
    command: list[str | Path] = [
        environment / "bin/python",
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--progress-bar=off",
    ]
    # Compiling all 10,000 files takes longer than compiling what is imported, when it is.
    command += ["--no-compile", "--require-hashes", "-r", requirements]
    collected = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as pip:
        for line in pip.stdout or ():
            collected += line.startswith("Collecting ")
            if line.startswith("Installing collected packages"):
                say(f"{collected} packages are here; putting them in place …")
            elif time.monotonic() - said > SAY_EVERY_SECONDS:
                said = time.monotonic()
                say(f"{collected} of {packages} packages")
    if pip.returncode:
        raise subprocess.CalledProcessError(pip.returncode, "pip install")
    say("Done.")


if __name__ == "__main__":
    try:
        install(Path(sys.argv[1]), Path(sys.argv[2]))
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}; its own words are above")
