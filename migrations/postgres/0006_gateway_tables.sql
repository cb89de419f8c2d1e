-- What model calls may cost, what they cost, and the calls themselves. Money is in units of 10^-12 dollars.

-- `subject` is an id or a name; `*` for each there is. A project's own limits have `*`.
CREATE TABLE limit_rule (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT limit_rule_pk PRIMARY KEY,
    project TEXT COLLATE "C" NOT NULL CONSTRAINT limit_rule_project_fk REFERENCES project (id),
    kind TEXT COLLATE "C" NOT NULL CONSTRAINT limit_rule_kind_known CHECK (kind IN ('project', 'key', 'principal', 'user', 'model')),
    subject TEXT COLLATE "C" NOT NULL,
    metric TEXT COLLATE "C" NOT NULL CONSTRAINT limit_rule_metric_known CHECK (metric IN ('requests_per_minute', 'tokens_per_minute', 'concurrent', 'usd_per_day', 'usd_per_month')),
    amount BIGINT NOT NULL,
    created BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    CONSTRAINT limit_rule_subject_unique UNIQUE (project, kind, subject, metric)
);

-- Who writes calls. A batch is written when its number is not above `last_batch`; `session` changes with every start.
CREATE TABLE call_writer (
    owner TEXT COLLATE "C" NOT NULL CONSTRAINT call_writer_pk PRIMARY KEY,
    session TEXT COLLATE "C" NOT NULL,
    last_batch BIGINT NOT NULL,
    seen BIGINT NOT NULL
);

-- Calls of one project that ended within one hour, as lines of JSON, compressed with zlib, in the order they ended.
-- `hour` counts from 1970. Calls have no foreign keys: what was spent is written down whatever else is gone.
CREATE TABLE call_segment (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT call_segment_pk PRIMARY KEY,
    project TEXT COLLATE "C" NOT NULL,
    hour BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    first_end BIGINT NOT NULL,
    last_end BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    records BYTEA NOT NULL
);

CREATE INDEX call_segment_by_end ON call_segment (project, hour, last_end, id);
CREATE INDEX call_segment_old ON call_segment (last_end);

-- Sums of calls by the hour they began in. Absent names are empty; `unpriced` counts calls that used tokens nobody has a
-- price for.
CREATE TABLE usage_hour (
    project TEXT COLLATE "C" NOT NULL,
    hour BIGINT NOT NULL,
    api_key TEXT COLLATE "C" NOT NULL,
    principal TEXT COLLATE "C" NOT NULL,
    end_user TEXT COLLATE "C" NOT NULL,
    app TEXT COLLATE "C" NOT NULL,
    route TEXT COLLATE "C" NOT NULL,
    model TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    price_table TEXT COLLATE "C" NOT NULL,
    price_entry TEXT COLLATE "C" NOT NULL,
    calls BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    unpriced BIGINT NOT NULL,
    input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write BIGINT NOT NULL,
    cache_write_hour BIGINT NOT NULL,
    input_audio BIGINT NOT NULL,
    input_image BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    output_audio BIGINT NOT NULL,
    output_image BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    CONSTRAINT usage_hour_pk PRIMARY KEY (project, hour, api_key, principal, end_user, app, route, model, provider, target, price_table, price_entry)
);

-- What a budget's subject spent in a window, and what processes have fetched of it to spend.
CREATE TABLE budget_spent (
    project TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    span TEXT COLLATE "C" NOT NULL,
    starts BIGINT NOT NULL,
    spent BIGINT NOT NULL,
    leased BIGINT NOT NULL,
    CONSTRAINT budget_spent_pk PRIMARY KEY (project, kind, subject, span, starts)
);

CREATE INDEX budget_spent_by_window ON budget_spent (span, starts);

-- Money a process may spend without asking. Of a process that is gone it counts as spent (`forfeited`) until it returns.
CREATE TABLE budget_lease (
    owner TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    span TEXT COLLATE "C" NOT NULL,
    starts BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    forfeited BIGINT NOT NULL,
    CONSTRAINT budget_lease_pk PRIMARY KEY (owner, project, kind, subject, span, starts)
);

-- A bucket that several processes empty: when it is full again, in nanoseconds of this database's clock.
CREATE TABLE limit_bucket (
    project TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    metric TEXT COLLATE "C" NOT NULL,
    full_at BIGINT NOT NULL,
    CONSTRAINT limit_bucket_pk PRIMARY KEY (project, kind, subject, metric)
);

-- Calls at once that a process may have under way without asking; it counts while the process is alive.
CREATE TABLE limit_slot (
    owner TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    slots BIGINT NOT NULL,
    CONSTRAINT limit_slot_pk PRIMARY KEY (project, kind, subject, owner)
);

CREATE INDEX limit_slot_by_owner ON limit_slot (owner);
