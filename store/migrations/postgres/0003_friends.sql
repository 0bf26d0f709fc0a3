-- A row is a request by `account`, or, when `since_us` is set, one direction of a friendship, which has a row for each.
CREATE TABLE friends (
    account BYTEA NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    friend BYTEA NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    requested_us BIGINT NOT NULL,
    since_us BIGINT,
    PRIMARY KEY (account, friend)
);
CREATE INDEX friends_friend ON friends (friend);

-- An account's link: who opens it before it expires becomes a friend.
CREATE TABLE friend_links (
    account BYTEA NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    code TEXT NOT NULL UNIQUE,
    expires_us BIGINT NOT NULL
);
