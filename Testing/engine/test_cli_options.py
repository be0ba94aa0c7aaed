"""What the commands' shared options do."""

from __future__ import annotations

import os

import pytest
import torch
from dsir import processors
from dsir.cli.options import use_threads
from dsir.progress import silent
from dsir.registration.presets import preset
from dsir.registration.repeatable import repeatable


@pytest.fixture()
def four_threads(monkeypatch: pytest.MonkeyPatch):
    """Torch allowed four threads, on a machine of four processors; as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    monkeypatch.setattr(processors, "available", lambda: 4)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    yield monkeypatch
    os.environ.pop("OMP_WAIT_POLICY", None)
    torch.set_num_threads(before)


@pytest.mark.parametrize(("busy", "threads"), [(0.0, 4), (1.1, 3), (3.9, 1), (40.0, 1)])
def test_no_more_threads_than_idle_processors_through_every_door(four_threads, busy: float, threads: int) -> None:
    four_threads.setattr(processors, "_watched", lambda: busy)
    with repeatable(preset("default"), silent):  # the way of register(), whoever calls it
        assert torch.get_num_threads() == threads
    assert torch.get_num_threads() == 4
    with repeatable(preset("default", threads=2), silent):  # who asks for two gets two
        assert torch.get_num_threads() == 2
    use_threads(None)
    assert torch.get_num_threads() == threads
    assert os.environ.get("OMP_WAIT_POLICY") == (None if threads == 4 else "PASSIVE")


def test_who_begins_alone_makes_room_for_company(four_threads, tmp_path) -> None:
    """Two others come, four; this program's own time is not counted as another's; then all leave."""
    clock, own, ticks = [0.0], [0.0], [0, 0]  # seconds; seconds; jiffies busy and idle

    def passes(others: float) -> None:
        mine = torch.get_num_threads()
        busy = min(4.0, others + mine)
        clock[0], own[0] = clock[0] + 2, own[0] + 2 * mine
        ticks[:] = [ticks[0] + round(200 * busy), ticks[1] + round(200 * (4 - busy))]
        processors.TIMES.write_text(f"cpu {ticks[0]} 0 0 {ticks[1]} 0 0 0 0\n", encoding="ascii")

    four_threads.setattr(processors, "TIMES", tmp_path / "stat")
    four_threads.setattr(processors, "_watched", lambda: 0.0)
    four_threads.setattr(os, "cpu_count", lambda: 4)
    four_threads.setattr(processors.time, "monotonic", lambda: clock[0])
    four_threads.setattr(processors.time, "process_time", lambda: own[0])
    passes(0)
    with repeatable(preset("default"), silent) as progress:
        used = []
        for others in (0, 0):
            passes(others)
            progress("descent", 0.5, "")
            used.append(torch.get_num_threads())
        torch.set_num_threads(2)
        for others in (2, 0, 0):
            passes(others)
            progress("descent", 0.5, "")
            used.append(torch.get_num_threads())
    assert used == [4, 4, 2, 4, 4]


def test_the_processors_are_watched_while_this_program_sleeps() -> None:
    assert 1 <= processors.sensible_threads() <= processors.available()


def test_where_the_system_tells_nothing_the_load_is_asked(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(processors, "TIMES", tmp_path / "none")
    monkeypatch.setattr(processors, "available", lambda: 8)
    monkeypatch.setattr(os, "getloadavg", lambda: (5.2, 0.0, 0.0), raising=False)
    assert processors.sensible_threads() == 3
