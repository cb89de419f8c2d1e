-- How far an erasure is: what it is at, up to when it has looked for whose rows are (JSON, written with what it found there, so
-- that whoever goes on for a dead process goes on from there), and how many large values went.
ALTER TABLE erasure ADD COLUMN step TEXT;
ALTER TABLE erasure ADD COLUMN looked TEXT;
ALTER TABLE erasure ADD COLUMN freed_values INTEGER NOT NULL DEFAULT 0;
