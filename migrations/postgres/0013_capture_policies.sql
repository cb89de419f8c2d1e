-- What projects keep of the telemetry that comes in.

-- `policy` is JSON. Rows are not deleted and `revision` only grows: servers see by the sum of revisions that something changed.
CREATE TABLE capture_policy (
    project TEXT COLLATE "C" NOT NULL CONSTRAINT capture_policy_pk PRIMARY KEY
        CONSTRAINT capture_policy_project_fk REFERENCES project (id),
    policy TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    changed_by TEXT COLLATE "C" NOT NULL
);
