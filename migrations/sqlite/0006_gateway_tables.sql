-- What model calls may cost, what they cost, and the calls themselves. Money is in units of 10^-12 dollars.

-- `subject` is an id or a name; `*` for each there is. A project's own limits have `*`.
CREATE TABLE limit_rule (
    id TEXT NOT NULL CONSTRAINT limit_rule_pk PRIMARY KEY,
    project TEXT NOT NULL CONSTRAINT limit_rule_project_fk REFERENCES project (id),
    kind TEXT NOT NULL CONSTRAINT limit_rule_kind_known CHECK (kind IN ('project', 'key', 'principal', 'user', 'model')),
    subject TEXT NOT NULL,
    metric TEXT NOT NULL CONSTRAINT limit_rule_metric_known CHECK (metric IN ('requests_per_minute', 'tokens_per_minute', 'concurrent', 'usd_per_day', 'usd_per_month')),
    amount INTEGER NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT limit_rule_subject_unique UNIQUE (project, kind, subject, metric)
) STRICT;

-- Who writes calls. A batch is written when its number is not above `last_batch`; `session` changes with every start.
CREATE TABLE call_writer (
    owner TEXT NOT NULL CONSTRAINT call_writer_pk PRIMARY KEY,
    session TEXT NOT NULL,
    last_batch INTEGER NOT NULL,
    seen INTEGER NOT NULL
) STRICT;

-- Calls of one project that ended within one hour, as lines of JSON, compressed with zlib, in the order they ended.
-- `hour` counts from 1970. Calls have no foreign keys: what was spent is written down whatever else is gone.
CREATE TABLE call_segment (
    id TEXT NOT NULL CONSTRAINT call_segment_pk PRIMARY KEY,
    project TEXT NOT NULL,
    hour INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    first_end INTEGER NOT NULL,
    last_end INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    records BLOB NOT NULL
) STRICT;

CREATE INDEX call_segment_by_end ON call_segment (project, hour, last_end, id);
CREATE INDEX call_segment_old ON call_segment (last_end);

-- Sums of calls by the hour they began in. Absent names are empty; `unpriced` counts calls that used tokens nobody has a
-- price for.
CREATE TABLE usage_hour (
    project TEXT NOT NULL,
    hour INTEGER NOT NULL,
    api_key TEXT NOT NULL,
    principal TEXT NOT NULL,
    end_user TEXT NOT NULL,
    app TEXT NOT NULL,
    route TEXT NOT NULL,
    model TEXT NOT NULL,
    provider TEXT NOT NULL,
    target TEXT NOT NULL,
    price_table TEXT NOT NULL,
    price_entry TEXT NOT NULL,
    calls INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    cache_write_hour INTEGER NOT NULL,
    input_audio INTEGER NOT NULL,
    input_image INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    output_audio INTEGER NOT NULL,
    output_image INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    CONSTRAINT usage_hour_pk PRIMARY KEY (project, hour, api_key, principal, end_user, app, route, model, provider, target, price_table, price_entry)
) STRICT, WITHOUT ROWID;

-- What a budget's subject spent in a window, and what processes have fetched of it to spend.
CREATE TABLE budget_spent (
    project TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    span TEXT NOT NULL,
    starts INTEGER NOT NULL,
    spent INTEGER NOT NULL,
    leased INTEGER NOT NULL,
    CONSTRAINT budget_spent_pk PRIMARY KEY (project, kind, subject, span, starts)
) STRICT;

CREATE INDEX budget_spent_by_window ON budget_spent (span, starts);

-- Money a process may spend without asking. Of a process that is gone it counts as spent (`forfeited`) until it returns.
CREATE TABLE budget_lease (
    owner TEXT NOT NULL,
    project TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    span TEXT NOT NULL,
    starts INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    forfeited INTEGER NOT NULL,
    CONSTRAINT budget_lease_pk PRIMARY KEY (owner, project, kind, subject, span, starts)
) STRICT;

-- A bucket that several processes empty: when it is full again, in nanoseconds of this database's clock.
CREATE TABLE limit_bucket (
    project TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    metric TEXT NOT NULL,
    full_at INTEGER NOT NULL,
    CONSTRAINT limit_bucket_pk PRIMARY KEY (project, kind, subject, metric)
) STRICT;

-- Calls at once that a process may have under way without asking; it counts while the process is alive.
CREATE TABLE limit_slot (
    owner TEXT NOT NULL,
    project TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    slots INTEGER NOT NULL,
    CONSTRAINT limit_slot_pk PRIMARY KEY (project, kind, subject, owner)
) STRICT;

CREATE INDEX limit_slot_by_owner ON limit_slot (owner);
