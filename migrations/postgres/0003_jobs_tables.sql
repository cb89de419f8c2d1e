-- The durable queue and what fills it on a schedule.

CREATE TABLE job (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT job_pk PRIMARY KEY,
    project TEXT COLLATE "C" CONSTRAINT job_project_fk REFERENCES project (id),
    kind TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CONSTRAINT job_state_known CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    priority BIGINT NOT NULL,
    payload TEXT COLLATE "C" NOT NULL,
    dedupe TEXT COLLATE "C",
    attempt BIGINT NOT NULL,
    max_attempts BIGINT NOT NULL,
    due BIGINT NOT NULL,
    owner TEXT COLLATE "C",
    fence BIGINT NOT NULL,
    lease_until BIGINT,
    cancel_asked BIGINT NOT NULL,
    progress TEXT COLLATE "C",
    result TEXT COLLATE "C",
    error TEXT COLLATE "C",
    created BIGINT NOT NULL,
    started BIGINT,
    ended BIGINT
);

-- At most one unfinished job for a key.
CREATE UNIQUE INDEX job_dedupe_unique ON job (dedupe) WHERE state IN ('queued', 'running');
CREATE INDEX job_due ON job (priority, due, id) WHERE state = 'queued';
CREATE INDEX job_leased ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_by_project ON job (project, id);
CREATE INDEX job_ended ON job (ended) WHERE ended IS NOT NULL;

CREATE TABLE job_schedule (
    project TEXT COLLATE "C" NOT NULL CONSTRAINT job_schedule_project_fk REFERENCES project (id),
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    payload TEXT COLLATE "C" NOT NULL,
    every TEXT COLLATE "C" NOT NULL,
    priority BIGINT NOT NULL,
    next_due BIGINT NOT NULL,
    last_job TEXT COLLATE "C",
    paused BIGINT NOT NULL,
    created BIGINT NOT NULL,
    CONSTRAINT job_schedule_pk PRIMARY KEY (project, name)
);

CREATE INDEX job_schedule_due ON job_schedule (next_due);
