"""One process that reads spoiled files, one after the other, and says what came of each.

It writes a line ``N start`` before a file and ``N outcome words`` after it, so that whoever watches knows which one
killed it. Outcomes: ``result``, ``refused``, ``fault`` (anything but a DsirError), ``long`` (no sentence).
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TextIO

import numpy as np
from dsir.errors import DsirError

from .mutations import spoil
from .readers import COMPARED, READERS, Reader

MEMORY = 4 << 30


def main() -> None:
    """Read files ``--first`` to ``--last`` of a reader, or of all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("reader")
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--last", type=int, required=True)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # libraries talk
    warnings.simplefilter("ignore")
    names = list(READERS) if arguments.reader == "all" else [arguments.reader]
    for name in names:
        _spoil_all({**READERS, **COMPARED}[name], range(arguments.first, arguments.last), answers, arguments.keep)


def _spoil_all(reader: Reader, numbers: range, answers: TextIO, keep: Path | None) -> None:
    folder = Path(tempfile.mkdtemp(prefix="dsir-fuzz-"))
    try:
        good = [(path, path.read_bytes()) for path in reader.make(folder)]
        for path, _ in good:
            reader.read(path)  # what is not spoiled is read
        _limit_memory()
        answers.write("ready\n")
        for number in numbers:
            draw = np.random.default_rng([number, *reader.name.encode()])
            path, content = good[number % len(good)]
            path.write_bytes(spoil(content, draw))
            answers.write(f"{number} start\n")
            outcome = _outcome(reader.read, path)
            answers.write(f"{number} {outcome}\n")
            if keep and not outcome.startswith(("result", "refused")):
                shutil.copy(path, keep / f"{reader.name} {number}{''.join(path.suffixes)}".replace(" ", "_"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _outcome(read, path: Path) -> str:
    try:
        read(path)
        return "result"
    except DsirError as error:
        words = " ".join(str(error).split())
        return f"refused {words[:160]}" if len(words) < 600 else f"long {words[:160]}"
    except Exception as error:
        where = error.__traceback__
        while where.tb_next and "dsir" in where.tb_next.tb_frame.f_code.co_filename:
            where = where.tb_next
        place = f"{Path(where.tb_frame.f_code.co_filename).name}:{where.tb_lineno}"
        return f"fault {type(error).__name__} at {place}: {' '.join(str(error).split())[:120]}"


def _limit_memory() -> None:
    """No more than 4 GB beside what Python and its libraries have mapped already."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = mapped + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


if __name__ == "__main__":
    sys.exit(main())
