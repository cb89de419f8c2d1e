-- Assets and their versions, aliases, references between versions, and runs.

CREATE TABLE asset (
    id TEXT NOT NULL CONSTRAINT asset_pk PRIMARY KEY,
    project TEXT NOT NULL CONSTRAINT asset_project_fk REFERENCES project (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    latest INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    CONSTRAINT asset_name_unique UNIQUE (project, kind, name)
) STRICT;

CREATE TABLE asset_version (
    asset TEXT NOT NULL CONSTRAINT asset_version_asset_fk REFERENCES asset (id),
    number INTEGER NOT NULL,
    digest TEXT NOT NULL,
    description TEXT,
    spec TEXT NOT NULL,
    author TEXT NOT NULL,
    message TEXT NOT NULL,
    created INTEGER NOT NULL,
    CONSTRAINT asset_version_pk PRIMARY KEY (asset, number)
) STRICT;

CREATE INDEX asset_version_by_digest ON asset_version (asset, digest);

-- What a version named, as written, and what that meant when it was applied.
CREATE TABLE asset_reference (
    asset TEXT NOT NULL,
    number INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    to_asset TEXT NOT NULL,
    to_number INTEGER NOT NULL,
    to_digest TEXT NOT NULL,
    CONSTRAINT asset_reference_pk PRIMARY KEY (asset, number, ordinal),
    CONSTRAINT asset_reference_from_fk FOREIGN KEY (asset, number) REFERENCES asset_version (asset, number),
    CONSTRAINT asset_reference_to_fk FOREIGN KEY (to_asset, to_number) REFERENCES asset_version (asset, number)
) STRICT;

CREATE INDEX asset_reference_by_target ON asset_reference (to_asset, to_number);

CREATE TABLE alias (
    asset TEXT NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    CONSTRAINT alias_pk PRIMARY KEY (asset, name),
    CONSTRAINT alias_version_fk FOREIGN KEY (asset, number) REFERENCES asset_version (asset, number)
) STRICT;

-- Each move of an alias; `from_number` is absent when it was made, `to_number` when it was removed.
CREATE TABLE alias_move (
    asset TEXT NOT NULL CONSTRAINT alias_move_asset_fk REFERENCES asset (id),
    name TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    from_number INTEGER,
    to_number INTEGER,
    moved INTEGER NOT NULL,
    moved_by TEXT NOT NULL,
    message TEXT NOT NULL,
    CONSTRAINT alias_move_pk PRIMARY KEY (asset, name, ordinal)
) STRICT;

CREATE TABLE run (
    id TEXT NOT NULL CONSTRAINT run_pk PRIMARY KEY,
    project TEXT NOT NULL CONSTRAINT run_project_fk REFERENCES project (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL CONSTRAINT run_status_known CHECK (status IN ('running', 'succeeded', 'failed', 'cancelled')),
    principal TEXT NOT NULL,
    trace TEXT,
    parent TEXT,
    owner TEXT NOT NULL,
    heartbeat INTEGER NOT NULL,
    parameters TEXT NOT NULL,
    metrics TEXT NOT NULL,
    progress TEXT NOT NULL,
    error TEXT,
    started INTEGER NOT NULL,
    ended INTEGER
) STRICT;

CREATE INDEX run_by_project ON run (project, id);
CREATE INDEX run_by_kind ON run (project, kind, id);
CREATE INDEX run_by_name ON run (project, kind, name, id);
CREATE INDEX run_unfinished ON run (heartbeat) WHERE status = 'running';

-- What a run read and wrote: versions, lake tables, blobs, each by name and digest.
CREATE TABLE run_link (
    run TEXT NOT NULL CONSTRAINT run_link_run_fk REFERENCES run (id),
    direction TEXT NOT NULL CONSTRAINT run_link_direction_known CHECK (direction IN ('input', 'output')),
    ordinal INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    number INTEGER,
    digest TEXT,
    CONSTRAINT run_link_pk PRIMARY KEY (run, direction, ordinal)
) STRICT;

CREATE INDEX run_link_by_digest ON run_link (digest);
