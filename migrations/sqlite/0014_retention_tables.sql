-- How long telemetry is kept, what was deleted for it, and what was erased before its time.

-- What a project says of a kind of telemetry; where it says nothing, the settings hold.
CREATE TABLE retention (
    project TEXT NOT NULL CONSTRAINT retention_project_fk REFERENCES project (id),
    kind TEXT NOT NULL CONSTRAINT retention_kind_known CHECK (kind IN ('spans', 'logs', 'points')),
    keep_seconds INTEGER,
    max_bytes INTEGER,
    changed INTEGER NOT NULL,
    changed_by TEXT NOT NULL,
    CONSTRAINT retention_pk PRIMARY KEY (project, kind)
) STRICT;

-- The last run that deleted something, and all of them together.
CREATE TABLE retention_run (
    project TEXT NOT NULL CONSTRAINT retention_run_project_fk REFERENCES project (id),
    kind TEXT NOT NULL,
    ran INTEGER NOT NULL,
    removed_rows INTEGER NOT NULL,
    removed_bytes INTEGER NOT NULL,
    all_rows INTEGER NOT NULL,
    all_bytes INTEGER NOT NULL,
    CONSTRAINT retention_run_pk PRIMARY KEY (project, kind)
) STRICT;

-- Which of several servers deletes.
CREATE TABLE retention_turn (
    name TEXT NOT NULL CONSTRAINT retention_turn_pk PRIMARY KEY,
    holder TEXT NOT NULL,
    held_until INTEGER NOT NULL
) STRICT;

-- `subject` is absent when it is done: then nothing says any longer whose it was, but the fingerprint tells who knows it.
CREATE TABLE erasure (
    id TEXT NOT NULL CONSTRAINT erasure_pk PRIMARY KEY,
    project TEXT NOT NULL CONSTRAINT erasure_project_fk REFERENCES project (id),
    kind TEXT NOT NULL CONSTRAINT erasure_kind_known CHECK (kind IN ('user', 'session', 'trace', 'document')),
    subject TEXT,
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL CONSTRAINT erasure_state_known CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    asked INTEGER NOT NULL,
    asked_by TEXT NOT NULL,
    ended INTEGER,
    spans INTEGER NOT NULL,
    points INTEGER NOT NULL,
    freed INTEGER NOT NULL,
    trouble TEXT
) STRICT;

-- One at a time of each subject.
CREATE UNIQUE INDEX erasure_open_unique ON erasure (project, fingerprint) WHERE state IN ('waiting', 'running');
CREATE INDEX erasure_by_project ON erasure (project, id);
