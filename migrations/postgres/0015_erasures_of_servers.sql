-- Which servers have spans on a disk of their own, and how far each of them is with erasures.

-- `id` lies in the data directory, so it is the same server after a restart; `session` is another one then. A server that ends
-- with nothing on its disk takes its row with it.
CREATE TABLE span_server (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT span_server_pk PRIMARY KEY,
    session TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    seen BIGINT NOT NULL
);

-- What an erasure has found so far, in the order in which it found it; servers have to hear of all of it. `found` are traces
-- and sessions, and is absent when it is done. Fingerprints stay longer, for a server that was away meanwhile, and so do the
-- hours in which what was erased began.
CREATE TABLE erasure_mark (
    erasure TEXT COLLATE "C" NOT NULL CONSTRAINT erasure_mark_erasure_fk REFERENCES erasure (id),
    generation BIGINT NOT NULL,
    fingerprints TEXT COLLATE "C" NOT NULL,
    found TEXT COLLATE "C",
    hours TEXT COLLATE "C" NOT NULL,
    CONSTRAINT erasure_mark_pk PRIMARY KEY (erasure, generation)
);

-- Up to where each server has carried it out on its own disk. Without a generation: it was done without this server, which had
-- not been heard of for so long.
CREATE TABLE erasure_server (
    erasure TEXT COLLATE "C" NOT NULL CONSTRAINT erasure_server_erasure_fk REFERENCES erasure (id),
    server TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    generation BIGINT,
    seen BIGINT NOT NULL,
    CONSTRAINT erasure_server_pk PRIMARY KEY (erasure, server)
);

CREATE INDEX erasure_server_given_up ON erasure_server (server) WHERE generation IS NULL;

-- When the lake held none of it for the first time. Absent in those that were done before servers were asked.
ALTER TABLE erasure ADD COLUMN cleaned BIGINT;

CREATE INDEX erasure_open ON erasure (id) WHERE state IN ('waiting', 'running');
