"""Headway as its next release may be, for it to be tried beside this one: records and tables have more in them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from headway.cli import main
from headway.server.identity import database
from headway.stores import nats_streams, redis_records

PROGRAM = (sys.executable, __file__)


def _with_more(encode: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    return lambda record: encode(record)[:-1] + b',"later":{"more":[1,2,3]}}'


if __name__ == "__main__":
    redis_records._encode = _with_more(redis_records._encode)
    nats_streams._encode = _with_more(nats_streams._encode)
    database.STEPS = (*database.STEPS, str(Path(__file__).with_name("later.sql")))  # type: ignore[assignment]
    database.VERSION += 1
    main()
