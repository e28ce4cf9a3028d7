-- Whom a leg tells: what is due is taken by receiver, so that one of them cannot keep the others waiting.
-- What was due before gets its receiver when it is next tried.
ALTER TABLE leg ADD COLUMN receiver TEXT NOT NULL DEFAULT '';
DROP INDEX leg_due;
CREATE INDEX leg_due ON leg (receiver, due_at) WHERE due_at IS NOT NULL;
