import { expect, test } from "vitest";
import type { CaptureView } from "@/api/types";
import { draftOf, faultsOf, levelsUpTo, policyOf } from "./capturing";

const view: CaptureView = {
  project: "shop",
  capture: null,
  server: "redacted",
  effective: "redacted",
  patterns: [{ name: "customer", pattern: "C=[0-9]+" }],
  share: 0.07,
  keep_errors: true,
  keep_slower_than_ms: 5000,
  hold_seconds: 30,
  revision: 3,
  here: { kept: 1, left_out_by_share: 0, left_out_by_outcome: 0, left_out_early: 0, held: 0, redacted: 0 },
};

test("a policy comes back from its form as it was, at the revision that was seen", () => {
  expect(draftOf(view)).toEqual({ capture: "", patterns: "customer=C=[0-9]+", share: "7", errors: true, slower: "5000" });
  const { expected, ...policy } = policyOf(draftOf(view), view);
  expect(expected).toBe(3);
  expect(policy).toEqual({
    capture: null,
    patterns: view.patterns,
    share: 0.07,
    keep_errors: true,
    keep_slower_than_ms: 5000,
    hold_seconds: 30,
  });
});

test("what cannot be is said where it stands", () => {
  const draft = draftOf(view);
  expect(faultsOf(draft)).toEqual({ patterns: null, share: null, slower: null });
  expect(faultsOf({ ...draft, patterns: "\nno pattern\n" }).patterns).toContain("no pattern");
  for (const share of ["", "-1", "101", "x"]) expect(faultsOf({ ...draft, share }).share).not.toBeNull();
  for (const slower of ["0", "1.5", "soon"]) expect(faultsOf({ ...draft, slower }).slower).not.toBeNull();
  expect(levelsUpTo("metadata")).toEqual(["none", "metadata"]);
});
