"""The reference of the client: it is what the sources say now, and all of it."""

from __future__ import annotations

import re

import headway.client
from headway.client import AsyncClient, AsyncWatch, Client, Watch
from headway.client.activities import Activities
from headway.client.async_activities import AsyncActivities
from headway.client.plex import AsyncPlex, Plex
from tests.docs import reference
from tests.docs.pages import broken_links


def test_it_is_made_from_the_present_sources() -> None:
    assert reference.PAGE.read_text() == reference.page(), "run `python -m tests.docs.reference`"


def test_every_public_name_of_the_client_is_in_it() -> None:
    told = set(re.findall(r"^### (\w+)$|[├└]── (\w+)", reference.PAGE.read_text(), re.MULTILINE))
    assert {*headway.client.__all__} - {name for pair in told for name in pair} <= {
        "AsyncClient",
        "AsyncWatch",
        "HeadwayError",
    }


def test_on_an_event_loop_all_has_the_same_names() -> None:
    for here, there in ((Client, AsyncClient), (Activities, AsyncActivities), (Plex, AsyncPlex), (Watch, AsyncWatch)):
        assert public(here) - {"close"} == public(there) - {"aclose"}


def test_its_links_lead_somewhere() -> None:
    assert broken_links(reference.PAGE.read_text()) == []


def public(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}
