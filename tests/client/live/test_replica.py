"""The state that a stream builds up."""

from headway.client.live.replica import Replica
from headway.core.view import Kind
from headway.wire.decode import row_from
from headway.wire.notifications import ActivityNotification, Ping, SnapshotNotification
from headway.wire.row import Row
from tests.client.scripted_server import OTHER, UUID, row


def made(uuid: str = UUID, progress: int = 0) -> Row:
    return row_from(row(uuid, progress=progress))


def test_it_follows_an_activity_through_its_life() -> None:
    replica = Replica()
    replica.apply(ActivityNotification(Kind.STARTED, made()))
    replica.apply(ActivityNotification(Kind.UPDATED, made(progress=40)))
    assert [each.progress for each in replica] == [40]
    replica.apply(ActivityNotification(Kind.ENDED, made(progress=100)))
    assert list(replica) == []


def test_an_update_of_something_unknown_is_taken_in() -> None:
    replica = Replica()
    replica.apply(ActivityNotification(Kind.UPDATED, made(progress=7)))
    assert replica.get(UUID) == made(progress=7)


def test_a_snapshot_replaces_everything_and_tells_what_has_gone() -> None:
    replica = Replica()
    replica.apply(ActivityNotification(Kind.STARTED, made()))
    assert replica.apply(SnapshotNotification([made(OTHER)])) == [made()]
    assert [each.uuid for each in replica] == [OTHER]


def test_a_ping_changes_nothing() -> None:
    replica = Replica()
    replica.apply(SnapshotNotification([made()]))
    assert replica.apply(Ping()) == []
    assert len(replica) == 1


def test_it_can_change_while_it_is_looked_at() -> None:
    replica = Replica()
    replica.apply(SnapshotNotification([made(), made(OTHER)]))
    for each in replica:
        replica.apply(ActivityNotification(Kind.ENDED, each))
    assert len(replica) == 0
