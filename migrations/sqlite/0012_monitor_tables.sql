-- Where monitors stand, and what they found.

-- Whoever holds the lease looks; what one writes that is late is not taken. `version` is the newest, `looked_version` the one
-- that `history` is of. `raised` are the alerts that go on.
CREATE TABLE monitor_state (
    project TEXT NOT NULL CONSTRAINT monitor_state_project_fk REFERENCES project (id),
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    looked_version INTEGER,
    history TEXT NOT NULL,
    looked INTEGER,
    evaluation TEXT,
    raised TEXT NOT NULL,
    trouble TEXT,
    due INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    lease_until INTEGER,
    CONSTRAINT monitor_state_pk PRIMARY KEY (project, name)
) STRICT;

CREATE INDEX monitor_state_due ON monitor_state (due);

-- The newest of each monitor are kept.
CREATE TABLE monitor_evaluation (
    project TEXT NOT NULL CONSTRAINT monitor_evaluation_project_fk REFERENCES project (id),
    name TEXT NOT NULL,
    looked INTEGER NOT NULL,
    version INTEGER NOT NULL,
    evaluation TEXT NOT NULL,
    CONSTRAINT monitor_evaluation_pk PRIMARY KEY (project, name, looked)
) STRICT;
