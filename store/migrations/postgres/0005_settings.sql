-- What a player has set in the page, which the server keeps and does not read: a JSON object.
CREATE TABLE settings (
    account BYTEA NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    body TEXT NOT NULL,
    changed_us BIGINT NOT NULL
);
