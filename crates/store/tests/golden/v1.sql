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
INSERT INTO events VALUES (1, 1, 1, '{"seq":1,"at":"2025-11-23T09:00:00.123456Z","kind":"prompt.steered","turn":"trn_1","tokens":16}', '{"text":"the daemon began"}', x'61781389a07bdbf0b99c702ab224b610', NULL, x'88f0f3eeaddb49b9163df9b4b3412284ec12099f3ce52bb1efc86edf5c398e60');
INSERT INTO events VALUES (2, 2, 1, '{"seq":1,"at":"2025-11-23T09:00:00.123456Z","session":"ses_01kav9ft000000000000000001","kind":"prompt.steered","turn":"trn_1","tokens":14}', '{"text":"it''s the first"}', x'36029c748e3d8324602a0d32df0a0631', NULL, x'cb2b973cd2d042e6352371d787b45647319476ae2b26606af65c601addd721cc');
INSERT INTO events VALUES (3, 2, 2, '{"seq":2,"at":"2025-11-23T09:00:00.123456Z","session":"ses_01kav9ft000000000000000001","kind":"prompt.steered","turn":"trn_1","tokens":12}', '{"text":"zwei — ✓"}', x'9ae2461dcf74df2158fb6cd5917d6160', NULL, x'2383a7b590d913598e38438489d87459e4247fba78284bce1816047a9d77366c');
INSERT INTO events VALUES (4, 2, 3, '{"seq":3,"at":"2025-11-23T09:00:00.123456Z","session":"ses_01kav9ft000000000000000001","kind":"prompt.steered","turn":"trn_1","tokens":15}', NULL, NULL, x'9ab06ed37d0d1f9189294b43b5c0e9201bda72140e26cc5161a93db608770f4e', x'7b9c6965117e4d93fc8905012b1dc46322d984a46088c8e2f16d3898f5b71f6c');
INSERT INTO events VALUES (5, 2, 4, '{"seq":4,"at":"2025-11-23T09:00:00.123456Z","session":"ses_01kav9ft000000000000000001","kind":"prompt.steered","turn":"trn_1","tokens":7}', '{"text":"started"}', x'7eb8d2718ea9d94b0a5370b9613eab08', NULL, x'839fe48517b047d25507b93a881c4420ba1c2f2bca7287f139a21c49224dff58');
INSERT INTO events VALUES (6, 2, 5, '{"seq":5,"at":"2025-11-23T09:00:00.123456Z","session":"ses_01kav9ft000000000000000001","kind":"prompt.steered","turn":"trn_1","tokens":7}', '{"text":"started"}', x'58c2dab150c339c1f3301fda180fd5f2', NULL, x'7a43fa99423f2f9a98d5752940a1a249dcb9293ab040fc1861ad14202e13ba1e');
INSERT INTO events VALUES (7, 2, 6, '{"seq":6,"at":"2025-11-23T09:00:00.123456Z","session":"ses_01kav9ft000000000000000001","kind":"prompt.steered","turn":"trn_1","tokens":30}', '{"text":"settled, and event 3 forgotten"}', x'b7738461a0e1eac58de968df25ea5b35', NULL, x'528a2577d00a8d872424fb820cad8d570e4874b8f43d486112e3176ecc5ff8cb');
INSERT INTO folds VALUES (2, 'state', 7, 6, x'6120666f6c64');
INSERT INTO heads VALUES (1, 1, 1, x'88f0f3eeaddb49b9163df9b4b3412284ec12099f3ce52bb1efc86edf5c398e60', x'da116fee13147239deb6658794aef19ded4f7738ca2d33c60b0b7987f12abf73');
INSERT INTO heads VALUES (2, 2, 5, x'7a43fa99423f2f9a98d5752940a1a249dcb9293ab040fc1861ad14202e13ba1e', x'ad83d5c7ec0247dca5ab39af61f2eeae325265ee36c99adfa53dff26667f9b7d');
INSERT INTO heads VALUES (3, 2, 6, x'528a2577d00a8d872424fb820cad8d570e4874b8f43d486112e3176ecc5ff8cb', x'27f883a15c68adc93774b36b48e1e7d1e675375765be52a589d05c382dbbeb67');
INSERT INTO journals VALUES (1, 'daemon', 1, x'88f0f3eeaddb49b9163df9b4b3412284ec12099f3ce52bb1efc86edf5c398e60', 1, 2);
INSERT INTO journals VALUES (2, 'ses_01kav9ft000000000000000001', 6, x'528a2577d00a8d872424fb820cad8d570e4874b8f43d486112e3176ecc5ff8cb', 3, 2);
INSERT INTO meta VALUES ('generation', 2);
INSERT INTO partials VALUES (2, 'trn_1.2.model.0.1', 'said so far');
INSERT INTO reservations VALUES (2, 'trn_1.2.model.0.1', '2026-11-23', 30);
INSERT INTO sessions VALUES (2, '/home/user/project', 'A title', 'running', 'offline', 12, 1, 2);
INSERT INTO waking VALUES (2);
