-- Version 2: signatures over the chain of heads, and where forks come from.

-- Signatures over links: the daemon's key vouches for the link `place`, and with it for all before it. What is signed is
-- a text of the state's name (the hash of the first link), the place, the link's hash and the time; `key` is the public
-- key, so that signatures made before a key was replaced can still be checked.
CREATE TABLE signatures (
    place     INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    state     BLOB    NOT NULL,
    key       BLOB    NOT NULL,
    signature BLOB    NOT NULL
);

-- Of each fork: the session it was copied from, and the last event that was copied. Rows stay when either is removed,
-- so that what was said can be followed through the copies of copies.
CREATE TABLE origins (
    journal INTEGER NOT NULL REFERENCES journals (id),
    parent  TEXT    NOT NULL,
    upto    INTEGER NOT NULL,
    PRIMARY KEY (journal, parent)
) WITHOUT ROWID;
CREATE INDEX origins_of_parent ON origins (parent, upto);

-- Forks that were made before this table was there say it in their `session.forked`.
INSERT OR IGNORE INTO origins (journal, parent, upto)
    SELECT journal, json_extract(header, '$.parent'), json_extract(header, '$.at_seq') FROM events
    WHERE header LIKE '%"kind":"session.forked"%' AND json_extract(header, '$.kind') = 'session.forked';
