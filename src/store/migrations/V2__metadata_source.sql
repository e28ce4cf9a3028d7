-- Where the metadata of an IdP is looked for again. An IdP whose metadata was uploaded has no row.
CREATE TABLE metadata_source (
    idp_id        TEXT PRIMARY KEY,
    url           TEXT NOT NULL,
    etag          TEXT,
    last_modified TEXT,
    checked_at    BIGINT NOT NULL,
    next_at       BIGINT NOT NULL,
    failure       TEXT
);
CREATE INDEX metadata_source_next ON metadata_source (next_at);
