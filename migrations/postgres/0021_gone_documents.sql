-- What is kept of a document that went from its source, for as long as older states and kept texts show it: so that it can
-- be forgotten by the id and the name it had, also where it was moved.
CREATE TABLE gone_document (
  project TEXT NOT NULL,
  knowledge TEXT NOT NULL,
  id TEXT NOT NULL,
  gone_at BIGINT NOT NULL,
  source TEXT NOT NULL,
  path TEXT NOT NULL,
  uri TEXT NOT NULL,
  labels TEXT NOT NULL,
  -- Of its bytes; null: they were never had.
  digest TEXT,
  -- The document that has them since; null: none that an ingestion found before it ended.
  moved_to TEXT,
  CONSTRAINT gone_document_key PRIMARY KEY (project, knowledge, id, gone_at)
);
CREATE INDEX gone_document_by_digest ON gone_document (project, knowledge, digest);
CREATE INDEX gone_document_by_place ON gone_document (project, knowledge, moved_to);
CREATE INDEX gone_document_by_time ON gone_document (gone_at);
