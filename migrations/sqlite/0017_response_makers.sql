-- Who made the responses that providers keep, so that a project's own can be read, cancelled and deleted there. `model` is as
-- the client named it; `route` is empty where it named a provider. No foreign keys: rows go when their time is over.
CREATE TABLE response_maker (
    project TEXT NOT NULL,
    response TEXT NOT NULL,
    made INTEGER NOT NULL,
    model TEXT NOT NULL,
    route TEXT NOT NULL,
    provider TEXT NOT NULL,
    target TEXT NOT NULL,
    CONSTRAINT response_maker_pk PRIMARY KEY (project, response)
) STRICT, WITHOUT ROWID;

CREATE INDEX response_maker_old ON response_maker (made);
