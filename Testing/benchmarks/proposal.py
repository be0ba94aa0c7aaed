"""What a network of ``dsir train-registration`` is worth as a start, on pairs with a known answer.

    python Testing/benchmarks/proposal.py runs/reg/weights.safetensors --cases brain_t1_t2

One row for each way to begin: the linear stage alone, the network's field alone, the descent from each of them and from
the discrete search.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from dsir.evaluation.catalogue import KNOWN, build
from dsir.evaluation.demo import demo_case
from dsir.evaluation.scoring import identity_score, score
from dsir.registration.register import register
from dsir.registration.settings import RegistrationSettings, preset

PROJECT = Path(__file__).resolve().parents[2]
EMBEDDED = "icbm152"


def ways(base: RegistrationSettings, weights: str) -> dict[str, RegistrationSettings]:
    """The rows: name to settings."""
    still = replace(base, descent=replace(base.descent, levels=()))
    unsearched = replace(base.discrete, enabled=False)
    return {
        "linear": replace(still, discrete=unsearched),
        "linear, descent": replace(base, discrete=unsearched),
        "linear, search, descent": base,
        "linear, network": replace(still, discrete=unsearched, initial_network=weights),
        "linear, network, descent": replace(base, initial_network=weights),
    }


def main() -> int:
    """Run and print; the start first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, help="of dsir train-registration")
    parser.add_argument("--cases", nargs="+", choices=[EMBEDDED, *KNOWN], default=[EMBEDDED], metavar="CASE")
    parser.add_argument("--descriptor", default="mind", help="of the descent (default: mind)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, default=PROJECT.parent / "shared" / "data" / "cases", help="scans")
    options = parser.parse_args()
    base = preset("default", descriptor=options.descriptor, device="cpu", threads=options.threads)
    table = Table("case", "way", "EPE mm", "p95", "folds", "similarity of the network's", "CPU s")
    console = Console(width=None if sys.stdout.isatty() else 140)
    for name in options.cases:
        case = demo_case() if name == EMBEDDED else build(name, options.data)
        found = identity_score(case)
        table.add_row(case.name, "start", f"{found['epe_mean']:.2f}", f"{found['epe_p95']:.1f}", "0", "", "")
        for way, settings in ways(base, str(options.weights)).items():
            began = time.process_time()
            result = register(case.fixed, case.moving, settings)
            spent = time.process_time() - began
            found = score(case, result.transform)
            said = result.report["proposal"]
            similar = "{before:.3f} to {after:.3f}".format(**said["similarity"]) if said else ""
            figures = (f"{found['epe_mean']:.2f}", f"{found['epe_p95']:.1f}", str(found["folds"]))
            table.add_row(case.name, way, *figures, similar, f"{spent:.0f}")
            console.print(case.name, way, *figures, similar, f"{spent:.0f} s", highlight=False)
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
