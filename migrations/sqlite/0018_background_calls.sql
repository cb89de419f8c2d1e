-- Who made a response is known with the account that keeps it, and whoever wrote that first keeps it: a provider that answers to
-- the same name later, or another project that says it got the same response, is not let at it. What was written before names no
-- account, and nobody can say it now.
DROP TABLE response_maker;

CREATE TABLE response_maker (
    response TEXT NOT NULL,
    account TEXT NOT NULL,
    project TEXT NOT NULL,
    made INTEGER NOT NULL,
    model TEXT NOT NULL,
    route TEXT NOT NULL,
    provider TEXT NOT NULL,
    target TEXT NOT NULL,
    CONSTRAINT response_maker_pk PRIMARY KEY (response, account)
) STRICT, WITHOUT ROWID;

CREATE INDEX response_maker_old ON response_maker (made);

-- Calls whose answers are made in the background, and which process waits for each: it alone settles it. `record` is the call as
-- it is settled if nobody knows better; `said` how it ended, where whoever deleted the response has asked. Both are empty once
-- the call is settled (`ended` above 0); the row stays for a process that comes back and thinks that it still waits.
CREATE TABLE background_call (
    id TEXT NOT NULL CONSTRAINT background_call_pk PRIMARY KEY,
    project TEXT NOT NULL,
    response TEXT NOT NULL,
    owner TEXT NOT NULL,
    began INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    record TEXT NOT NULL,
    said TEXT NOT NULL
) STRICT;

CREATE INDEX background_call_by_response ON background_call (response);
CREATE INDEX background_call_by_owner ON background_call (ended, owner);
CREATE INDEX background_call_old ON background_call (began);
