-- An administrator ends all sessions of one person.
CREATE INDEX browser_session_subject ON browser_session (subject);
