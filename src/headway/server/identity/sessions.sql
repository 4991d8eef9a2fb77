-- Version 2: who is logged in with a browser. A row is a session that is open; what has ended is deleted.

-- The cookie is nowhere: hash is its SHA-256, id the public part of it. A session has the user and role of its token.
CREATE TABLE sessions (
    id               TEXT PRIMARY KEY,
    hash             BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    token_id         TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    created_at       REAL NOT NULL,
    expires_at       REAL NOT NULL
);

-- All sessions of a token end together.
CREATE INDEX sessions_of_token ON sessions (token_id);

-- Here, so that no program that changes a token can forget it, and none that undoes the change brings a session back.
CREATE TRIGGER sessions_end_with_token AFTER UPDATE OF role, user_id, revoked_at ON tokens
WHEN NEW.role <> OLD.role OR NEW.user_id <> OLD.user_id OR NEW.revoked_at IS NOT NULL
BEGIN
    DELETE FROM sessions WHERE token_id = NEW.id;
END;
