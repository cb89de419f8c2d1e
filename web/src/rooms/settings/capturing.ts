// A capture policy as its form has it: patterns as lines of text, numbers as they are typed.

import type { CaptureView, SetCapture } from "@/api/types";

export interface Draft {
  /** Empty: what the server keeps. */
  capture: string;
  /** A line each: `name=regex`. */
  patterns: string;
  /** Per cent. */
  share: string;
  errors: boolean;
  /** Milliseconds; empty: none. */
  slower: string;
}

export const LEVELS = {
  none: "Names, times, tokens and versions; no content, no user, no session.",
  metadata: "No prompts, answers or documents; users by what they are called.",
  redacted: "Everything, with addresses, numbers and secrets replaced.",
  full: "Everything as it came.",
} as const;

/** Those that this server may keep. */
export const levelsUpTo = (server: string): string[] => {
  const all = Object.keys(LEVELS);
  return all.slice(0, all.indexOf(server) + 1);
};

export const draftOf = (view: CaptureView): Draft => ({
  capture: view.capture ?? "",
  patterns: view.patterns.map(({ name, pattern }) => `${name}=${pattern}`).join("\n"),
  share: String(Number((view.share * 100).toFixed(4))),
  errors: view.keep_errors,
  slower: view.keep_slower_than_ms == null ? "" : String(view.keep_slower_than_ms),
});

/** What is wrong with a draft before a server sees it, by field. */
export function faultsOf(draft: Draft): { patterns: string | null; share: string | null; slower: string | null } {
  const lines = draft.patterns.split("\n").filter((text) => text.trim() !== "");
  const odd = lines.find((text) => !/^[a-z0-9][a-z0-9._-]*=./.test(text.trim()));
  const share = Number(draft.share);
  return {
    patterns: odd === undefined ? null : `“${odd.trim()}” is not name=pattern.`,
    share: draft.share.trim() !== "" && share >= 0 && share <= 100 ? null : "From 0 to 100.",
    slower: draft.slower.trim() === "" || /^[1-9][0-9]*$/.test(draft.slower.trim()) ? null : "A whole number of milliseconds.",
  };
}

export function policyOf(draft: Draft, view: CaptureView): SetCapture {
  const lines = draft.patterns.split("\n").map((text) => text.trim());
  const patterns = lines.filter(Boolean).map((text) => {
    const at = text.indexOf("=");
    return { name: text.slice(0, at), pattern: text.slice(at + 1) };
  });
  return {
    capture: draft.capture || null,
    patterns,
    share: Number(draft.share) / 100,
    keep_errors: draft.errors,
    keep_slower_than_ms: draft.slower.trim() === "" ? null : Number(draft.slower),
    hold_seconds: view.hold_seconds,
    expected: view.revision,
  };
}
