-- How long telemetry is kept, what was deleted for it, and what was erased before its time.

-- What a project says of a kind of telemetry; where it says nothing, the settings hold.
CREATE TABLE retention (
    project TEXT COLLATE "C" NOT NULL CONSTRAINT retention_project_fk REFERENCES project (id),
    kind TEXT COLLATE "C" NOT NULL CONSTRAINT retention_kind_known CHECK (kind IN ('spans', 'logs', 'points')),
    keep_seconds BIGINT,
    max_bytes BIGINT,
    changed BIGINT NOT NULL,
    changed_by TEXT COLLATE "C" NOT NULL,
    CONSTRAINT retention_pk PRIMARY KEY (project, kind)
);

-- The last run that deleted something, and all of them together.
CREATE TABLE retention_run (
    project TEXT COLLATE "C" NOT NULL CONSTRAINT retention_run_project_fk REFERENCES project (id),
    kind TEXT COLLATE "C" NOT NULL,
    ran BIGINT NOT NULL,
    removed_rows BIGINT NOT NULL,
    removed_bytes BIGINT NOT NULL,
    all_rows BIGINT NOT NULL,
    all_bytes BIGINT NOT NULL,
    CONSTRAINT retention_run_pk PRIMARY KEY (project, kind)
);

-- Which of several servers deletes.
CREATE TABLE retention_turn (
    name TEXT COLLATE "C" NOT NULL CONSTRAINT retention_turn_pk PRIMARY KEY,
    holder TEXT COLLATE "C" NOT NULL,
    held_until BIGINT NOT NULL
);

-- `subject` is absent when it is done: then nothing says any longer whose it was, but the fingerprint tells who knows it.
CREATE TABLE erasure (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT erasure_pk PRIMARY KEY,
    project TEXT COLLATE "C" NOT NULL CONSTRAINT erasure_project_fk REFERENCES project (id),
    kind TEXT COLLATE "C" NOT NULL CONSTRAINT erasure_kind_known CHECK (kind IN ('user', 'session', 'trace', 'document')),
    subject TEXT COLLATE "C",
    fingerprint TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CONSTRAINT erasure_state_known CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    asked BIGINT NOT NULL,
    asked_by TEXT COLLATE "C" NOT NULL,
    ended BIGINT,
    spans BIGINT NOT NULL,
    points BIGINT NOT NULL,
    freed BIGINT NOT NULL,
    trouble TEXT COLLATE "C"
);

-- One at a time of each subject.
CREATE UNIQUE INDEX erasure_open_unique ON erasure (project, fingerprint) WHERE state IN ('waiting', 'running');
CREATE INDEX erasure_by_project ON erasure (project, id);
