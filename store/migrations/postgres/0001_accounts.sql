-- Times are microseconds since 1970 (UTC), ids 16 bytes.
CREATE TABLE accounts (
    id BYTEA NOT NULL PRIMARY KEY,
    -- As shown. A guest's is the last one played under.
    name TEXT NOT NULL,
    -- 1 when the name belongs to the account.
    keeps_name BIGINT NOT NULL,
    -- 0 player, 1 moderator, 2 admin.
    role BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    seen_us BIGINT NOT NULL
);

-- What the names that belong to accounts look like: no two of them look alike.
CREATE TABLE name_looks (
    look TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account BYTEA NOT NULL REFERENCES accounts (id) ON DELETE CASCADE
);
CREATE INDEX name_looks_account ON name_looks (account);

-- Browsers that are signed in, by the SHA-256 of the secret in their cookie.
CREATE TABLE sign_ins (
    secret_hash BYTEA NOT NULL PRIMARY KEY,
    account BYTEA NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_us BIGINT NOT NULL,
    used_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL
);
CREATE INDEX sign_ins_account ON sign_ins (account);
CREATE INDEX sign_ins_expires ON sign_ins (expires_us);

-- Argon2id, in the PHC string format.
CREATE TABLE passwords (
    account BYTEA NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    hash TEXT NOT NULL,
    changed_us BIGINT NOT NULL
);

CREATE TABLE passkeys (
    credential BYTEA NOT NULL PRIMARY KEY,
    account BYTEA NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- The public key and its counter, in JSON.
    body TEXT NOT NULL,
    label TEXT NOT NULL,
    created_us BIGINT NOT NULL,
    used_us BIGINT NOT NULL
);
CREATE INDEX passkeys_account ON passkeys (account);

-- Identities at OpenID Connect providers.
CREATE TABLE identities (
    issuer TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    account BYTEA NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_us BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_account ON identities (account);

-- The SHA-256 of each unused code.
CREATE TABLE recovery_codes (
    hash BYTEA NOT NULL PRIMARY KEY,
    account BYTEA NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_us BIGINT NOT NULL
);
CREATE INDEX recovery_codes_account ON recovery_codes (account);
