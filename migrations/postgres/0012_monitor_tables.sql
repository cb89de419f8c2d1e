-- Where monitors stand, and what they found.

-- Whoever holds the lease looks; what one writes that is late is not taken. `version` is the newest, `looked_version` the one
-- that `history` is of. `raised` are the alerts that go on.
CREATE TABLE monitor_state (
    project TEXT COLLATE "C" NOT NULL CONSTRAINT monitor_state_project_fk REFERENCES project (id),
    name TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    looked_version BIGINT,
    history TEXT COLLATE "C" NOT NULL,
    looked BIGINT,
    evaluation TEXT COLLATE "C",
    raised TEXT COLLATE "C" NOT NULL,
    trouble TEXT COLLATE "C",
    due BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    lease_until BIGINT,
    CONSTRAINT monitor_state_pk PRIMARY KEY (project, name)
);

CREATE INDEX monitor_state_due ON monitor_state (due);

-- The newest of each monitor are kept.
CREATE TABLE monitor_evaluation (
    project TEXT COLLATE "C" NOT NULL CONSTRAINT monitor_evaluation_project_fk REFERENCES project (id),
    name TEXT COLLATE "C" NOT NULL,
    looked BIGINT NOT NULL,
    version BIGINT NOT NULL,
    evaluation TEXT COLLATE "C" NOT NULL,
    CONSTRAINT monitor_evaluation_pk PRIMARY KEY (project, name, looked)
);
