-- The cookie of the session that was ended, and the one before it. A browser that was not there when an
-- administrator ended its session has nothing else that finds the lock, and the session's row is kept for a day.
ALTER TABLE relogin_lock ADD COLUMN session_cookie_hash {BYTES};
ALTER TABLE relogin_lock ADD COLUMN former_session_cookie_hash {BYTES};
UPDATE relogin_lock SET
    session_cookie_hash = (
        SELECT b.cookie_hash FROM browser_session b JOIN logout o ON o.browser_session_id = b.id
        WHERE o.id = relogin_lock.logout_id
    ),
    former_session_cookie_hash = (
        SELECT b.former_cookie_hash FROM browser_session b JOIN logout o ON o.browser_session_id = b.id
        WHERE o.id = relogin_lock.logout_id
    );
CREATE INDEX relogin_lock_session_cookie ON relogin_lock (session_cookie_hash)
    WHERE session_cookie_hash IS NOT NULL;
CREATE INDEX relogin_lock_former_session_cookie ON relogin_lock (former_session_cookie_hash)
    WHERE former_session_cookie_hash IS NOT NULL;
