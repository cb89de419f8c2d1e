-- What a person should know of a document that is searched all the same: pages without a text layer, bytes
-- that were no text. A list of code and detail.
ALTER TABLE document ADD COLUMN warnings TEXT NOT NULL DEFAULT '[]';
-- What its source said of the content that was read: commit, times. Null: read before this was kept.
ALTER TABLE document ADD COLUMN origin TEXT;
