"""What the command line says before it works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from dsir.cli import options
from dsir.cli.main import COMMANDS, main
from dsir.cli.register import _summary as register_summary
from dsir.registration.linear import Model
from dsir.registration.presets import PRESETS, REASONS
from dsir.structures import surfaces_and_points

NAMES = [command.name for command in COMMANDS]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    said = capsys.readouterr().out
    assert stop.value.code == 0
    assert f"usage: dsir {name}" in said
    assert "example:" in said
    assert "--json-progress" in said


def test_help_is_quick_because_it_loads_no_engine() -> None:
    program = (
        "import sys\n"
        "from dsir.cli.main import build_parser\n"
        "build_parser().format_help()\n"
        "heavy = {'torch', 'numpy', 'SimpleITK', 'nibabel', 'matplotlib', 'rich'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_presets_offered_are_those_there_are() -> None:
    assert tuple(PRESETS) == options.PRESETS == tuple(REASONS)
    assert all(name == settings.preset for name, settings in PRESETS.items())


def test_the_kinds_of_surfaces_and_points_offered_are_those_that_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert (options.SURFACES, options.POINTS) == (surfaces_and_points.SURFACES, surfaces_and_points.POINTS)
    for name, kinds in (("apply", options.SURFACES), ("propagate", surfaces_and_points.KINDS)):
        with pytest.raises(SystemExit):
            main([name, "--help"])
        said = capsys.readouterr().out
        assert not [kind for kind in kinds if kind not in said]


def test_presets_are_explained_without_torch() -> None:
    code = "import sys, dsir.registration.preset_words; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert get_args(Model) == options.MODELS


def test_python_m_dsir_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "dsir", "--version"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout.startswith("dsir ")


@pytest.mark.parametrize(
    "words",
    [[], ["nonsense"], ["register"], ["register", "--fixed"], ["register", "--fixed", "a", "--threads", "two"]],
)
def test_a_wrong_command_line_is_one_sentence_and_exit_code_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "--help" in said.err


def test_an_option_that_a_command_does_not_know_leads_to_its_own_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apply", "-t", "a.h5", "-o", "b.nii.gz", "--fixed", "c.nii.gz"]) == 2
    assert "Unrecognized arguments: --fixed c.nii.gz; see dsir apply --help." in capsys.readouterr().err


def test_a_warning_that_is_a_reason_of_the_verdict_is_said_once() -> None:
    reason = {"level": "CHECK", "code": "mask", "text": "The body could not be told."}
    report = {
        "verdict": {"level": "CHECK", "reasons": [reason]},
        "warnings": [reason["text"], "Another thing."],
        **{"folds": 0, "sd_log_j": 0.0, "seconds": {"total": 1.0}},
    }
    said = "\n".join(register_summary(Path("out"), report))
    assert said.count(reason["text"]) == 1 and "Warning: Another thing." in said
