PRAGMA application_id = 1953066603;
PRAGMA user_version = 1;
CREATE TABLE accounts (
    name     TEXT    PRIMARY KEY,
    settled  INTEGER NOT NULL,
    reserved INTEGER NOT NULL
);
CREATE TABLE answers (
    id        INTEGER PRIMARY KEY,
    scope     TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    body_hash BLOB    NOT NULL,
    answer    TEXT    NOT NULL,
    expires   INTEGER NOT NULL,
    UNIQUE (scope, key)
);
CREATE TABLE blobs (
    id      INTEGER PRIMARY KEY,
    hash    BLOB    NOT NULL UNIQUE,
    bytes   INTEGER NOT NULL,
    coding  TEXT    NOT NULL CHECK (coding IN ('plain', 'zlib')),
    data    BLOB    NOT NULL,
    holders INTEGER NOT NULL CHECK (holders > 0)
);
CREATE TABLE event_blobs (
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq     INTEGER NOT NULL,
    blob    INTEGER NOT NULL REFERENCES blobs (id),
    PRIMARY KEY (journal, seq, blob)
) WITHOUT ROWID;
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
CREATE TABLE folds (
    journal INTEGER NOT NULL REFERENCES journals (id),
    kind    TEXT    NOT NULL,
    format  INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    bytes   BLOB    NOT NULL,
    PRIMARY KEY (journal, kind)
);
CREATE TABLE heads (
    place   INTEGER PRIMARY KEY,
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq     INTEGER NOT NULL,
    head    BLOB    NOT NULL,
    hash    BLOB    NOT NULL
);
CREATE TABLE journals (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    seq        INTEGER NOT NULL,
    hash       BLOB    NOT NULL,
    epoch      INTEGER NOT NULL,
    generation INTEGER NOT NULL
);
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
);
CREATE TABLE partials (
    journal INTEGER NOT NULL REFERENCES journals (id),
    effect  TEXT    NOT NULL,
    text    TEXT    NOT NULL,
    PRIMARY KEY (journal, effect)
);
CREATE TABLE reservations (
    journal INTEGER NOT NULL REFERENCES journals (id),
    effect  TEXT    NOT NULL,
    day     TEXT    NOT NULL,
    amount  INTEGER NOT NULL,
    PRIMARY KEY (journal, effect)
);
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
CREATE TABLE waking (
    journal INTEGER PRIMARY KEY REFERENCES journals (id)
);
CREATE INDEX answers_expire ON answers (expires);
CREATE INDEX sessions_newest ON sessions (updated, journal);
CREATE INDEX sessions_of_workspace ON sessions (workspace, updated, journal);
-- rows
INSERT INTO accounts VALUES ('2026-11-23', 12, 30);
INSERT INTO accounts VALUES ('ses_01kav9ft000000000000000001', 12, 30);
INSERT INTO answers VALUES (1, 'uid:1000', 'key-1', x'1f58b9145b24d108d7ac38887338b3ea3229833b9c1e418250343f907bfd1047', '{"ok":true}', 9223372036854775807);
INSERT INTO blobs VALUES (1, x'6b2ef789eab334d6ebf0ba1264658b4b840368dfd87b10ce449d83b5e69b364e', 1360, 'zlib', x'7801ed94c10900200c0357c904ee54a4e8a35ab1051ddf151c20ffbcc2dd09cc6743ea4d649744f5b1b64668e0a8590117fc837cd006d6e1a7850fcaa7f118', 1);
INSERT INTO event_blobs VALUES (2, 1, 1);
INSERT INTO events VALUES (1, 1, 1, '{"seq":1,"at":"2025-11-23T09:00:00.123456Z","kind":"prompt.steered","turn":"trn_1","tokens":16}', '{"text":"the daemon began"}', x'421db026d6c9c431320b51484048d959', NULL, x'9399c115aa09f2b9313ed1b6c3dbb23a7fae65d6dd882bb679700607410d2dd1');
INSERT INTO events VALUES (2, 2, 1, '{"seq":1,"at":"2025-11-23T09:00:00.123456Z","session":"ses_01kav9ft000000000000000001","kind":"prompt.steered","turn":"trn_1","tokens":14}', '{"text":"it''s the first"}', x'8d36f12d02ad871087f1b9caf95ca3da', NULL, x'1328c16ea79a6af77615c7b6bc5fe52a9c2919a1f9925a17ee812fde2e14f086');
INSERT INTO events VALUES (3, 2, 2, '{"seq":2,"at":"2025-11-23T09:00:00.123456Z","session":"ses_01kav9ft000000000000000001","kind":"prompt.steered","turn":"trn_1","tokens":12}', '{"text":"zwei — ✓"}', x'23d99b47f7683a7c84188e8a1ba8b36d', NULL, x'8f8efda8b14d2b2572a2d7b3382b1cce484d53418a688a1bff499543f465e7f5');
INSERT INTO events VALUES (4, 2, 3, '{"seq":3,"at":"2025-11-23T09:00:00.123456Z","session":"ses_01kav9ft000000000000000001","kind":"prompt.steered","turn":"trn_1","tokens":15}', NULL, NULL, x'51a0c5b3fc7e6febf037c99bc1dcb26ae5a0b160f10a25247368902c6fab2bcf', x'20f153ab5508f05a4c6c04cdb0c50f860c3d7f54435eb8e2c8e760dfda20acbd');
INSERT INTO events VALUES (5, 2, 4, '{"seq":4,"at":"2025-11-23T09:00:00.123456Z","session":"ses_01kav9ft000000000000000001","kind":"prompt.steered","turn":"trn_1","tokens":7}', '{"text":"started"}', x'b7cd8d274b09d6c504d7c1a51f4ad982', NULL, x'40856c9acefaf3bc4db0f6da404401ca2e2357f0d790d3a793d74fce70c8ca4a');
INSERT INTO events VALUES (6, 2, 5, '{"seq":5,"at":"2025-11-23T09:00:00.123456Z","session":"ses_01kav9ft000000000000000001","kind":"prompt.steered","turn":"trn_1","tokens":7}', '{"text":"started"}', x'e317661a6c5e4c4e6983b66c20541227', NULL, x'0d7061afbaeb01b390a61aed135d6928a7f664a2d65bce47460eae89f2d5f201');
INSERT INTO events VALUES (7, 2, 6, '{"seq":6,"at":"2025-11-23T09:00:00.123456Z","session":"ses_01kav9ft000000000000000001","kind":"prompt.steered","turn":"trn_1","tokens":30}', '{"text":"settled, and event 3 forgotten"}', x'67b24533d8cbdcdd7e39ec61e7df6ca4', NULL, x'3142c87e44aa34e7303271d05cdc13ce2d594a554b6bcf4212b3f20d4928d2a8');
INSERT INTO folds VALUES (2, 'state', 7, 6, x'6120666f6c64');
INSERT INTO heads VALUES (1, 1, 1, x'9399c115aa09f2b9313ed1b6c3dbb23a7fae65d6dd882bb679700607410d2dd1', x'98eae3bbd60648d0a46c212c78dadfb937ffa46e5fb10f975565617d63c47b72');
INSERT INTO heads VALUES (2, 2, 5, x'0d7061afbaeb01b390a61aed135d6928a7f664a2d65bce47460eae89f2d5f201', x'8b6d941d5342bfe9e348eb106f1e854acb5bb47d05015e759adf363fe905f7ce');
INSERT INTO heads VALUES (3, 2, 6, x'3142c87e44aa34e7303271d05cdc13ce2d594a554b6bcf4212b3f20d4928d2a8', x'af0113eaa86275bcd60b4ade3810ef02ce4f8a77df53e6005caebd13cbaaf0f2');
INSERT INTO journals VALUES (1, 'daemon', 1, x'9399c115aa09f2b9313ed1b6c3dbb23a7fae65d6dd882bb679700607410d2dd1', 1, 2);
INSERT INTO journals VALUES (2, 'ses_01kav9ft000000000000000001', 6, x'3142c87e44aa34e7303271d05cdc13ce2d594a554b6bcf4212b3f20d4928d2a8', 3, 2);
INSERT INTO meta VALUES ('generation', 2);
INSERT INTO partials VALUES (2, 'trn_1.2.model.0.1', 'said so far');
INSERT INTO reservations VALUES (2, 'trn_1.2.model.0.1', '2026-11-23', 30);
INSERT INTO sessions VALUES (2, '/home/user/project', 'A title', 'running', 'offline', 12, 1, 2);
INSERT INTO waking VALUES (2);
