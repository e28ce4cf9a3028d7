-- The session whose apps a logout has ended while the session itself lives on: when that ends too, who
-- has not confirmed is told again.
ALTER TABLE logout ADD COLUMN apps_of_session_id TEXT;
UPDATE logout SET apps_of_session_id =
    (SELECT b.id FROM browser_session b
     WHERE logout.document LIKE '%"browser_session":"' || b.id || '"%')
    WHERE browser_session_id IS NULL;
CREATE INDEX logout_apps_of_session ON logout (apps_of_session_id)
    WHERE apps_of_session_id IS NOT NULL;
