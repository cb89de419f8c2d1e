-- Assets and their versions, aliases, references between versions, and runs.

CREATE TABLE asset (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT asset_pk PRIMARY KEY,
    project TEXT COLLATE "C" NOT NULL CONSTRAINT asset_project_fk REFERENCES project (id),
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    latest BIGINT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    CONSTRAINT asset_name_unique UNIQUE (project, kind, name)
);

CREATE TABLE asset_version (
    asset TEXT COLLATE "C" NOT NULL CONSTRAINT asset_version_asset_fk REFERENCES asset (id),
    number BIGINT NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C",
    spec TEXT COLLATE "C" NOT NULL,
    author TEXT COLLATE "C" NOT NULL,
    message TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    CONSTRAINT asset_version_pk PRIMARY KEY (asset, number)
);

CREATE INDEX asset_version_by_digest ON asset_version (asset, digest);

-- What a version named, as written, and what that meant when it was applied.
CREATE TABLE asset_reference (
    asset TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    to_asset TEXT COLLATE "C" NOT NULL,
    to_number BIGINT NOT NULL,
    to_digest TEXT COLLATE "C" NOT NULL,
    CONSTRAINT asset_reference_pk PRIMARY KEY (asset, number, ordinal),
    CONSTRAINT asset_reference_from_fk FOREIGN KEY (asset, number) REFERENCES asset_version (asset, number),
    CONSTRAINT asset_reference_to_fk FOREIGN KEY (to_asset, to_number) REFERENCES asset_version (asset, number)
);

CREATE INDEX asset_reference_by_target ON asset_reference (to_asset, to_number);

CREATE TABLE alias (
    asset TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    CONSTRAINT alias_pk PRIMARY KEY (asset, name),
    CONSTRAINT alias_version_fk FOREIGN KEY (asset, number) REFERENCES asset_version (asset, number)
);

-- Each move of an alias; `from_number` is absent when it was made, `to_number` when it was removed.
CREATE TABLE alias_move (
    asset TEXT COLLATE "C" NOT NULL CONSTRAINT alias_move_asset_fk REFERENCES asset (id),
    name TEXT COLLATE "C" NOT NULL,
    ordinal BIGINT NOT NULL,
    from_number BIGINT,
    to_number BIGINT,
    moved BIGINT NOT NULL,
    moved_by TEXT COLLATE "C" NOT NULL,
    message TEXT COLLATE "C" NOT NULL,
    CONSTRAINT alias_move_pk PRIMARY KEY (asset, name, ordinal)
);

CREATE TABLE run (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT run_pk PRIMARY KEY,
    project TEXT COLLATE "C" NOT NULL CONSTRAINT run_project_fk REFERENCES project (id),
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL CONSTRAINT run_status_known CHECK (status IN ('running', 'succeeded', 'failed', 'cancelled')),
    principal TEXT COLLATE "C" NOT NULL,
    trace TEXT COLLATE "C",
    parent TEXT COLLATE "C",
    owner TEXT COLLATE "C" NOT NULL,
    heartbeat BIGINT NOT NULL,
    parameters TEXT COLLATE "C" NOT NULL,
    metrics TEXT COLLATE "C" NOT NULL,
    progress TEXT COLLATE "C" NOT NULL,
    error TEXT COLLATE "C",
    started BIGINT NOT NULL,
    ended BIGINT
);

CREATE INDEX run_by_project ON run (project, id);
CREATE INDEX run_by_kind ON run (project, kind, id);
CREATE INDEX run_by_name ON run (project, kind, name, id);
CREATE INDEX run_unfinished ON run (heartbeat) WHERE status = 'running';

-- What a run read and wrote: versions, lake tables, blobs, each by name and digest.
CREATE TABLE run_link (
    run TEXT COLLATE "C" NOT NULL CONSTRAINT run_link_run_fk REFERENCES run (id),
    direction TEXT COLLATE "C" NOT NULL CONSTRAINT run_link_direction_known CHECK (direction IN ('input', 'output')),
    ordinal BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    number BIGINT,
    digest TEXT COLLATE "C",
    CONSTRAINT run_link_pk PRIMARY KEY (run, direction, ordinal)
);

CREATE INDEX run_link_by_digest ON run_link (digest);
