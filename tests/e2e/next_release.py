"""Headway as its next release may be, for it to be tried beside this one: records and tables have more in them."""

from __future__ import annotations

import sys
from pathlib import Path

from headway.cli import main
from headway.core.activity import Activity
from headway.server.identity import database
from headway.stores import redis_records

PROGRAM = (sys.executable, __file__)

_encode = redis_records._encode


def _encoded(activity: Activity) -> bytes:
    return _encode(activity)[:-1] + b',"later":{"more":[1,2,3]}}'


if __name__ == "__main__":
    redis_records._encode = _encoded
    database.STEPS = (*database.STEPS, str(Path(__file__).with_name("later.sql")))  # type: ignore[assignment]
    database.VERSION += 1
    main()
