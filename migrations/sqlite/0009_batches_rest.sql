-- Batches that give their place back, and packs of results that are bounded by their bytes.

-- Where a batch that holds no place goes on, as JSON: absent while one is at its lines for the first time.
ALTER TABLE batch ADD COLUMN rest TEXT;

-- A part of results is called after the first of them, since parts hold as many as fit; before, each held 256. The detour
-- keeps names apart on the way.
UPDATE file_part SET number = -(number * 256) WHERE file IN (SELECT id FROM stored_file WHERE purpose = 'batch_output');
UPDATE file_part SET number = -number WHERE number < 0;

CREATE INDEX batch_open ON batch (project, created) WHERE ended IS NULL;
