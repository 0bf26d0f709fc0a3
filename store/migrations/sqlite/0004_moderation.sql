-- What moderators impose on accounts. Kind 0 is a ban, 1 a mute.
CREATE TABLE restrictions (
    account BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    kind INTEGER NOT NULL,
    -- NULL for ever.
    until_us INTEGER,
    reason TEXT NOT NULL,
    imposed_by TEXT NOT NULL,
    imposed_us INTEGER NOT NULL,
    PRIMARY KEY (account, kind)
) STRICT, WITHOUT ROWID;

-- Whom a player does not want to hear.
CREATE TABLE mutes (
    account BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    muted BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    muted_us INTEGER NOT NULL,
    PRIMARY KEY (account, muted)
) STRICT, WITHOUT ROWID;
CREATE INDEX mutes_muted ON mutes (muted);

-- What players report. Names are those at the time; accounts are NULL for who had none.
CREATE TABLE reports (
    id BLOB NOT NULL PRIMARY KEY,
    reporter BLOB,
    reporter_name TEXT NOT NULL,
    subject BLOB,
    subject_name TEXT NOT NULL,
    body TEXT NOT NULL,
    -- The chat around it, one line for each message.
    chat TEXT NOT NULL,
    room TEXT NOT NULL,
    reported_us INTEGER NOT NULL,
    handled_by TEXT,
    handled_us INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX reports_handled ON reports (handled_us, id);
CREATE INDEX reports_reporter ON reports (reporter);
CREATE INDEX reports_subject ON reports (subject);

-- What moderators and admins did.
CREATE TABLE audit (
    id BLOB NOT NULL PRIMARY KEY,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    acted_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Those who have a role: asked for with every request for the page of moderators.
CREATE INDEX accounts_role ON accounts (role);
