-- Version 1 of the journal. Only TEXT and INTEGER, JSON as TEXT, so that another database can hold the same tables;
-- hashes, salts and bytes are BLOB, which every database has under some name. Money is in micro-US-dollars, times in
-- microseconds since the Unix epoch.

-- What concerns the whole file: the newest generation of a daemon, how often the file was reopened after a failure.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
);

-- The journals with their heads: 'daemon' and one for each session.
CREATE TABLE journals (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    seq        INTEGER NOT NULL,
    hash       BLOB    NOT NULL,
    epoch      INTEGER NOT NULL,
    generation INTEGER NOT NULL
);

-- The events. A rowid table: WITHOUT ROWID is a third slower to write and three times slower to load.
-- `body` and `salt` are NULL once forgotten; `seal`, SHA-256(salt || body), is kept from then on and computed before.
CREATE TABLE events (
    id      INTEGER PRIMARY KEY,
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq     INTEGER NOT NULL,
    header  TEXT    NOT NULL,
    body    TEXT,
    salt    BLOB,
    seal    BLOB,
    hash    BLOB    NOT NULL,
    UNIQUE (journal, seq)
);

-- One chain over the heads of all journals, a link for each append, so that a journal that was removed or whose end
-- was cut off shows.
CREATE TABLE heads (
    place   INTEGER PRIMARY KEY,
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq     INTEGER NOT NULL,
    head    BLOB    NOT NULL,
    hash    BLOB    NOT NULL
);

-- Large bytes, by their SHA-256. `holders` counts rows of event_blobs; a blob without holders is deleted.
CREATE TABLE blobs (
    id      INTEGER PRIMARY KEY,
    hash    BLOB    NOT NULL UNIQUE,
    bytes   INTEGER NOT NULL,
    coding  TEXT    NOT NULL CHECK (coding IN ('plain', 'zlib')),
    data    BLOB    NOT NULL,
    holders INTEGER NOT NULL CHECK (holders > 0)
);

-- Which event holds which blob.
CREATE TABLE event_blobs (
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq     INTEGER NOT NULL,
    blob    INTEGER NOT NULL REFERENCES blobs (id),
    PRIMARY KEY (journal, seq, blob)
) WITHOUT ROWID;

-- Sessions with work left, for waking.
CREATE TABLE waking (
    journal INTEGER PRIMARY KEY REFERENCES journals (id)
);

-- Projections of a session, each with a format version of its own. They can be deleted and are made again.
CREATE TABLE folds (
    journal INTEGER NOT NULL REFERENCES journals (id),
    kind    TEXT    NOT NULL,
    format  INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    bytes   BLOB    NOT NULL,
    PRIMARY KEY (journal, kind)
);

-- What lists show of a session.
CREATE TABLE sessions (
    journal   INTEGER PRIMARY KEY REFERENCES journals (id),
    workspace TEXT    NOT NULL,
    title     TEXT,
    state     TEXT    NOT NULL,
    model     TEXT,
    cost      INTEGER NOT NULL,
    created   INTEGER NOT NULL,
    updated   INTEGER NOT NULL
);
CREATE INDEX sessions_newest ON sessions (updated, journal);
CREATE INDEX sessions_of_workspace ON sessions (workspace, updated, journal);

-- Answers given under idempotency keys.
CREATE TABLE answers (
    id        INTEGER PRIMARY KEY,
    scope     TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    body_hash BLOB    NOT NULL,
    answer    TEXT    NOT NULL,
    expires   INTEGER NOT NULL,
    UNIQUE (scope, key)
);
CREATE INDEX answers_expire ON answers (expires);

-- The ledger of money: what each account (a session's name, or a day) has settled and has set aside.
CREATE TABLE accounts (
    name     TEXT    PRIMARY KEY,
    settled  INTEGER NOT NULL,
    reserved INTEGER NOT NULL
);

-- Money set aside for effects that are open.
CREATE TABLE reservations (
    journal INTEGER NOT NULL REFERENCES journals (id),
    effect  TEXT    NOT NULL,
    day     TEXT    NOT NULL,
    amount  INTEGER NOT NULL,
    PRIMARY KEY (journal, effect)
);

-- What running model calls have said so far.
CREATE TABLE partials (
    journal INTEGER NOT NULL REFERENCES journals (id),
    effect  TEXT    NOT NULL,
    text    TEXT    NOT NULL,
    PRIMARY KEY (journal, effect)
);
