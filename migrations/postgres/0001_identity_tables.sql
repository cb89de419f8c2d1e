-- Projects, the people and services in them, their keys, and the audit log.

CREATE TABLE project (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT project_pk PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL CONSTRAINT project_name_unique UNIQUE,
    description TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL
);

CREATE TABLE principal (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT principal_pk PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL CONSTRAINT principal_name_unique UNIQUE,
    kind TEXT COLLATE "C" NOT NULL CONSTRAINT principal_kind_known CHECK (kind IN ('local', 'person', 'service')),
    created BIGINT NOT NULL
);

CREATE TABLE membership (
    project TEXT COLLATE "C" NOT NULL CONSTRAINT membership_project_fk REFERENCES project (id),
    principal TEXT COLLATE "C" NOT NULL CONSTRAINT membership_principal_fk REFERENCES principal (id),
    role TEXT COLLATE "C" NOT NULL CONSTRAINT membership_role_known CHECK (role IN ('reader', 'editor', 'admin')),
    labels TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    CONSTRAINT membership_pk PRIMARY KEY (project, principal)
);

-- `lookup` is the public part of a key; `hash` is SHA-256 of its secret part.
CREATE TABLE api_key (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT api_key_pk PRIMARY KEY,
    project TEXT COLLATE "C" NOT NULL CONSTRAINT api_key_project_fk REFERENCES project (id),
    principal TEXT COLLATE "C" NOT NULL CONSTRAINT api_key_principal_fk REFERENCES principal (id),
    name TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL CONSTRAINT api_key_role_known CHECK (role IN ('reader', 'editor', 'admin')),
    labels TEXT COLLATE "C" NOT NULL,
    lookup TEXT COLLATE "C" NOT NULL CONSTRAINT api_key_lookup_unique UNIQUE,
    hash BYTEA NOT NULL,
    created BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    expires BIGINT,
    last_used BIGINT,
    revoked BIGINT
);

CREATE INDEX api_key_by_project ON api_key (project, id);

CREATE TABLE audit_entry (
    project TEXT COLLATE "C" NOT NULL CONSTRAINT audit_entry_project_fk REFERENCES project (id),
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    principal TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    detail TEXT COLLATE "C" NOT NULL,
    previous TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    CONSTRAINT audit_entry_pk PRIMARY KEY (project, number)
);
