-- Files, batches of requests and what they gave.

-- `receiving` is an upload under way, `growing` the results of a batch under way; of what is `gone` only blobs may be left.
CREATE TABLE stored_file (
    id TEXT NOT NULL CONSTRAINT stored_file_pk PRIMARY KEY,
    project TEXT NOT NULL CONSTRAINT stored_file_project_fk REFERENCES project (id),
    name TEXT NOT NULL,
    purpose TEXT NOT NULL,
    state TEXT NOT NULL CONSTRAINT stored_file_state_known CHECK (state IN ('receiving', 'growing', 'ready', 'gone')),
    size INTEGER NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    labels TEXT NOT NULL,
    expires INTEGER
) STRICT;

CREATE INDEX stored_file_by_project ON stored_file (project, id);
CREATE INDEX stored_file_unready ON stored_file (state, created) WHERE state <> 'ready';
CREATE INDEX stored_file_old ON stored_file (expires) WHERE expires IS NOT NULL;

-- Each part is a blob. Those of results hold as many lines as each other, but for the last.
CREATE TABLE file_part (
    file TEXT NOT NULL CONSTRAINT file_part_file_fk REFERENCES stored_file (id),
    number INTEGER NOT NULL,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    CONSTRAINT file_part_pk PRIMARY KEY (file, number)
) STRICT;

-- Files have no foreign keys here: they may be deleted when the batch has ended. `keep_output` is in seconds.
CREATE TABLE batch (
    id TEXT NOT NULL CONSTRAINT batch_pk PRIMARY KEY,
    project TEXT NOT NULL CONSTRAINT batch_project_fk REFERENCES project (id),
    endpoint TEXT NOT NULL,
    input_file TEXT NOT NULL,
    completion_window TEXT NOT NULL,
    status TEXT NOT NULL CONSTRAINT batch_status_known CHECK (status IN ('validating', 'failed', 'in_progress', 'finalizing', 'completed', 'expired', 'cancelling', 'cancelled')),
    metadata TEXT NOT NULL,
    principal TEXT NOT NULL,
    api_key TEXT,
    role TEXT NOT NULL,
    labels TEXT NOT NULL,
    total INTEGER NOT NULL,
    completed INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    errors TEXT NOT NULL,
    output_file TEXT,
    error_file TEXT,
    keep_output INTEGER NOT NULL,
    ends_as TEXT,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    in_progress INTEGER,
    finalizing INTEGER,
    cancelling INTEGER,
    ended INTEGER
) STRICT;

CREATE INDEX batch_by_project ON batch (project, id);
CREATE INDEX batch_unfinished ON batch (input_file) WHERE ended IS NULL;

-- One row for a line that has a result; `body` is absent once it is in a part of its file. `seq` is its place among those
-- that went well, or among the others.
CREATE TABLE batch_result (
    batch TEXT NOT NULL CONSTRAINT batch_result_batch_fk REFERENCES batch (id),
    line INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    body BLOB,
    CONSTRAINT batch_result_pk PRIMARY KEY (batch, line),
    CONSTRAINT batch_result_seq_unique UNIQUE (batch, ok, seq)
) STRICT;
