-- A logout may end single apps: then it ends no browser session, and a session may have several of
-- them.
ALTER TABLE logout ALTER COLUMN browser_session_id DROP NOT NULL;
