-- Incidents, what happened to them, what was sent of it, and silences.

-- An incident gathers the alerts of one group. `receivers` is absent where every receiver is told that matches. `changes` is
-- what moved before it opened. `silence` hides it for now; at `remind` it is looked at again.
CREATE TABLE incident (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT incident_pk PRIMARY KEY,
    project TEXT COLLATE "C" NOT NULL CONSTRAINT incident_project_fk REFERENCES project (id),
    grouped TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CONSTRAINT incident_state_known CHECK (state IN ('open', 'acknowledged', 'resolved')),
    severity TEXT COLLATE "C" NOT NULL,
    title TEXT COLLATE "C" NOT NULL,
    labels TEXT COLLATE "C" NOT NULL,
    receivers TEXT COLLATE "C",
    changes TEXT COLLATE "C" NOT NULL,
    silence TEXT COLLATE "C",
    opened BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    acknowledged BIGINT,
    acknowledged_by TEXT COLLATE "C",
    resolved BIGINT,
    resolved_by TEXT COLLATE "C",
    remind BIGINT
);

-- A group has one incident at a time that is not over.
CREATE UNIQUE INDEX incident_open_unique ON incident (project, grouped) WHERE state <> 'resolved';
CREATE INDEX incident_by_group ON incident (project, grouped, id);
CREATE INDEX incident_by_project ON incident (project, id);
CREATE INDEX incident_remind ON incident (remind) WHERE remind IS NOT NULL;
CREATE INDEX incident_resolved ON incident (resolved) WHERE resolved IS NOT NULL;

CREATE TABLE incident_alert (
    incident TEXT COLLATE "C" NOT NULL CONSTRAINT incident_alert_incident_fk REFERENCES incident (id),
    fingerprint TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    severity TEXT COLLATE "C" NOT NULL,
    summary TEXT COLLATE "C" NOT NULL,
    labels TEXT COLLATE "C" NOT NULL,
    facts TEXT COLLATE "C" NOT NULL,
    traces TEXT COLLATE "C" NOT NULL,
    versions TEXT COLLATE "C" NOT NULL,
    firing BIGINT NOT NULL,
    began BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    ended BIGINT,
    CONSTRAINT incident_alert_pk PRIMARY KEY (incident, fingerprint)
);

CREATE INDEX incident_alert_firing ON incident_alert (fingerprint) WHERE firing = 1;

CREATE TABLE incident_event (
    incident TEXT COLLATE "C" NOT NULL CONSTRAINT incident_event_incident_fk REFERENCES incident (id),
    seq BIGINT NOT NULL,
    happened BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    principal TEXT COLLATE "C",
    detail TEXT COLLATE "C" NOT NULL,
    CONSTRAINT incident_event_pk PRIMARY KEY (incident, seq)
);

-- One notice to one receiver. Whoever holds the lease sends it; one that is late may be sent by another.
CREATE TABLE delivery (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT delivery_pk PRIMARY KEY,
    project TEXT COLLATE "C" NOT NULL CONSTRAINT delivery_project_fk REFERENCES project (id),
    incident TEXT COLLATE "C" NOT NULL CONSTRAINT delivery_incident_fk REFERENCES incident (id),
    receiver TEXT COLLATE "C" NOT NULL,
    what TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CONSTRAINT delivery_state_known CHECK (state IN ('pending', 'delivered', 'skipped', 'failed')),
    notice TEXT COLLATE "C" NOT NULL,
    attempts BIGINT NOT NULL,
    due BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    lease_until BIGINT,
    status BIGINT,
    error TEXT COLLATE "C",
    created BIGINT NOT NULL,
    attempted BIGINT,
    ended BIGINT
);

CREATE INDEX delivery_due ON delivery (due) WHERE state = 'pending';
CREATE INDEX delivery_lane ON delivery (project, receiver, id) WHERE state = 'pending';
CREATE INDEX delivery_attempted ON delivery (project, receiver, attempted);
CREATE INDEX delivery_by_incident ON delivery (incident, id);
CREATE INDEX delivery_by_project ON delivery (project, id);

CREATE TABLE silence (
    id TEXT COLLATE "C" NOT NULL CONSTRAINT silence_pk PRIMARY KEY,
    project TEXT COLLATE "C" NOT NULL CONSTRAINT silence_project_fk REFERENCES project (id),
    matchers TEXT COLLATE "C" NOT NULL,
    starts BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    comment TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL
);

CREATE INDEX silence_by_project ON silence (project, id);
CREATE INDEX silence_ended ON silence (ends);
