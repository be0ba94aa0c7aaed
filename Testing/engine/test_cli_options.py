"""What the commands' shared options do."""

import os

import pytest
from dsir.cli.options import use_threads


@pytest.mark.skipif(not hasattr(os, "getloadavg"), reason="this system does not tell how busy it is")
@pytest.mark.parametrize(("load", "policy"), [(0.0, None), (100.0, "PASSIVE")], ids=["idle", "busy"])
def test_threads_sleep_while_they_wait_on_a_busy_machine(monkeypatch, load, policy) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "")
    monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setattr(os, "getloadavg", lambda: (load * os.cpu_count(), 0.0, 0.0))
    use_threads(None)
    assert os.environ.get("OMP_WAIT_POLICY") == policy
