"""Whatever becomes of the engine's process is told in one sentence, and nothing of it stays."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from dsir.errors import Cancelled, DsirError
from DSIRRegistrationLib import engine_process, worker
from DSIRRegistrationLib.engine_process import MODULE_FOLDER
from DSIRRegistrationLib.run import Run


@pytest.fixture
def engine(monkeypatch, tmp_path):
    """Run a few lines of Python in the place of ``python -m dsir``."""

    def put(code: str) -> None:
        package = tmp_path / "modules" / "dsir"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(textwrap.dedent(code))
        monkeypatch.setattr(engine_process, "MODULE_FOLDER", package.parent)

    return put


def failing(code: str, text: str, status: int) -> str:
    """An engine that ends with an error, as data on standard output."""
    return f"import json, sys; print(json.dumps({ {'error': {'code': code, 'text': text}}!r})); sys.exit({status})"


def start(folder: Path, progress=lambda *step: None, **options) -> Run:
    return Run(worker.run(["register"], folder, progress=progress, **options))


def test_progress_arrives_and_the_last_words_are_returned(engine, tmp_path) -> None:
    engine("""
        import json
        for n in range(3):
            print(json.dumps({"stage": "descent", "fraction": n / 3, "message": f"step {n}"}), flush=True)
        print("a stray line of somebody's library")
        print(json.dumps({"result": "there", "report": {"folds": 0}}))
    """)
    steps = []
    words = start(tmp_path, lambda *step: steps.append(step)).wait()
    assert words["result"] == "there" and words["report"] == {"folds": 0}
    assert [message for _, _, message in steps] == ["step 0", "step 1", "step 2"]


@pytest.mark.parametrize(
    ("code", "kind", "sentence"),
    [
        (
            failing("refused", "The two images share no space.", 2),
            DsirError,
            "share no",
        ),
        (failing("internal", "Something broke.", 1), worker.EngineError, "Something"),
        (
            "import sys; print('dsir: Words on a screen.', file=sys.stderr); sys.exit(2)",
            worker.EngineError,
            "exit code 2",
        ),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", worker.EngineError, "memory ran out"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", worker.EngineError, "unexpectedly .signal 11"),
        ("pass", worker.EngineError, "without a result"),
        ("print('[1, 2'); print('rubbish')", worker.EngineError, "cannot be read"),
        ("import sys; sys.exit(130)", Cancelled, "stopped from outside"),
        ("raise RuntimeError('deep inside')", worker.EngineError, "exit code 1"),
    ],
)
def test_an_end_without_a_result_is_one_sentence(engine, tmp_path, code, kind, sentence) -> None:
    engine(code)
    with pytest.raises(kind, match=sentence) as caught:
        start(tmp_path).wait()
    assert "Traceback" not in str(caught.value) and "\n" not in str(caught.value)


def test_the_tail_of_the_log_goes_with_an_error(engine, tmp_path) -> None:
    engine("import sys; [print('line', n, file=sys.stderr) for n in range(40)]; sys.exit(1)")
    with pytest.raises(worker.EngineError) as caught:
        start(tmp_path).wait()
    assert caught.value.log.splitlines() == [f"line {n}" for n in range(25, 40)]


def test_the_users_names_stand_in_for_our_files(engine, tmp_path) -> None:
    engine(failing("refused", f"{tmp_path}/fixed.nii is constant.", 2))
    with pytest.raises(DsirError, match=r"^The fixed volume is constant\.$"):
        start(tmp_path, inputs={f"{tmp_path}/fixed.nii": "The fixed volume"}).wait()


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are of Unix")
def test_cancel_ends_the_process_and_its_children_at_once(engine, tmp_path) -> None:
    engine("""
        import json, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print(json.dumps({"stage": "x", "fraction": 0.1, "message": str(child.pid)}), flush=True)
        time.sleep(60)
    """)
    pids = []
    run = start(tmp_path, lambda stage, fraction, message: pids.append(int(message)))
    deadline = time.monotonic() + 20
    while not pids and time.monotonic() < deadline:
        run.step()
        time.sleep(0.02)
    began = time.monotonic()
    run.cancel()
    assert time.monotonic() - began < 0.5
    time.sleep(0.2)
    state = Path(f"/proc/{pids[0]}/stat")
    assert not state.exists() or state.read_text().split()[2] in "ZX"


def test_what_the_callback_raises_ends_the_process(engine, tmp_path) -> None:
    engine("""
        import json, time
        print(json.dumps({"stage": "x", "fraction": 0.1, "message": "now"}), flush=True)
        time.sleep(60)
    """)

    def refuse(*step) -> None:
        raise Cancelled("Enough.")

    began = time.monotonic()
    with pytest.raises(Cancelled, match="Enough"):
        start(tmp_path, refuse).wait()
    assert time.monotonic() - began < 20


def test_a_step_never_keeps_the_panel_waiting(engine, tmp_path) -> None:
    engine("""
        import json, time
        for n in range(20):
            print(json.dumps({"stage": "x", "fraction": n / 20, "message": ""}), flush=True)
            time.sleep(0.02)
        print(json.dumps({"result": "there"}))
    """)
    run, waits = start(tmp_path), []
    run.step()  # starting a process is not a wait for it
    while run.running:
        began = time.process_time()
        run.step()
        waits.append(time.process_time() - began)
        time.sleep(0.02)
    assert max(waits) < 0.05


def test_the_real_engine_says_what_is_wrong_through_it(tmp_path) -> None:
    arguments = ["register", "--fixed", "nowhere.nii", "--moving", "nowhere.nii", "--out", str(tmp_path / "out")]
    with pytest.raises(DsirError, match=r"nowhere\.nii does not exist"):
        Run(worker.run(arguments, tmp_path)).wait()


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the process in /proc, and keeps it at a named pipe")
def test_the_engine_ends_with_a_crashed_slicer_and_leaves_no_scan_behind(tmp_path) -> None:
    folder = tmp_path / "dsir-run"
    folder.mkdir()
    os.mkfifo(folder / "scan.nii")  # whoever opens it waits for a writer that never comes
    program = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        sys.path.insert(0, {str(MODULE_FOLDER)!r})
        from DSIRRegistrationLib.engine_process import PythonProcess
        folder = Path({str(folder)!r})
        words = ["describe", "--json-progress", "--input", str(folder / "scan.nii"), "--out", str(folder / "f.npy")]
        engine = PythonProcess(words, output=folder / "progress.jsonl", log=folder / "log.txt")
        print(engine._child.pid, flush=True)
        time.sleep(600)
    """)
    slicer_itself = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    pid = int(slicer_itself.stdout.readline())
    _until(lambda: "loading" in (folder / "progress.jsonl").read_text())
    time.sleep(0.5)
    assert _lives(pid)
    slicer_itself.kill()
    slicer_itself.wait()
    _until(lambda: not _lives(pid))
    assert not folder.exists()


def _until(true, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] not in "ZX"


def test_signals_have_the_numbers_we_think() -> None:
    assert signal.SIGTERM == 15
