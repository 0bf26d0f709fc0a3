-- One row for each player of a match, and for each stay in an open room.
CREATE TABLE results (
    match_id BLOB NOT NULL,
    slot INTEGER NOT NULL,
    -- NULL for who had no account, or has deleted it.
    account BLOB,
    name TEXT NOT NULL,
    game TEXT NOT NULL,
    mode TEXT NOT NULL,
    -- 0 a match, 1 a stay.
    kind INTEGER NOT NULL,
    -- 0 none, 1 won, 2 lost, 3 drawn.
    outcome INTEGER NOT NULL,
    score INTEGER NOT NULL,
    kills INTEGER NOT NULL,
    deaths INTEGER NOT NULL,
    shots INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    streak INTEGER NOT NULL,
    played_ms INTEGER NOT NULL,
    ended_us INTEGER NOT NULL,
    PRIMARY KEY (match_id, slot)
) STRICT, WITHOUT ROWID;
CREATE INDEX results_account ON results (account, ended_us);
CREATE INDEX results_ended ON results (ended_us);

-- Sums of an account's results by mode and period: `all`, `day:2026-11-27`, `week:2026-w48`, `season:2026-11`.
CREATE TABLE totals (
    account BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    mode TEXT NOT NULL,
    period TEXT NOT NULL,
    score INTEGER NOT NULL,
    kills INTEGER NOT NULL,
    deaths INTEGER NOT NULL,
    shots INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    -- The longest.
    streak INTEGER NOT NULL,
    results INTEGER NOT NULL,
    wins INTEGER NOT NULL,
    played_ms INTEGER NOT NULL,
    PRIMARY KEY (account, mode, period)
) STRICT, WITHOUT ROWID;
CREATE INDEX totals_score ON totals (mode, period, score, account);
CREATE INDEX totals_kills ON totals (mode, period, kills, account);
CREATE INDEX totals_wins ON totals (mode, period, wins, account);
CREATE INDEX totals_period ON totals (period);

-- Glicko-2.
CREATE TABLE ratings (
    account BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    mode TEXT NOT NULL,
    rating REAL NOT NULL,
    deviation REAL NOT NULL,
    volatility REAL NOT NULL,
    matches INTEGER NOT NULL,
    PRIMARY KEY (account, mode)
) STRICT, WITHOUT ROWID;
CREATE INDEX ratings_rating ON ratings (mode, rating, account);
