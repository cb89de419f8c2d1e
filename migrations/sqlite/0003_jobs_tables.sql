-- The durable queue and what fills it on a schedule.

CREATE TABLE job (
    id TEXT NOT NULL CONSTRAINT job_pk PRIMARY KEY,
    project TEXT CONSTRAINT job_project_fk REFERENCES project (id),
    kind TEXT NOT NULL,
    state TEXT NOT NULL CONSTRAINT job_state_known CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    priority INTEGER NOT NULL,
    payload TEXT NOT NULL,
    dedupe TEXT,
    attempt INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    due INTEGER NOT NULL,
    owner TEXT,
    fence INTEGER NOT NULL,
    lease_until INTEGER,
    cancel_asked INTEGER NOT NULL,
    progress TEXT,
    result TEXT,
    error TEXT,
    created INTEGER NOT NULL,
    started INTEGER,
    ended INTEGER
) STRICT;

-- At most one unfinished job for a key.
CREATE UNIQUE INDEX job_dedupe_unique ON job (dedupe) WHERE state IN ('queued', 'running');
CREATE INDEX job_due ON job (priority, due, id) WHERE state = 'queued';
CREATE INDEX job_leased ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_by_project ON job (project, id);
CREATE INDEX job_ended ON job (ended) WHERE ended IS NOT NULL;

CREATE TABLE job_schedule (
    project TEXT NOT NULL CONSTRAINT job_schedule_project_fk REFERENCES project (id),
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    every TEXT NOT NULL,
    priority INTEGER NOT NULL,
    next_due INTEGER NOT NULL,
    last_job TEXT,
    paused INTEGER NOT NULL,
    created INTEGER NOT NULL,
    CONSTRAINT job_schedule_pk PRIMARY KEY (project, name)
) STRICT;

CREATE INDEX job_schedule_due ON job_schedule (next_due);
