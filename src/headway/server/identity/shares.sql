-- Version 3: what was shared with whoever has a link. A row is a share that is open; what was revoked is deleted.

-- The secret is nowhere: hash is its SHA-256, id the public part of it. owner is whose activity it is, who need not be the
-- user of the token: an admin may share what is somebody else's.
CREATE TABLE shares (
    id               TEXT PRIMARY KEY,
    hash             BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    token_id         TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    activity         TEXT NOT NULL,
    owner            INTEGER NOT NULL,
    created_at       REAL NOT NULL,
    expires_at       REAL NOT NULL
);

-- All shares of a token end together.
CREATE INDEX shares_of_token ON shares (token_id);

-- As sessions do, and for the same reasons.
CREATE TRIGGER shares_end_with_token AFTER UPDATE OF role, user_id, revoked_at ON tokens
WHEN NEW.role <> OLD.role OR NEW.user_id <> OLD.user_id OR NEW.revoked_at IS NOT NULL
BEGIN
    DELETE FROM shares WHERE token_id = NEW.id;
END;
