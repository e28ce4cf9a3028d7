-- The place of an event among those of its logout. Times do not tell: two transactions may have read the
-- same one, and clocks are set back. What was recorded before has place 0, and its times.
ALTER TABLE audit ADD COLUMN place BIGINT NOT NULL DEFAULT 0;
DROP INDEX audit_logout;
CREATE INDEX audit_logout ON audit (logout_id, place) WHERE logout_id IS NOT NULL;
-- The cookie value that a sign-in has replaced. A request that was under way with it still finds the session.
ALTER TABLE browser_session ADD COLUMN former_cookie_hash {BYTES};
CREATE INDEX browser_session_former_cookie ON browser_session (former_cookie_hash)
    WHERE former_cookie_hash IS NOT NULL;
