-- Incidents, what happened to them, what was sent of it, and silences.

-- An incident gathers the alerts of one group. `receivers` is absent where every receiver is told that matches. `changes` is
-- what moved before it opened. `silence` hides it for now; at `remind` it is looked at again.
CREATE TABLE incident (
    id TEXT NOT NULL CONSTRAINT incident_pk PRIMARY KEY,
    project TEXT NOT NULL CONSTRAINT incident_project_fk REFERENCES project (id),
    grouped TEXT NOT NULL,
    state TEXT NOT NULL CONSTRAINT incident_state_known CHECK (state IN ('open', 'acknowledged', 'resolved')),
    severity TEXT NOT NULL,
    title TEXT NOT NULL,
    labels TEXT NOT NULL,
    receivers TEXT,
    changes TEXT NOT NULL,
    silence TEXT,
    opened INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    acknowledged INTEGER,
    acknowledged_by TEXT,
    resolved INTEGER,
    resolved_by TEXT,
    remind INTEGER
) STRICT;

-- A group has one incident at a time that is not over.
CREATE UNIQUE INDEX incident_open_unique ON incident (project, grouped) WHERE state <> 'resolved';
CREATE INDEX incident_by_group ON incident (project, grouped, id);
CREATE INDEX incident_by_project ON incident (project, id);
CREATE INDEX incident_remind ON incident (remind) WHERE remind IS NOT NULL;
CREATE INDEX incident_resolved ON incident (resolved) WHERE resolved IS NOT NULL;

CREATE TABLE incident_alert (
    incident TEXT NOT NULL CONSTRAINT incident_alert_incident_fk REFERENCES incident (id),
    fingerprint TEXT NOT NULL,
    name TEXT NOT NULL,
    severity TEXT NOT NULL,
    summary TEXT NOT NULL,
    labels TEXT NOT NULL,
    facts TEXT NOT NULL,
    traces TEXT NOT NULL,
    versions TEXT NOT NULL,
    firing INTEGER NOT NULL,
    began INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    ended INTEGER,
    CONSTRAINT incident_alert_pk PRIMARY KEY (incident, fingerprint)
) STRICT;

CREATE INDEX incident_alert_firing ON incident_alert (fingerprint) WHERE firing = 1;

CREATE TABLE incident_event (
    incident TEXT NOT NULL CONSTRAINT incident_event_incident_fk REFERENCES incident (id),
    seq INTEGER NOT NULL,
    happened INTEGER NOT NULL,
    kind TEXT NOT NULL,
    principal TEXT,
    detail TEXT NOT NULL,
    CONSTRAINT incident_event_pk PRIMARY KEY (incident, seq)
) STRICT;

-- One notice to one receiver. Whoever holds the lease sends it; one that is late may be sent by another.
CREATE TABLE delivery (
    id TEXT NOT NULL CONSTRAINT delivery_pk PRIMARY KEY,
    project TEXT NOT NULL CONSTRAINT delivery_project_fk REFERENCES project (id),
    incident TEXT NOT NULL CONSTRAINT delivery_incident_fk REFERENCES incident (id),
    receiver TEXT NOT NULL,
    what TEXT NOT NULL,
    state TEXT NOT NULL CONSTRAINT delivery_state_known CHECK (state IN ('pending', 'delivered', 'skipped', 'failed')),
    notice TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    lease_until INTEGER,
    status INTEGER,
    error TEXT,
    created INTEGER NOT NULL,
    attempted INTEGER,
    ended INTEGER
) STRICT;

CREATE INDEX delivery_due ON delivery (due) WHERE state = 'pending';
CREATE INDEX delivery_lane ON delivery (project, receiver, id) WHERE state = 'pending';
CREATE INDEX delivery_attempted ON delivery (project, receiver, attempted);
CREATE INDEX delivery_by_incident ON delivery (incident, id);
CREATE INDEX delivery_by_project ON delivery (project, id);

CREATE TABLE silence (
    id TEXT NOT NULL CONSTRAINT silence_pk PRIMARY KEY,
    project TEXT NOT NULL CONSTRAINT silence_project_fk REFERENCES project (id),
    matchers TEXT NOT NULL,
    starts INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    comment TEXT NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL
) STRICT;

CREATE INDEX silence_by_project ON silence (project, id);
CREATE INDEX silence_ended ON silence (ends);
