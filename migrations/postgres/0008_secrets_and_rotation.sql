-- Secrets of projects, keys that are rotated in place, and the models a key may name.

-- A secret's value, sealed: a version, a nonce and the ciphertext, bound to the project and the name. `master` says which
-- master key sealed it; the key itself is not in the catalog. `last_used` is within an hour.
CREATE TABLE secret (
    project TEXT COLLATE "C" NOT NULL CONSTRAINT secret_project_fk REFERENCES project (id),
    name TEXT COLLATE "C" NOT NULL,
    sealed BYTEA NOT NULL,
    master TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    changed BIGINT NOT NULL,
    changed_by TEXT COLLATE "C" NOT NULL,
    last_used BIGINT,
    CONSTRAINT secret_pk PRIMARY KEY (project, name)
);

-- The secret part that a rotation replaced, and until when it opens as well.
ALTER TABLE api_key ADD COLUMN old_lookup TEXT COLLATE "C";
ALTER TABLE api_key ADD COLUMN old_hash BYTEA;
ALTER TABLE api_key ADD COLUMN old_until BIGINT;
-- JSON; absent for a key that may name every model.
ALTER TABLE api_key ADD COLUMN models TEXT COLLATE "C";

CREATE UNIQUE INDEX api_key_old_lookup_unique ON api_key (old_lookup);
