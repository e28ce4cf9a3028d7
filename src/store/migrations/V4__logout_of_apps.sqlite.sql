-- A logout may end single apps: then it ends no browser session, and a session may have several of
-- them. SQLite changes no column in place. Legs go first: they would go with their logouts.
CREATE TABLE new_logout (
    id          TEXT PRIMARY KEY,
    version     BIGINT NOT NULL,
    handle_hash {BYTES} NOT NULL UNIQUE,
    browser_session_id TEXT UNIQUE,
    document    TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    deadline    BIGINT NOT NULL,
    answered_at BIGINT,
    settled_at  BIGINT
);
INSERT INTO new_logout
    (id, version, handle_hash, browser_session_id, document, created_at, deadline, answered_at,
     settled_at)
    SELECT id, version, handle_hash, browser_session_id, document, created_at, deadline, answered_at,
        settled_at FROM logout;

CREATE TABLE new_leg (
    id               TEXT PRIMARY KEY,
    logout_id        TEXT NOT NULL REFERENCES new_logout (id) ON DELETE CASCADE,
    position         BIGINT NOT NULL,
    document         TEXT NOT NULL,
    sealed           {BYTES},
    request_id       TEXT,
    relay_state_hash {BYTES},
    due_at           BIGINT,
    UNIQUE (logout_id, position)
);
INSERT INTO new_leg
    (id, logout_id, position, document, sealed, request_id, relay_state_hash, due_at)
    SELECT id, logout_id, position, document, sealed, request_id, relay_state_hash, due_at FROM leg;

DROP TABLE leg;
DROP TABLE logout;
-- The reference of the legs follows the new name.
ALTER TABLE new_logout RENAME TO logout;
ALTER TABLE new_leg RENAME TO leg;

CREATE INDEX logout_settled ON logout (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX logout_created ON logout (created_at);
CREATE INDEX logout_open ON logout (deadline) WHERE answered_at IS NULL;
CREATE INDEX leg_request ON leg (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX leg_relay_state ON leg (relay_state_hash) WHERE relay_state_hash IS NOT NULL;
CREATE INDEX leg_due ON leg (due_at) WHERE due_at IS NOT NULL;
