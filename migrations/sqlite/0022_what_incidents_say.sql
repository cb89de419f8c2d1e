-- Of what changed before an incident: how much more there was than is kept.
ALTER TABLE incident ADD COLUMN changes_left_out INTEGER NOT NULL DEFAULT 0;
-- Whether an alert is that nothing comes, or that nobody can look: an incident is rather called by what is wrong.
ALTER TABLE incident_alert ADD COLUMN missing INTEGER NOT NULL DEFAULT 0;
