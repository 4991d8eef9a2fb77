-- What the sqlite store keeps. The record itself is JSON: columns beside it exist only to be searched by.

-- One row per activity, live or ended.
CREATE TABLE activity (
    uuid             TEXT PRIMARY KEY,
    owner            INTEGER NOT NULL,
    type             TEXT NOT NULL,
    state            TEXT NOT NULL,
    revision         INTEGER NOT NULL,
    ended_at         REAL,               -- NULL while it lives
    record           TEXT NOT NULL
) WITHOUT ROWID;

-- Boot reads the live ones.
CREATE INDEX activity_live ON activity (revision) WHERE ended_at IS NULL;

-- History, newest end first: for admins, and for one owner.
CREATE INDEX activity_ended ON activity (revision) WHERE ended_at IS NOT NULL;
CREATE INDEX activity_ended_by_owner ON activity (owner, revision) WHERE ended_at IS NOT NULL;

-- How long past ones of a type took an owner.
CREATE INDEX activity_ended_by_type ON activity (owner, type, state, revision) WHERE ended_at IS NOT NULL;

-- Per owner, the newest revision that pruning has forgotten: older cursors cannot be answered.
CREATE TABLE floor (
    owner            INTEGER PRIMARY KEY,
    revision         INTEGER NOT NULL
);

-- The last lines that an activity has printed. Beside the record, which goes to everyone who watches.
CREATE TABLE output (
    uuid             TEXT PRIMARY KEY,
    saved_at         REAL NOT NULL,
    size             INTEGER NOT NULL,   -- bytes of the text
    text             TEXT NOT NULL
);

-- What all of it takes, and which is the oldest, without a look at the texts.
CREATE INDEX output_by_age ON output (saved_at, uuid, size);

-- It goes with its record.
CREATE TRIGGER output_ends AFTER DELETE ON activity
BEGIN
    DELETE FROM output WHERE uuid = OLD.uuid;
END;

-- Single values: epoch, secret, ceiling (revisions up to it may have been given out), clean (closed in order).
CREATE TABLE meta (
    name             TEXT PRIMARY KEY,
    value            NOT NULL
) WITHOUT ROWID;
