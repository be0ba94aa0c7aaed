"""What the verdict says of pairs that are right and of pairs spoiled on purpose.

    python Testing/benchmarks/verdicts.py [--preset fast|default] [--only good unseen bent unlucky spoiled]
        [--kinds known mirrored ...] [--sample N] [--cache FILE.jsonl] [--seconds 1800] [--data ../shared/data]

Good pairs show one anatomy, or two persons of whom this is said; unseen ones are known deformations of scans on which
no threshold was set, bent ones the known deformations of ``peers.py``, unlucky ones such as may go wrong unseen
(:mod:`verdict_unlucky`); spoiled ones cannot be registered rightly, or their result is kept wrong
(:mod:`verdict_pairs`).
A table of every pair (model chosen, verdict, reasons, what the truth says) and one of the counts. A result that is not
right by its truth counts as spoiled, whatever the pair was meant to be. With ``--cache`` what was judged is kept, and a
run that was stopped goes on; a cache holds one preset.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "DSIRRegistration"))

from dsir.errors import DsirError  # noqa: E402
from dsir.registration.presets import preset  # noqa: E402
from dsir.registration.register import register  # noqa: E402
from dsir.registration.settings import RegistrationSettings  # noqa: E402
from verdict_pairs import Case, bent, good, spoiled, unseen  # noqa: E402
from verdict_unlucky import unlucky  # noqa: E402

LEVELS = ("PASS", "CHECK", "FAIL")
PAIRS: dict[str, Callable[[Path], Iterable[Case]]] = {
    "good": good, "unseen": unseen, "bent": bent, "unlucky": unlucky, "spoiled": spoiled,
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A pair, judged.

    Attributes:
        right: what the truth says of the result; False for spoiled pairs.
        truth: the same in words.
    """

    name: str
    kind: str
    level: str
    reasons: tuple[str, ...]
    model: str
    similarity: float
    right: bool
    truth: str
    seconds: float


def main(arguments: list[str] | None = None) -> int:
    """Register each, print a line each, and the counts; exit code 0 also where the data are absent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", metavar="FOLDER")
    parser.add_argument("--preset", choices=("fast", "default"), default="fast")
    parser.add_argument("--only", nargs="+", choices=list(PAIRS), default=list(PAIRS))
    parser.add_argument("--sample", type=int, metavar="N", help="so many of the spoiled, drawn by chance (seed 0)")
    parser.add_argument("--kinds", nargs="+", metavar="KIND", help="of pairs; all by default")
    parser.add_argument("--cache", type=Path, metavar="FILE", help="where rows are kept, one a line")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no further pair after so long")
    options = parser.parse_args(arguments)
    if not (options.data / "cases").is_dir():
        print(f"Nothing to judge: {options.data / 'cases'} is not there.")
        return 0
    torch.set_num_threads(1)
    rows = list(_rows(options))
    print("\n| pairs | PASS | CHECK | FAIL |\n|---|---|---|---|")
    for title, meant in (("right", True), ("spoiled, or not right", False)):
        print(counted(title, [row for row in rows if row.right == meant]))
    for kind in dict.fromkeys(row.kind for row in rows):
        print(counted(f"– {kind}", [row for row in rows if row.kind == kind]))
    return 0


def counted(title: str, rows: Sequence[Row]) -> str:
    """A row of the table of counts."""
    counts = [sum(row.level == level for row in rows) for level in LEVELS]
    return f"| {title} ({len(rows)}) | " + " | ".join(map(str, counts)) + " |"


def line(row: Row) -> str:
    """A row of the table of pairs."""
    reasons = ", ".join(dict.fromkeys(row.reasons)) or "–"
    return (
        f"| {row.name} | {row.model}, {row.similarity:.2f} | {row.truth} | {row.level} | {reasons} "
        f"| {row.seconds:.0f} s |"
    )


def _rows(options: argparse.Namespace) -> Iterator[Row]:
    known: dict[str, Row] = {}
    if options.cache and options.cache.exists():
        for text in options.cache.read_text(encoding="utf-8").splitlines():
            values = json.loads(text)
            known[values["name"]] = Row(**{**values, "reasons": tuple(values["reasons"])})
    until = time.monotonic() + options.seconds
    print("| pair | model, similarity | truth | verdict | reasons | processor |\n|---|---|---|---|---|---|")
    for name in options.only:
        for case in drawn(PAIRS[name](options.data), options.sample if name == "spoiled" else None):
            if options.kinds and case.kind not in options.kinds:
                continue
            row = known.get(case.name)
            if row is None:
                if time.monotonic() > until:
                    return
                row = judged(case, options.preset)
                if options.cache:
                    with options.cache.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(asdict(row)) + "\n")
            print(line(row), flush=True)
            yield row


def drawn(cases: Iterable[Case], count: int | None) -> Iterable[Case]:
    """So many of them, by chance; all where ``count`` is None."""
    if count is None:
        return cases
    every = list(cases)
    return [every[n] for n in np.random.default_rng(0).permutation(len(every))[:count]]


def judged(case: Case, chosen: str) -> Row:
    """Register, and hold the verdict beside the truth."""
    began = time.process_time()
    try:
        found = register(case.fixed, case.moving, settings_for(case, chosen), initial=case.start)
    except DsirError as error:
        took = time.process_time() - began
        return Row(case.name, case.kind, "FAIL", ("refused",), "none", 0.0, False, str(error), took)
    took = time.process_time() - began
    truth = case.truth(found.transform) if case.truth else None
    verdict = found.report["verdict"]
    return Row(
        case.name,
        case.kind,
        verdict["level"],
        tuple(reason["code"] for reason in verdict["reasons"]),
        found.report["linear"]["model"],
        found.report["similarity"]["end"],
        truth is not None and truth.right,
        truth.text if truth else "spoiled",
        took,
    )


def settings_for(case: Case, chosen: str) -> RegistrationSettings:
    """The preset, or what a user takes for two persons; a start that is to be kept is not searched for."""
    if case.same_person is False:
        quick = {"descriptor": "mind", "spacing": 3.0} if chosen == "fast" else {}
        settings = preset("two_persons", **quick)
    else:
        settings = preset(chosen, same_person=case.same_person)
    if case.start is not None:
        linear, discrete = replace(settings.linear, model="none"), replace(settings.discrete, enabled=False)
        settings = replace(settings, linear=linear, discrete=discrete)
    return replace(settings, threads=1, device="cpu")


if __name__ == "__main__":
    raise SystemExit(main())
