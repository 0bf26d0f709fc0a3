-- One row for each player of a match, and for each stay in an open room.
CREATE TABLE results (
    match_id BYTEA NOT NULL,
    slot BIGINT NOT NULL,
    -- NULL for who had no account, or has deleted it.
    account BYTEA,
    name TEXT NOT NULL,
    game TEXT NOT NULL,
    mode TEXT COLLATE "C" NOT NULL,
    -- 0 a match, 1 a stay.
    kind BIGINT NOT NULL,
    -- 0 none, 1 won, 2 lost, 3 drawn.
    outcome BIGINT NOT NULL,
    score BIGINT NOT NULL,
    kills BIGINT NOT NULL,
    deaths BIGINT NOT NULL,
    shots BIGINT NOT NULL,
    hits BIGINT NOT NULL,
    streak BIGINT NOT NULL,
    played_ms BIGINT NOT NULL,
    ended_us BIGINT NOT NULL,
    PRIMARY KEY (match_id, slot)
);
CREATE INDEX results_account ON results (account, ended_us);
CREATE INDEX results_ended ON results (ended_us);

-- Sums of an account's results by mode and period: `all`, `day:2026-11-27`, `week:2026-w48`, `season:2026-11`.
CREATE TABLE totals (
    account BYTEA NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    mode TEXT COLLATE "C" NOT NULL,
    period TEXT COLLATE "C" NOT NULL,
    score BIGINT NOT NULL,
    kills BIGINT NOT NULL,
    deaths BIGINT NOT NULL,
    shots BIGINT NOT NULL,
    hits BIGINT NOT NULL,
    -- The longest.
    streak BIGINT NOT NULL,
    results BIGINT NOT NULL,
    wins BIGINT NOT NULL,
    played_ms BIGINT NOT NULL,
    PRIMARY KEY (account, mode, period)
);
CREATE INDEX totals_score ON totals (mode, period, score, account);
CREATE INDEX totals_kills ON totals (mode, period, kills, account);
CREATE INDEX totals_wins ON totals (mode, period, wins, account);
CREATE INDEX totals_period ON totals (period);

-- Glicko-2.
CREATE TABLE ratings (
    account BYTEA NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    mode TEXT COLLATE "C" NOT NULL,
    rating DOUBLE PRECISION NOT NULL,
    deviation DOUBLE PRECISION NOT NULL,
    volatility DOUBLE PRECISION NOT NULL,
    matches BIGINT NOT NULL,
    PRIMARY KEY (account, mode)
);
CREATE INDEX ratings_rating ON ratings (mode, rating, account);
