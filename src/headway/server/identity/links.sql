-- Version 4: one-use links. A row is one that is good; what was used is deleted.

-- The code is nowhere: hash is its SHA-256. A link opens a session of its token.
CREATE TABLE links (
    hash             BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    token_id         TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    expires_at       REAL NOT NULL
);

-- All links of a token end together.
CREATE INDEX links_of_token ON links (token_id);

-- As sessions do, and for the same reasons.
CREATE TRIGGER links_end_with_token AFTER UPDATE OF role, user_id, revoked_at ON tokens
WHEN NEW.role <> OLD.role OR NEW.user_id <> OLD.user_id OR NEW.revoked_at IS NOT NULL
BEGIN
    DELETE FROM links WHERE token_id = NEW.id;
END;
