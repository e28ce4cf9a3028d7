-- One text for SQLite and PostgreSQL; {BYTES} is BLOB or BYTEA. Times are microseconds since 1970, UTC.
-- "sealed" columns are encrypted with the key-encryption key; "hash" columns are SHA-256 or HMAC.

CREATE TABLE setting (
    name        TEXT PRIMARY KEY,
    value       BIGINT NOT NULL
);
-- Every settings write adds one; caches are keyed by it.
INSERT INTO setting (name, value) VALUES ('settings_version', 1);

CREATE TABLE secret_key (
    name        TEXT PRIMARY KEY,
    sealed      {BYTES} NOT NULL,
    created_at  BIGINT NOT NULL
);

CREATE TABLE signing_key (
    id          TEXT PRIMARY KEY,
    purpose     TEXT NOT NULL,
    algorithm   TEXT NOT NULL,
    certificate {BYTES},
    sealed      {BYTES} NOT NULL,
    created_at  BIGINT NOT NULL,
    active_from BIGINT NOT NULL,
    revoked_at  BIGINT
);

CREATE TABLE client (
    id          TEXT PRIMARY KEY,
    settings    TEXT NOT NULL,
    secret_hash {BYTES},
    source      TEXT NOT NULL,
    disabled_at BIGINT,
    updated_at  BIGINT NOT NULL
);

CREATE TABLE identity_provider (
    id          TEXT PRIMARY KEY,
    entity_id   TEXT NOT NULL,
    settings    TEXT NOT NULL,
    metadata    TEXT NOT NULL,
    source      TEXT NOT NULL,
    disabled_at BIGINT,
    updated_at  BIGINT NOT NULL
);

-- A disabled connection does not keep its entity ID from being connected under another name.
CREATE UNIQUE INDEX identity_provider_entity_id ON identity_provider (entity_id)
    WHERE disabled_at IS NULL;

CREATE TABLE identity_provider_domain (
    domain      TEXT PRIMARY KEY,
    idp_id      TEXT NOT NULL
);

CREATE TABLE admin_token (
    hash        {BYTES} PRIMARY KEY,
    name        TEXT NOT NULL,
    created_at  BIGINT NOT NULL
);

-- An AuthnRequest that waits for its Response. Found by the IdP's InResponseTo and RelayState,
-- bound to the browser by the hash of its transaction cookie.
CREATE TABLE authn_request (
    id               TEXT PRIMARY KEY,
    relay_state_hash {BYTES} NOT NULL,
    browser_hash     {BYTES} NOT NULL,
    idp_id           TEXT NOT NULL,
    document         TEXT NOT NULL,
    expires_at       BIGINT NOT NULL
);
CREATE INDEX authn_request_expires ON authn_request (expires_at);

-- A verified sign-in whose browser could not show its cookie on the IdP's cross-site POST.
CREATE TABLE held_sign_in (
    handle_hash {BYTES} PRIMARY KEY,
    sealed      {BYTES} NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX held_sign_in_expires ON held_sign_in (expires_at);

CREATE TABLE seen_assertion (
    idp_id       TEXT NOT NULL,
    assertion_id TEXT NOT NULL,
    expires_at   BIGINT NOT NULL,
    PRIMARY KEY (idp_id, assertion_id)
);
CREATE INDEX seen_assertion_expires ON seen_assertion (expires_at);

CREATE TABLE browser_session (
    id          TEXT PRIMARY KEY,
    version     BIGINT NOT NULL,
    cookie_hash {BYTES} NOT NULL UNIQUE,
    sid         TEXT NOT NULL UNIQUE,
    subject     TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    idle_until  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    ended_at    BIGINT
);
CREATE INDEX browser_session_idle ON browser_session (idle_until);
CREATE INDEX browser_session_expires ON browser_session (expires_at);
CREATE INDEX browser_session_ended ON browser_session (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE idp_session (
    id                 TEXT PRIMARY KEY,
    browser_session_id TEXT NOT NULL REFERENCES browser_session (id) ON DELETE CASCADE,
    idp_id             TEXT NOT NULL,
    name_id_hash       {BYTES} NOT NULL,
    principal_hash     {BYTES} NOT NULL,
    sealed             {BYTES} NOT NULL,
    UNIQUE (browser_session_id, idp_id, name_id_hash)
);
-- By IdP and the value of the NameID: what a LogoutRequest may mean.
CREATE INDEX idp_session_principal ON idp_session (principal_hash);

CREATE TABLE app_session (
    id                 TEXT PRIMARY KEY,
    browser_session_id TEXT NOT NULL REFERENCES browser_session (id) ON DELETE CASCADE,
    client_id          TEXT NOT NULL,
    created_at         BIGINT NOT NULL,
    UNIQUE (browser_session_id, client_id)
);

CREATE TABLE code (
    hash               {BYTES} PRIMARY KEY,
    browser_session_id TEXT NOT NULL REFERENCES browser_session (id) ON DELETE CASCADE,
    document           TEXT NOT NULL,
    expires_at         BIGINT NOT NULL,
    redeemed_at        BIGINT
);
CREATE INDEX code_session ON code (browser_session_id);
CREATE INDEX code_expires ON code (expires_at);

CREATE TABLE access_token (
    hash               {BYTES} PRIMARY KEY,
    browser_session_id TEXT NOT NULL REFERENCES browser_session (id) ON DELETE CASCADE,
    code_hash          {BYTES} NOT NULL,
    client_id          TEXT NOT NULL,
    idp_session_id     TEXT NOT NULL,
    scope              TEXT NOT NULL,
    expires_at         BIGINT NOT NULL
);
CREATE INDEX access_token_session ON access_token (browser_session_id);
CREATE INDEX access_token_code ON access_token (code_hash);
CREATE INDEX access_token_expires ON access_token (expires_at);

-- A logout that has been asked for and needs a look at the browser's cookie or the person's yes.
CREATE TABLE logout_question (
    handle_hash {BYTES} PRIMARY KEY,
    document    TEXT NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX logout_question_expires ON logout_question (expires_at);

CREATE TABLE logout (
    id          TEXT PRIMARY KEY,
    version     BIGINT NOT NULL,
    handle_hash {BYTES} NOT NULL UNIQUE,
    browser_session_id TEXT NOT NULL UNIQUE,
    document    TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    deadline    BIGINT NOT NULL,
    answered_at BIGINT,
    settled_at  BIGINT
);
CREATE INDEX logout_settled ON logout (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX logout_created ON logout (created_at);
CREATE INDEX logout_open ON logout (deadline) WHERE answered_at IS NULL;

CREATE TABLE leg (
    id               TEXT PRIMARY KEY,
    logout_id        TEXT NOT NULL REFERENCES logout (id) ON DELETE CASCADE,
    position         BIGINT NOT NULL,
    document         TEXT NOT NULL,
    sealed           {BYTES},
    request_id       TEXT,
    relay_state_hash {BYTES},
    due_at           BIGINT,
    UNIQUE (logout_id, position)
);
CREATE INDEX leg_request ON leg (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX leg_relay_state ON leg (relay_state_hash) WHERE relay_state_hash IS NOT NULL;
CREATE INDEX leg_due ON leg (due_at) WHERE due_at IS NOT NULL;

-- A LogoutRequest of an IdP: carried out once, and remembered for sign-ins that it overtook.
CREATE TABLE ended_principal (
    idp_id         TEXT NOT NULL,
    request_id     TEXT NOT NULL,
    principal_hash {BYTES} NOT NULL,
    sealed         {BYTES} NOT NULL,
    expires_at     BIGINT NOT NULL,
    PRIMARY KEY (idp_id, request_id)
);
CREATE INDEX ended_principal_principal ON ended_principal (principal_hash);
CREATE INDEX ended_principal_expires ON ended_principal (expires_at);

CREATE TABLE audit (
    id                 TEXT PRIMARY KEY,
    at                 BIGINT NOT NULL,
    kind               TEXT NOT NULL,
    browser_session_id TEXT,
    logout_id          TEXT,
    client_id          TEXT,
    idp_id             TEXT,
    detail             TEXT NOT NULL
);
CREATE INDEX audit_logout ON audit (logout_id) WHERE logout_id IS NOT NULL;
