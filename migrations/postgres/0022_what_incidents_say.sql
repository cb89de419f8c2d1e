-- Of what changed before an incident: how much more there was than is kept.
ALTER TABLE incident ADD COLUMN changes_left_out BIGINT NOT NULL DEFAULT 0;
