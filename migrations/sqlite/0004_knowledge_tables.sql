-- What a knowledge is built of, what it holds, and who is changing it.

CREATE TABLE knowledge (
  project TEXT NOT NULL,
  name TEXT NOT NULL,
  -- The lake table that searches read; null until a first ingestion has completed one.
  active_table TEXT,
  -- Version of the spec the last complete ingestion followed.
  asset_version INTEGER,
  asset_digest TEXT,
  -- State of the active table when the last ingestion ended.
  lake_version INTEGER,
  lake_transaction TEXT,
  synced_at INTEGER,
  -- Whoever changes the knowledge now, until when; a lease not renewed is free for others.
  holder TEXT,
  holder_run TEXT,
  held_until INTEGER,
  -- Set while a lake table and `document_rows` may disagree: from the first write of a run to its end.
  unsettled INTEGER NOT NULL DEFAULT 0,
  CONSTRAINT knowledge_key PRIMARY KEY (project, name)
) STRICT;

CREATE TABLE knowledge_table (
  lake_table TEXT NOT NULL,
  project TEXT NOT NULL,
  knowledge TEXT NOT NULL,
  -- Digest of everything that shapes rows: chunking, embedder, row format.
  config TEXT NOT NULL,
  embedder TEXT NOT NULL,
  embedder_identity TEXT NOT NULL,
  dimensions INTEGER NOT NULL,
  state TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  completed_at INTEGER,
  retired_at INTEGER,
  CONSTRAINT knowledge_table_key PRIMARY KEY (lake_table),
  CONSTRAINT knowledge_table_state CHECK (state IN ('building', 'active', 'retired'))
) STRICT;
CREATE INDEX knowledge_table_by_knowledge ON knowledge_table (project, knowledge);

CREATE TABLE document (
  project TEXT NOT NULL,
  knowledge TEXT NOT NULL,
  id TEXT NOT NULL,
  source TEXT NOT NULL,
  path TEXT NOT NULL,
  uri TEXT NOT NULL,
  title TEXT NOT NULL,
  media_type TEXT NOT NULL,
  labels TEXT NOT NULL,
  metadata TEXT NOT NULL,
  -- Digest of what the spec says about the document: labels, metadata, address.
  attributes TEXT NOT NULL,
  -- What the source said of the content, cheaply; null: ask again.
  fingerprint TEXT,
  digest TEXT,
  parsed TEXT,
  bytes INTEGER NOT NULL,
  pages INTEGER,
  status TEXT NOT NULL,
  reason_code TEXT,
  reason TEXT,
  updated_at INTEGER NOT NULL,
  CONSTRAINT document_key PRIMARY KEY (project, knowledge, id),
  CONSTRAINT document_status CHECK (status IN ('ready', 'failed', 'skipped', 'forgotten'))
) STRICT;
CREATE INDEX document_by_digest ON document (project, knowledge, digest);
CREATE INDEX document_by_parsed ON document (parsed);
CREATE INDEX document_by_path ON document (project, knowledge, path, id);

-- Which documents a lake table holds, made from what: the truth of what is done.
CREATE TABLE document_rows (
  lake_table TEXT NOT NULL,
  document TEXT NOT NULL,
  row_key TEXT NOT NULL,
  chunks INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  CONSTRAINT document_rows_key PRIMARY KEY (lake_table, document)
) STRICT;

-- What an ingestion did, for those who may see the documents it names; its run is in the registry.
CREATE TABLE ingest_run (
  id TEXT NOT NULL,
  project TEXT NOT NULL,
  knowledge TEXT NOT NULL,
  status TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  finished_at INTEGER,
  asset_version INTEGER NOT NULL,
  -- The state it ended on, and the tag that keeps that state.
  lake_table TEXT,
  lake_version INTEGER,
  lake_transaction TEXT,
  tag TEXT,
  trace TEXT,
  progress TEXT NOT NULL,
  report TEXT,
  error_code TEXT,
  error TEXT,
  CONSTRAINT ingest_run_key PRIMARY KEY (id),
  CONSTRAINT ingest_run_status CHECK (status IN ('running', 'succeeded', 'failed', 'cancelled'))
) STRICT;
CREATE INDEX ingest_run_by_knowledge ON ingest_run (project, knowledge, started_at, id);

CREATE TABLE forget_receipt (
  id TEXT NOT NULL,
  project TEXT NOT NULL,
  knowledge TEXT NOT NULL,
  -- What is to be forgotten is written down first, so that a broken-off forgetting is taken up again.
  wanted TEXT NOT NULL,
  receipt TEXT,
  started_at INTEGER NOT NULL,
  finished_at INTEGER,
  CONSTRAINT forget_receipt_key PRIMARY KEY (id)
) STRICT;
CREATE INDEX forget_receipt_by_knowledge ON forget_receipt (project, knowledge, started_at, id);

-- Parsed texts that a document no longer has. They stay for the retention time, for replays, and then go.
CREATE TABLE released_text (
  parsed TEXT NOT NULL,
  document TEXT NOT NULL,
  released_at INTEGER NOT NULL,
  CONSTRAINT released_text_key PRIMARY KEY (parsed, document)
) STRICT;
CREATE INDEX released_text_by_time ON released_text (released_at);
CREATE INDEX released_text_by_document ON released_text (document);
