import { expect, test } from "vitest";
import { passagePage } from "./places";

const passage = { document: "doc_1", start: 3, end: 9 };

test("a passage's page names the text it was cut from", () => {
  const page = passagePage("my docs", { ...passage, document_digest: "sha256:ab", chunk: "chk_1" });
  const url = new URL(page, "http://here");
  expect(url.pathname).toBe("/knowledge/my%20docs/documents/doc_1");
  expect(Object.fromEntries(url.searchParams)).toEqual({ start: "3", end: "9", digest: "sha256:ab", chunk: "chk_1" });
});

test("what was kept without a digest opens the document as it is", () => {
  expect(passagePage("docs", passage)).toBe("/knowledge/docs/documents/doc_1?start=3&end=9");
});
