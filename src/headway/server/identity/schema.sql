-- Who may call. Written by the command line, read by a running server: times are seconds since the epoch.

-- One row per user. AUTOINCREMENT, so that an id is never given to somebody else; 1 is the owner of the server.
CREATE TABLE users (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    name             TEXT NOT NULL UNIQUE,
    created_at       REAL NOT NULL
);

-- One row per token ever made. The token itself is nowhere: hash is its SHA-256, id the public part of it.
-- A role that this version does not know must come with a new user_version, never into these rows.
CREATE TABLE tokens (
    id               TEXT PRIMARY KEY,
    hash             BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    user_id          INTEGER NOT NULL REFERENCES users (id),
    role             TEXT NOT NULL CHECK (role IN ('admin', 'user', 'reporter', 'reader')),
    label            TEXT NOT NULL DEFAULT '',
    created_at       REAL NOT NULL,
    expires_at       REAL,               -- NULL: never
    revoked_at       REAL                -- NULL: not revoked
);

-- All tokens of one user are revoked together.
CREATE INDEX tokens_of_user ON tokens (user_id);
