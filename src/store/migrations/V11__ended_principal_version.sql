-- Who writes a LogoutRequest down once more names the version that was read.
ALTER TABLE ended_principal ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
