"""What the worker's image is made of is there, and its last words are a command that this environment knows too."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
LINES = [line.split(maxsplit=1) for line in (ROOT / "Dockerfile").read_text().splitlines() if line[:1].isupper()]


def said(word: str) -> list[str]:
    return [rest for first, rest in LINES if first == word]


def test_what_is_copied_is_there_and_not_kept_out() -> None:
    sources = [name for line in said("COPY") for name in line.split()[:-1]]
    assert sources and all((ROOT / name).exists() for name in sources)
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(sources) <= let_in


def test_the_extras_are_those_of_the_package() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    (extras,) = re.findall(r'"\.\[([\w,]+)\]"', "\n".join(said("RUN")))
    assert all(re.search(rf"^{extra} = ", project, re.MULTILINE) for extra in extras.split(","))


def test_it_runs_as_nobody_special_and_ends_in_a_command_that_exists() -> None:
    assert said("USER") == ["worker"]
    words = json.loads(said("ENTRYPOINT")[0])
    assert words[:2] == ["dask", "worker"]
    done = subprocess.run([sys.executable, "-m", *words[:2], "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and all(option in done.stdout for option in words[2:] if option.startswith("--"))


@pytest.mark.skipif(
    shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode != 0,
    reason="no Docker here that can build",
)
def test_docker_knows_every_line() -> None:
    done = subprocess.run(["docker", "build", "--check", str(ROOT)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
