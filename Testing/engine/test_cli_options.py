"""What the commands' shared options do."""

import os

import pytest
from dsir.cli.main import build_parser
from dsir.cli.options import use_threads
from dsir.errors import DsirError


@pytest.mark.skipif(not hasattr(os, "getloadavg"), reason="this system does not tell how busy it is")
@pytest.mark.parametrize(("load", "policy"), [(0.0, None), (100.0, "PASSIVE")], ids=["idle", "busy"])
def test_threads_sleep_while_they_wait_on_a_busy_machine(monkeypatch, load, policy) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "")
    monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setattr(os, "getloadavg", lambda: (load * os.cpu_count(), 0.0, 0.0))
    use_threads(None)
    assert os.environ.get("OMP_WAIT_POLICY") == policy


@pytest.mark.parametrize("number", ["-1e-5", "-1E+2", "-1.", "-.5", "-3", "-2.5"])
def test_negative_numbers_are_numbers_in_every_way_to_write_them(number):
    for command in ("query", "figure"):
        words = [command, "--image", "a.nii", "--ras", number, "0", number]
        arguments = build_parser().parse_args([*words, *(["-o", "x.png"] if command == "figure" else [])])
        assert arguments.ras == [float(number), 0.0, float(number)]


def test_options_that_begin_like_numbers_are_still_refused():
    with pytest.raises(DsirError, match="see dsir query"):
        build_parser().parse_args(["query", "--image", "a.nii", "--ras", "-x", "0", "0"])
