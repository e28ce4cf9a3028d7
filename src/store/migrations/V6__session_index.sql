-- By IdP and SessionIndex: what a LogoutRequest may mean, at an IdP with `logout_request_match =
-- session_index`. For other IdPs nothing is written here.
CREATE TABLE session_index (
    index_hash         {BYTES} NOT NULL,
    browser_session_id TEXT NOT NULL REFERENCES browser_session (id) ON DELETE CASCADE,
    PRIMARY KEY (index_hash, browser_session_id)
);
CREATE INDEX session_index_session ON session_index (browser_session_id);
