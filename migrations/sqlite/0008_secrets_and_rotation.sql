-- Secrets of projects, keys that are rotated in place, and the models a key may name.

-- A secret's value, sealed: a version, a nonce and the ciphertext, bound to the project and the name. `master` says which
-- master key sealed it; the key itself is not in the catalog. `last_used` is within an hour.
CREATE TABLE secret (
    project TEXT NOT NULL CONSTRAINT secret_project_fk REFERENCES project (id),
    name TEXT NOT NULL,
    sealed BLOB NOT NULL,
    master TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    changed INTEGER NOT NULL,
    changed_by TEXT NOT NULL,
    last_used INTEGER,
    CONSTRAINT secret_pk PRIMARY KEY (project, name)
) STRICT;

-- The secret part that a rotation replaced, and until when it opens as well.
ALTER TABLE api_key ADD COLUMN old_lookup TEXT;
ALTER TABLE api_key ADD COLUMN old_hash BLOB;
ALTER TABLE api_key ADD COLUMN old_until INTEGER;
-- JSON; absent for a key that may name every model.
ALTER TABLE api_key ADD COLUMN models TEXT;

CREATE UNIQUE INDEX api_key_old_lookup_unique ON api_key (old_lookup);
