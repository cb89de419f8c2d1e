-- Which sources of its spec ingestions that came to their end have read, as a list of marks in JSON: what is not among them may
-- say what is not found. Null: it was not kept yet.
ALTER TABLE knowledge ADD COLUMN read_sources TEXT;
