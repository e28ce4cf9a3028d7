-- By IdP and SessionIndex: the locks of the sessions that were to end, whoever signs in by them and
-- wherever.
CREATE TABLE relogin_lock_index (
    index_hash {BYTES} NOT NULL,
    leg_id     TEXT NOT NULL REFERENCES relogin_lock (leg_id) ON DELETE CASCADE,
    PRIMARY KEY (index_hash, leg_id)
);
CREATE INDEX relogin_lock_index_leg ON relogin_lock_index (leg_id);
