-- Times are microseconds since 1970 (UTC), ids 16 bytes.
CREATE TABLE accounts (
    id BLOB NOT NULL PRIMARY KEY,
    -- As shown. A guest's is the last one played under.
    name TEXT NOT NULL,
    -- 1 when the name belongs to the account.
    keeps_name INTEGER NOT NULL,
    -- 0 player, 1 moderator, 2 admin.
    role INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    seen_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the names that belong to accounts look like: no two of them look alike.
CREATE TABLE name_looks (
    look TEXT NOT NULL PRIMARY KEY,
    account BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX name_looks_account ON name_looks (account);

-- Browsers that are signed in, by the SHA-256 of the secret in their cookie.
CREATE TABLE sign_ins (
    secret_hash BLOB NOT NULL PRIMARY KEY,
    account BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_us INTEGER NOT NULL,
    used_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_ins_account ON sign_ins (account);
CREATE INDEX sign_ins_expires ON sign_ins (expires_us);

-- Argon2id, in the PHC string format.
CREATE TABLE passwords (
    account BLOB NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    hash TEXT NOT NULL,
    changed_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE passkeys (
    credential BLOB NOT NULL PRIMARY KEY,
    account BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- The public key and its counter, in JSON.
    body TEXT NOT NULL,
    label TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    used_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX passkeys_account ON passkeys (account);

-- Identities at OpenID Connect providers.
CREATE TABLE identities (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    account BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_us INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX identities_account ON identities (account);

-- The SHA-256 of each unused code.
CREATE TABLE recovery_codes (
    hash BLOB NOT NULL PRIMARY KEY,
    account BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX recovery_codes_account ON recovery_codes (account);
