"""One server a folder, and a reserve for the day the disk is full."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from headway.stores import StoreError
from headway.stores.folder import RESERVE, FolderLock, Reserve

HOLDER = """
import pathlib, sys, time
from headway.stores.folder import FolderLock
FolderLock(pathlib.Path(sys.argv[1])).acquire()
print("held", flush=True)
time.sleep(600)
"""


def test_a_second_holder_is_refused_with_the_pid_and_the_folder(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    first.acquire()
    with pytest.raises(StoreError, match=rf"another Headway server \(pid {os.getpid()}\) is using {tmp_path}; stop it"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()
    assert (tmp_path / "headway.lock").stat().st_mode & 0o777 == 0o600


def test_the_kernel_drops_the_lock_of_a_process_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        lock = FolderLock(tmp_path)
        with pytest.raises(StoreError, match=rf"pid {holder.pid}\)"):
            lock.acquire()
        holder.send_signal(signal.SIGKILL)
    lock.acquire()
    lock.release()


def test_a_shorter_pid_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    (tmp_path / "headway.lock").write_text("99999999999999")
    lock = FolderLock(tmp_path)
    lock.acquire()
    assert (tmp_path / "headway.lock").read_text() == str(os.getpid())
    lock.release()


def test_the_lock_holds_where_even_the_pid_cannot_be_written() -> None:
    # /dev/full takes no byte, ever.
    class Full(FolderLock):
        def __init__(self) -> None:
            super().__init__(Path("/dev"))
            self.path = Path("/dev/full")

    lock = Full()
    lock.acquire()
    lock.release()


def test_a_reserve_is_real_room_that_can_be_given_up(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path)
    assert not reserve.held
    assert reserve.take()
    stat = reserve.path.stat()
    assert (stat.st_size, stat.st_mode & 0o777) == (RESERVE, 0o600)
    assert stat.st_blocks * 512 >= RESERVE
    assert reserve.give_up()
    assert not reserve.path.exists()
    assert not reserve.give_up()


def test_a_reserve_that_is_held_is_not_written_again(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path)
    reserve.take()
    before = reserve.path.stat().st_mtime_ns
    assert reserve.take()
    assert Reserve(tmp_path).held
    assert reserve.path.stat().st_mtime_ns == before


def test_half_a_reserve_is_none(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path)
    reserve.path.write_bytes(b"x" * 1000)
    assert not reserve.held
    assert reserve.take()


def test_a_reserve_leaves_room_to_others(tmp_path: Path) -> None:
    room = os.statvfs(tmp_path)
    reserve = Reserve(tmp_path, size=room.f_bavail * room.f_frsize * 2 // 3)
    assert not reserve.take()
    assert not reserve.path.exists()
