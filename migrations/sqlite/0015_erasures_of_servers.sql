-- Which servers have spans on a disk of their own, and how far each of them is with erasures.

-- `id` lies in the data directory, so it is the same server after a restart; `session` is another one then. A server that ends
-- with nothing on its disk takes its row with it.
CREATE TABLE span_server (
    id TEXT NOT NULL CONSTRAINT span_server_pk PRIMARY KEY,
    session TEXT NOT NULL,
    name TEXT NOT NULL,
    seen INTEGER NOT NULL
) STRICT;

-- What an erasure has found so far, in the order in which it found it; servers have to hear of all of it. `found` are traces
-- and sessions, and is absent when it is done. Fingerprints stay longer, for a server that was away meanwhile, and so do the
-- hours in which what was erased began.
CREATE TABLE erasure_mark (
    erasure TEXT NOT NULL CONSTRAINT erasure_mark_erasure_fk REFERENCES erasure (id),
    generation INTEGER NOT NULL,
    fingerprints TEXT NOT NULL,
    found TEXT,
    hours TEXT NOT NULL,
    CONSTRAINT erasure_mark_pk PRIMARY KEY (erasure, generation)
) STRICT;

-- Up to where each server has carried it out on its own disk. Without a generation: it was done without this server, which had
-- not been heard of for so long.
CREATE TABLE erasure_server (
    erasure TEXT NOT NULL CONSTRAINT erasure_server_erasure_fk REFERENCES erasure (id),
    server TEXT NOT NULL,
    name TEXT NOT NULL,
    generation INTEGER,
    seen INTEGER NOT NULL,
    CONSTRAINT erasure_server_pk PRIMARY KEY (erasure, server)
) STRICT;

CREATE INDEX erasure_server_given_up ON erasure_server (server) WHERE generation IS NULL;

-- When the lake held none of it for the first time. Absent in those that were done before servers were asked.
ALTER TABLE erasure ADD COLUMN cleaned INTEGER;

CREATE INDEX erasure_open ON erasure (id) WHERE state IN ('waiting', 'running');
