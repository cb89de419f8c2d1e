import { expect, test } from "vitest";
import { passagePage, webAddress } from "./places";

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

test("a link of a document leads on the web, from the document's own address, and nowhere else", () => {
  expect(webAddress("https://a.example/x?y=1")).toBe("https://a.example/x?y=1");
  expect(webAddress("../terms.html#end", "https://a.example/docs/page.html")).toBe("https://a.example/terms.html#end");
  for (const target of ["terms.html", "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "#here", ""])
    expect(webAddress(target, "file:///docs/page.html")).toBeNull();
  expect(webAddress(" JavaScript:alert(1)", "https://a.example/")).toBeNull();
});
