"""How benchmarks on the named pairs are asked: where the scans lie, which pairs, which deformations."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

CASES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "cases"


def parser_of(said: str | None, choices: Sequence[str] = (), cases: Sequence[str] = ()) -> argparse.ArgumentParser:
    """A parser that says ``said`` and takes ``--data``; with ``choices`` of pairs, ``--cases`` and ``--seed`` too."""
    parser = argparse.ArgumentParser(description=said, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=CASES, metavar="FOLDER")
    if choices:
        parser.add_argument("--cases", nargs="+", choices=choices, metavar="CASE", default=list(cases))
        parser.add_argument("--seed", type=int, default=0, help="of the deformations")
    return parser


def asked(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace | None:
    """What was asked, with one thread set; None, which is said, where there are no scans."""
    options = parser.parse_args(arguments)
    if not options.data.is_dir():
        print(f"Nothing to measure: {options.data} is not there.")
        return None
    torch.set_num_threads(1)
    return options
