-- Who made the responses that providers keep, so that a project's own can be read, cancelled and deleted there. `model` is as
-- the client named it; `route` is empty where it named a provider. No foreign keys: rows go when their time is over.
CREATE TABLE response_maker (
    project TEXT COLLATE "C" NOT NULL,
    response TEXT COLLATE "C" NOT NULL,
    made BIGINT NOT NULL,
    model TEXT COLLATE "C" NOT NULL,
    route TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    CONSTRAINT response_maker_pk PRIMARY KEY (project, response)
);

CREATE INDEX response_maker_old ON response_maker (made);
