"""`python -m local.install <environment> <requirements>`: a virtual environment, and its packages by their hashes.

Standard library alone: there is no package yet. Why uv, and pip after it: decision 56.
"""

import re
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

PINNED = Path("requirements/dev.txt")
# The command of the clone that the environment stands in, wherever it is called from.
COMMAND = """\
#!{python}
import sys
from pathlib import Path

try:
    clone = Path(__file__).absolute().parents[2]
    sys.path[:0] = [str(clone), str(clone / "layers" / "callverify")]
    from cli.__main__ import main

    sys.exit(main())
except KeyboardInterrupt:
    print("Error: stopped", file=sys.stderr)
    sys.exit(130)
"""


def install(environment: Path, requirements: Path) -> None:
    """Make `environment` anew. Raises CalledProcessError where neither uv nor pip can; it has said why.

    uv takes 17 s for what pip takes 324 s for (2026-11, one busy machine). It does not read pip's settings, such as the
    mirror of a company: pip is left to fall back on.
    """
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:5.1f} s] {text}", flush=True)

    say(f"Making {environment}, once …")
    shutil.rmtree(environment, ignore_errors=True)
    venv.create(environment, with_pip=True, symlinks=True)
    python = environment / "bin/python"
    options = ["--disable-pip-version-check", "--no-compile", "--require-hashes"]

    def pip(*arguments: str | Path) -> None:
        subprocess.run([python, "-m", "pip", "install", *options, *arguments], check=True)

    uv = re.search(r"^uv==.*?(?=^\S|\Z)", PINNED.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert uv, f"{PINNED} has no uv"  # noqa: S101
    with TemporaryDirectory() as folder:
        (Path(folder) / "uv.txt").write_text(uv[0])
        pip("--quiet", "-r", Path(folder) / "uv.txt")
    packages = len(re.findall(r"^[\w.-]+(?:\[.*\])?==", requirements.read_text(), flags=re.MULTILINE))
    say(f"Installing the {packages} packages of {requirements} …")
    command: list[str | Path] = [environment / "bin/uv", "pip", "install", "--python", python, "--system-certs"]
    if not sys.stderr.isatty():
        command.append("--quiet")  # a log needs no list of all that was installed
    if subprocess.run([*command, "--require-hashes", "-r", requirements], check=False).returncode:
        say("uv could not; pip takes some minutes …")
        pip("-r", requirements)
    if requirements == PINNED:
        install_command(environment)
    say("Done.")


def install_command(environment: Path) -> None:
    """Write `callverify` beside the environment's Python."""
    command = environment / "bin" / "callverify"
    command.write_text(COMMAND.format(python=(environment / "bin" / "python").absolute()))
    command.chmod(0o755)


if __name__ == "__main__":
    try:
        install(Path(sys.argv[1]), Path(sys.argv[2]))
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}; its own words are above")
