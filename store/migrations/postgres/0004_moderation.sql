-- What moderators impose on accounts. Kind 0 is a ban, 1 a mute.
CREATE TABLE restrictions (
    account BYTEA NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    kind BIGINT NOT NULL,
    -- NULL for ever.
    until_us BIGINT,
    reason TEXT NOT NULL,
    imposed_by TEXT NOT NULL,
    imposed_us BIGINT NOT NULL,
    PRIMARY KEY (account, kind)
);

-- Whom a player does not want to hear.
CREATE TABLE mutes (
    account BYTEA NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    muted BYTEA NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    muted_us BIGINT NOT NULL,
    PRIMARY KEY (account, muted)
);
CREATE INDEX mutes_muted ON mutes (muted);

-- What players report. Names are those at the time; accounts are NULL for who had none.
CREATE TABLE reports (
    id BYTEA NOT NULL PRIMARY KEY,
    reporter BYTEA,
    reporter_name TEXT NOT NULL,
    subject BYTEA,
    subject_name TEXT NOT NULL,
    body TEXT NOT NULL,
    -- The chat around it, one line for each message.
    chat TEXT NOT NULL,
    room TEXT NOT NULL,
    reported_us BIGINT NOT NULL,
    handled_by TEXT,
    handled_us BIGINT
);
CREATE INDEX reports_handled ON reports (handled_us, id);
CREATE INDEX reports_reporter ON reports (reporter);
CREATE INDEX reports_subject ON reports (subject);

-- What moderators and admins did.
CREATE TABLE audit (
    id BYTEA NOT NULL PRIMARY KEY,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    detail TEXT NOT NULL,
    acted_us BIGINT NOT NULL
);

-- Those who have a role: asked for with every request for the page of moderators.
CREATE INDEX accounts_role ON accounts (role);
