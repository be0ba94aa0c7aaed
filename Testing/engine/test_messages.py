"""A program never takes a sentence apart: codes and values go with the words, through every door."""

import json
import string
from concurrent.futures import ProcessPoolExecutor
from copy import copy
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from dsir.cli.main import main
from dsir.files.images import write_image, write_labels
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.messages import WORDS, Message, as_data, sentence


def test_a_message_is_its_sentence_and_its_data() -> None:
    message = Message("slices_missing", name="CT", missing=2, count=40, first=7)
    assert message == "CT lacks 2 of its 40 slices (the first is slice 7); they are interpolated."
    assert json.loads(json.dumps({"warnings": [message]})) == {"warnings": [str(message)]}
    assert as_data([message, "Somebody's own words."]) == [
        {"code": "slices_missing", "values": {"name": "CT", "missing": 2, "count": 40, "first": 7}, "text": message},
        {"code": "", "values": {}, "text": "Somebody's own words."},
    ]


def test_a_message_crosses_processes_with_its_data() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        back = pool.submit(copy, Message("labels_outside", labels=[1, 3])).result()
    assert back == "Outside the fixed image, so not in the result: labels 1, 3."
    assert (back.code, back.values) == ("labels_outside", {"labels": [1, 3]})


def test_whoever_has_better_names_says_them() -> None:
    assert sentence("labels_outside_named", {"labels": ["Liver", "Spleen"]}).endswith("result: Liver, Spleen.")


@pytest.mark.parametrize("code", WORDS)
def test_every_template_is_one_sentence_of_named_values(code: str) -> None:
    names = [name for _, name, _, _ in string.Formatter().parse(WORDS[code]) if name is not None]
    assert all(name.isidentifier() for name in names)
    assert WORDS[code].endswith((".", "?")) and "\n" not in WORDS[code]


def test_the_last_line_of_a_run_that_failed_says_why_as_data(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scan.nii").write_text("no image")
    words = ["apply", "--transform", f"{tmp_path}/scan.nii", "--reference", f"{tmp_path}/scan.nii"]
    assert main([*words, "--image", f"{tmp_path}/scan.nii", "--out", f"{tmp_path}/o.nii", "--json-progress"]) == 2
    said = capsys.readouterr()
    error = json.loads(said.out.splitlines()[-1])["error"]
    assert error["code"] == "refused" and f"dsir: {error['text']}" == said.err.strip()


def test_labels_that_are_lost_are_told_as_numbers(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    grid = Lattice((8, 8, 8), np.diag([2.0, 2.0, 2.0, 1.0]))
    write_image(tmp_path / "fixed.nii", Image(torch.rand(8, 8, 8), grid))
    far = Lattice((8, 8, 8), grid.affine + np.array([[0, 0, 0, 100.0]] + 3 * [[0, 0, 0, 0]]))
    labels = torch.zeros(8, 8, 8, dtype=torch.int16)
    labels[2:5, 2:5, 2:5] = 7
    write_labels(tmp_path / "labels.nii", labels, far)
    np.savetxt(tmp_path / "t.txt", np.eye(4))
    words = ["apply", "--transform", f"{tmp_path}/t.txt", "--field-convention", "ras"]
    words += ["--reference", f"{tmp_path}/fixed.nii"]
    assert main([*words, "--labels", f"{tmp_path}/labels.nii", "--out", f"{tmp_path}/o.nii", "--json-progress"]) == 0
    (message,) = json.loads(capsys.readouterr().out.splitlines()[-1])["messages"]
    assert (message["code"], message["values"]) == ("labels_outside", {"labels": [7]})
