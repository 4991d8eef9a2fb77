"""Runs a command as the foreground job of a pseudo-terminal, the way a shell does (a program of its own).

    python -I -S session_leader.py TERMINAL STATUS CONTROL COMMAND [ARGUMENT...]

Why a process: only the leader of a session can take a terminal for it, and a job can be suspended by Ctrl-Z only while
its parent is in the same session, in another group; else its group is orphaned, and the kernel drops the signal
(POSIX, General Terminal Interface 11.1.4; sudo and every terminal multiplexer with a shell inside do the same).

TERMINAL, STATUS and CONTROL are descriptors. STATUS is told, a line each: `started PID` or `failed ERRNO`, then any
number of `suspended`, then `exited RETURNCODE` (negative for a signal). A suspended job goes on when a byte comes on
CONTROL. The job is not reaped before CONTROL is closed, so that its number stays its own while it is searched for.
"""

import os
import signal
import sys
import termios
from contextlib import suppress
from fcntl import ioctl


def main(terminal: int, status: int, control: int, command: list[str]) -> None:
    for descriptor in (terminal, status, control):
        os.set_inheritable(descriptor, False)
    ioctl(terminal, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    errors, failing = os.pipe()
    job = os.fork()
    if not job:
        become(command, terminal, failing)
    os.close(failing)
    forget_streams(terminal)
    if failure := os.read(errors, 16):
        tell(status, "failed " + failure.decode())
        return
    tell(status, f"started {job}")
    tell(status, f"exited {follow(job, status, control)}")
    while os.read(control, 1):
        pass
    if hasattr(os, "waitid"):
        os.waitpid(job, 0)


def become(command: list[str], terminal: int, failing: int) -> None:
    """Be the job: a group of its own, in the foreground from the first instruction, with the signals as they were."""
    os.setpgid(0, 0)
    os.tcsetpgrp(terminal, os.getpid())
    # Python ignores these two for itself.
    for signum in (signal.SIGTTOU, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(signum, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - running it is the purpose
    except OSError as error:
        os.write(failing, str(error.errno).encode())
    finally:
        os._exit(127)


def forget_streams(terminal: int) -> None:
    """Hold none of the job's streams: their ends are seen when the job has closed them."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    os.close(terminal)


def follow(job: int, status: int, control: int) -> int:
    """Wait until the job has ended; meanwhile do what a shell does when it stops. Returns as subprocess has it."""
    while True:
        stopped, number = change_of(job)
        if not stopped:
            # Or the kernel would hang up on what the job leaves behind, when its session loses its leader.
            put_in_foreground(os.getpgrp())
            return number
        if number == signal.SIGTSTP:
            tell(status, "suspended")
            os.read(control, 1)
        if number != signal.SIGSTOP:  # which somebody sent on purpose, and will end by SIGCONT
            put_in_foreground(job)
            os.killpg(job, signal.SIGCONT)


def change_of(job: int) -> tuple[bool, int]:
    """Wait until the job stops (True and the signal) or has ended (False and how), without reaping it if possible."""
    if not hasattr(os, "waitid"):
        _, status = os.waitpid(job, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            return True, os.WSTOPSIG(status)
        return False, os.waitstatus_to_exitcode(status)
    change = os.waitid(os.P_PID, job, os.WEXITED | os.WSTOPPED | os.WNOWAIT)
    assert change is not None  # noqa: S101 - None is only for WNOHANG
    if change.si_code == os.CLD_STOPPED:
        os.waitid(os.P_PID, job, os.WSTOPPED | os.WNOHANG)
        return True, change.si_status
    return False, change.si_status if change.si_code == os.CLD_EXITED else -change.si_status


def put_in_foreground(group: int) -> None:
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:  # hung up
        return
    with suppress(OSError):
        os.tcsetpgrp(terminal, group)
    os.close(terminal)


def tell(status: int, line: str) -> None:
    with suppress(OSError):  # whoever listened has gone; the job goes on
        os.write(status, f"{line}\n".encode())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
