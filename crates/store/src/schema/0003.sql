-- Version 3: sessions whose events lie in a file of their own, outside this one.

-- Of each session that was archived: `moving` while its rows are swept out of the tables above or copied back into them,
-- `away` once none are here, `back` after it returned. Unless it is `back`, nobody sees its events here, whatever rows
-- there are; its head in `journals` stays what it was, and the chain of heads vouches for it. `at` is when it was archived
-- or came back, `bytes` and `sha256` are those of the file.
CREATE TABLE archives (
    journal INTEGER PRIMARY KEY REFERENCES journals (id),
    state   TEXT    NOT NULL CHECK (state IN ('moving', 'away', 'back')),
    at      INTEGER NOT NULL,
    bytes   INTEGER NOT NULL,
    sha256  BLOB    NOT NULL
);
