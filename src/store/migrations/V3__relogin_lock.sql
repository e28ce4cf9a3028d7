-- What an IdP leg of a logout leaves behind until it is confirmed: a demand for a fresh authentication.
CREATE TABLE relogin_lock (
    leg_id       TEXT PRIMARY KEY,
    logout_id    TEXT NOT NULL,
    browser_hash {BYTES} NOT NULL,
    idp_id       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    sealed       {BYTES} NOT NULL,
    fresh_after  BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX relogin_lock_browser ON relogin_lock (browser_hash);
CREATE INDEX relogin_lock_subject ON relogin_lock (subject);
CREATE INDEX relogin_lock_expires ON relogin_lock (expires_at);
