-- Without the id, an engine may look for documents of the same content by walking all of a knowledge in the order of ids.
DROP INDEX document_by_digest;
CREATE INDEX document_by_digest ON document (project, knowledge, digest, id);
-- A document's rows are deleted from every table it is in.
CREATE INDEX document_rows_by_document ON document_rows (document);
