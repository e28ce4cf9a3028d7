-- Sessions whose time is over and that nobody has ended, however many ended ones are kept.
CREATE INDEX browser_session_lapsed_idle ON browser_session (idle_until) WHERE ended_at IS NULL;
CREATE INDEX browser_session_lapsed ON browser_session (expires_at) WHERE ended_at IS NULL;
