-- Projects, the people and services in them, their keys, and the audit log.

CREATE TABLE project (
    id TEXT NOT NULL CONSTRAINT project_pk PRIMARY KEY,
    name TEXT NOT NULL CONSTRAINT project_name_unique UNIQUE,
    description TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE principal (
    id TEXT NOT NULL CONSTRAINT principal_pk PRIMARY KEY,
    name TEXT NOT NULL CONSTRAINT principal_name_unique UNIQUE,
    kind TEXT NOT NULL CONSTRAINT principal_kind_known CHECK (kind IN ('local', 'person', 'service')),
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE membership (
    project TEXT NOT NULL CONSTRAINT membership_project_fk REFERENCES project (id),
    principal TEXT NOT NULL CONSTRAINT membership_principal_fk REFERENCES principal (id),
    role TEXT NOT NULL CONSTRAINT membership_role_known CHECK (role IN ('reader', 'editor', 'admin')),
    labels TEXT NOT NULL,
    created INTEGER NOT NULL,
    CONSTRAINT membership_pk PRIMARY KEY (project, principal)
) STRICT;

-- `lookup` is the public part of a key; `hash` is SHA-256 of its secret part.
CREATE TABLE api_key (
    id TEXT NOT NULL CONSTRAINT api_key_pk PRIMARY KEY,
    project TEXT NOT NULL CONSTRAINT api_key_project_fk REFERENCES project (id),
    principal TEXT NOT NULL CONSTRAINT api_key_principal_fk REFERENCES principal (id),
    name TEXT NOT NULL,
    role TEXT NOT NULL CONSTRAINT api_key_role_known CHECK (role IN ('reader', 'editor', 'admin')),
    labels TEXT NOT NULL,
    lookup TEXT NOT NULL CONSTRAINT api_key_lookup_unique UNIQUE,
    hash BLOB NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires INTEGER,
    last_used INTEGER,
    revoked INTEGER
) STRICT;

CREATE INDEX api_key_by_project ON api_key (project, id);

CREATE TABLE audit_entry (
    project TEXT NOT NULL CONSTRAINT audit_entry_project_fk REFERENCES project (id),
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    principal TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    previous TEXT NOT NULL,
    digest TEXT NOT NULL,
    CONSTRAINT audit_entry_pk PRIMARY KEY (project, number)
) STRICT;
