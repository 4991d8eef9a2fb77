"""What a server says of itself."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from headway.core.scalars import shown
from headway.wire.decode import decode_identity
from headway.wire.formats import Format
from headway.wire.server import Server, encode_identity, encode_root

SERVER = Server(
    machine_identifier="0123456789abcdef0123456789abcdef01234567",
    version="1.2.3",
    friendly_name='Mo\'s "box"',
    platform="Linux",
    platform_version="6.1 <x>",
    updated_at=1700000000,
)


def test_identity_is_what_plex_tells() -> None:
    assert encode_identity(SERVER, Format.JSON) == (
        b'{"MediaContainer":{"size":0,"claimed":true,'
        b'"machineIdentifier":"0123456789abcdef0123456789abcdef01234567","version":"1.2.3"}}'
    )
    assert encode_identity(SERVER, Format.XML) == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<MediaContainer size="0" claimed="1" '
        b'machineIdentifier="0123456789abcdef0123456789abcdef01234567" version="1.2.3">\n</MediaContainer>\n'
    )


def test_the_root_tells_the_same_in_both_forms() -> None:
    members = json.loads(encode_root(SERVER, Format.JSON))["MediaContainer"]
    container = ElementTree.fromstring(encode_root(SERVER, Format.XML))
    (directory,) = members.pop("Directory")
    assert container.attrib == {name: shown(value) for name, value in members.items()}
    assert [child.attrib for child in container] == [{"count": "1", "key": "activities", "title": "activities"}]
    assert directory == {"count": 1, "key": "activities", "title": "activities"}


def test_the_root_has_the_types_that_clients_rely_on() -> None:
    members = json.loads(encode_root(SERVER, Format.JSON))["MediaContainer"]
    assert members["ownerFeatures"] == ""
    assert members["eventStream"] is True
    assert members["myPlex"] is False
    assert type(members["updatedAt"]) is int
    assert (members["friendlyName"], members["version"]) == ('Mo\'s "box"', "1.2.3")
    assert None not in members.values()


def test_what_is_told_can_be_read_back_from_both_forms() -> None:
    for form in (Format.JSON, Format.XML):
        assert decode_identity(encode_root(SERVER, form), form.content_type) == SERVER
        identity = decode_identity(encode_identity(SERVER, form), form.content_type)
        assert identity == Server(machine_identifier=SERVER.machine_identifier, version="1.2.3")
