-- Files, batches of requests and what they gave.

-- `receiving` is an upload under way, `growing` the results of a batch under way; of what is `gone` only blobs may be left.
CREATE TABLE stored_file (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT stored_file_pk PRIMARY KEY,
    project TEXT COLLATE "C" NOT NULL CONSTRAINT stored_file_project_fk REFERENCES project (id),
    name TEXT COLLATE "C" NOT NULL,
    purpose TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CONSTRAINT stored_file_state_known CHECK (state IN ('receiving', 'growing', 'ready', 'gone')),
    size BIGINT NOT NULL,
    created BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    labels TEXT COLLATE "C" NOT NULL,
    expires BIGINT
);

CREATE INDEX stored_file_by_project ON stored_file (project, id);
CREATE INDEX stored_file_unready ON stored_file (state, created) WHERE state <> 'ready';
CREATE INDEX stored_file_old ON stored_file (expires) WHERE expires IS NOT NULL;

-- Each part is a blob. Those of results hold as many lines as each other, but for the last.
CREATE TABLE file_part (
    file TEXT COLLATE "C" NOT NULL CONSTRAINT file_part_file_fk REFERENCES stored_file (id),
    number BIGINT NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    size BIGINT NOT NULL,
    CONSTRAINT file_part_pk PRIMARY KEY (file, number)
);

-- Files have no foreign keys here: they may be deleted when the batch has ended. `keep_output` is in seconds.
CREATE TABLE batch (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT batch_pk PRIMARY KEY,
    project TEXT COLLATE "C" NOT NULL CONSTRAINT batch_project_fk REFERENCES project (id),
    endpoint TEXT COLLATE "C" NOT NULL,
    input_file TEXT COLLATE "C" NOT NULL,
    completion_window TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL CONSTRAINT batch_status_known CHECK (status IN ('validating', 'failed', 'in_progress', 'finalizing', 'completed', 'expired', 'cancelling', 'cancelled')),
    metadata TEXT COLLATE "C" NOT NULL,
    principal TEXT COLLATE "C" NOT NULL,
    api_key TEXT COLLATE "C",
    role TEXT COLLATE "C" NOT NULL,
    labels TEXT COLLATE "C" NOT NULL,
    total BIGINT NOT NULL,
    completed BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    errors TEXT COLLATE "C" NOT NULL,
    output_file TEXT COLLATE "C",
    error_file TEXT COLLATE "C",
    keep_output BIGINT NOT NULL,
    ends_as TEXT COLLATE "C",
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    in_progress BIGINT,
    finalizing BIGINT,
    cancelling BIGINT,
    ended BIGINT
);

CREATE INDEX batch_by_project ON batch (project, id);
CREATE INDEX batch_unfinished ON batch (input_file) WHERE ended IS NULL;

-- One row for a line that has a result; `body` is absent once it is in a part of its file. `seq` is its place among those
-- that went well, or among the others.
CREATE TABLE batch_result (
    batch TEXT COLLATE "C" NOT NULL CONSTRAINT batch_result_batch_fk REFERENCES batch (id),
    line BIGINT NOT NULL,
    ok BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    body BYTEA,
    CONSTRAINT batch_result_pk PRIMARY KEY (batch, line),
    CONSTRAINT batch_result_seq_unique UNIQUE (batch, ok, seq)
);
