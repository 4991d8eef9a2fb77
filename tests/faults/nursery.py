"""Makes processes that begin with everything imported: a fork for each order on its input.

``python -m tests.faults.nursery FD``: the lives talk to that file descriptor; its own output tells how each ended.
"""

import asyncio
import os
import signal
import sys
import time
import traceback

import msgspec

from tests.faults import life
from tests.faults.life import Order
from tests.faults.sabotage import SABOTAGES


def be_born(order: Order) -> None:
    """Be the child, and live until killed."""
    status = 1
    try:
        life.OUTPUT = int(sys.argv[1])
        if order.sabotage is not None:
            SABOTAGES[order.sabotage]()
        asyncio.run(life.live(order))
        status = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(status)


def end(pid: int, order: Order) -> int:
    """Let it live for its time, and end it; its exit status."""
    time.sleep(order.seconds)
    if order.warned is not None:
        os.kill(pid, signal.SIGTERM)
        time.sleep(order.warned)
    os.kill(pid, signal.SIGKILL)  # if it is dead already, it is still ours: nobody has waited for it
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def main() -> None:
    """One life after the other."""
    for line in sys.stdin:
        order = msgspec.json.decode(line, type=Order)
        pid = os.fork()
        if pid == 0:
            be_born(order)
        os.write(1, b"%d\n" % end(pid, order))


if __name__ == "__main__":
    main()
