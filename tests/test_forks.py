"""A forked child has a copy of everything and may use none of it; the parent notices nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

PREAMBLE = """
import os, sys, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks with threads: that is what is tested
from headway import Activities, HeadwayError, current
from headway.core.activity import State

def in_child(function):
    pid = os.fork()
    if not pid:
        code = 1
        try:
            function()
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            if ORDERLY:
                sys.exit(code)
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0, "the child failed"

def refused(function, *args):
    try:
        function(*args)
    except HeadwayError as error:
        assert "forked" in error.message, error.message
    else:
        raise AssertionError("not refused")
"""


def run(script: str, folder: Path, *, orderly: bool = False) -> str:
    """What a program prints, which runs it to its end without a complaint."""
    text = f"ORDERLY = {orderly}\n{PREAMBLE}\n{script}"
    done = subprocess.run(
        [sys.executable, "-c", text, str(folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_child_is_refused_with_the_reason(tmp_path: Path) -> None:
    script = """
with Activities(f"sqlite:{sys.argv[1]}") as activities:
    def child():
        refused(activities.call, activities.get, "x")
        refused(activities.start("t").__enter__)
        refused(activities.__enter__)
    in_child(child)
    with activities.start("t") as activity:
        pass
    print(activity.activity.state.value)
"""
    assert run(script, tmp_path) == "succeeded\n"


def test_what_a_child_reports_goes_nowhere_and_harms_nothing(tmp_path: Path) -> None:
    script = """
with Activities(f"sqlite:{sys.argv[1]}") as activities:
    with activities.start("t") as activity:
        activity.report(10)
        def child():
            for percent in range(11, 100):
                activity.report(percent)
                current().report(percent)
            assert not activity.cancel_requested
        in_child(child)
        time.sleep(0.2)
        print(activities.call(activities.get, activity.uuid).progress.percent)
"""
    assert run(script, tmp_path) == "10\n"


def test_a_child_that_leaves_the_block_ends_nothing(tmp_path: Path) -> None:
    script = """
with Activities(f"sqlite:{sys.argv[1]}") as activities:
    block = activities.start("t")
    activity = block.__enter__()
    in_child(lambda: block.__exit__(None, None, None))
    assert activity.activity.state is State.RUNNING
    block.__exit__(None, None, None)
    print(activities.call(activities.get, activity.uuid).state.value)
"""
    assert run(script, tmp_path) == "succeeded\n"


@pytest.mark.parametrize("orderly", [True, False])
def test_a_child_that_outlives_the_parent_does_not_keep_the_store(tmp_path: Path, orderly: bool) -> None:
    script = """
reader, writer = os.pipe()
def child():
    os.close(writer)
    os.read(reader, 1)  # until the parent is gone
activities = Activities(f"sqlite:{sys.argv[1]}").__enter__()
activity = activities.start("t").__enter__()
pid = os.fork()
if not pid:
    os.close(writer)
    os.close(1)
    os.close(2)
    os.read(reader, 1)
    time.sleep(0.5)
    sys.exit() if ORDERLY else os._exit(0)
os.close(reader)
print(activity.uuid, flush=True)
os._exit(0)
"""
    uuid = run(script, tmp_path, orderly=orderly).strip()
    again = """
with Activities(f"sqlite:{sys.argv[1]}") as activities:
    import headway.ports as ports
    [ended] = activities.call(activities.history, ports.HistoryQuery(None))
    print(ended.uuid, ended.state.value, ended.error)
"""
    assert run(again, tmp_path) == f"{uuid} lost server_restart\n"


@pytest.mark.parametrize("orderly", [True, False])
def test_children_that_end_while_the_parent_writes_hurt_nobody(tmp_path: Path, orderly: bool) -> None:
    script = """
with Activities(f"sqlite:{sys.argv[1]}") as activities:
    for _ in range(10):
        with activities.start("t") as activity:
            activity.report(50)
            in_child(lambda: None)
    ended = activities.call(activities.history, __import__("headway.ports").ports.HistoryQuery(None))
    print(len(ended), {each.state.value for each in ended})
"""
    assert run(script, tmp_path, orderly=orderly) == "10 {'succeeded'}\n"


def test_activities_that_were_not_open_are_opened_in_the_child(tmp_path: Path) -> None:
    script = """
activities = Activities(f"sqlite:{sys.argv[1]}")
def child():
    with activities, activities.start("t") as activity:
        pass
    assert activity.activity.state is State.SUCCEEDED
in_child(child)
"""
    run(script, tmp_path)
