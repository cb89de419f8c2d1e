// Keyboard shortcuts: single keys and two-key sequences (`g h`), never while typing.

import { useEffect, useRef, useSyncExternalStore } from "react";

export interface Shortcut {
  keys: string;
  label: string;
  group: string;
  run: (event: KeyboardEvent) => void;
  /** Works inside text fields too (only for chords such as mod+k). */
  whileTyping?: boolean;
}

const SEQUENCE_MS = 1200;
const registered: Shortcut[] = [];
const watchers = new Set<() => void>();
let snapshot: readonly Shortcut[] = [];
let pending: { key: string; at: number } | null = null;

function changed(): void {
  snapshot = [...registered];
  watchers.forEach((tell) => tell());
}

export const isMac = typeof navigator !== "undefined" && /Mac|iP(hone|ad)/.test(navigator.platform);

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !["checkbox", "radio", "button", "range"].includes(target.type);
}

function nameOf(event: KeyboardEvent): string {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const mod = event.metaKey || event.ctrlKey ? "mod+" : "";
  const shift = event.shiftKey && event.key.length > 1 ? "shift+" : "";
  return `${mod}${shift}${key === " " ? "Space" : key}`;
}

/** The newest shortcut wins: a dialog's `j` before the list's behind it. */
function find(keys: string, typing: boolean): Shortcut | undefined {
  return registered.findLast((s) => s.keys === keys && (!typing || s.whileTyping));
}

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.altKey || event.isComposing || ["Shift", "Control", "Meta", "Alt"].includes(event.key)) return;
  const typing = isTyping(event.target);
  const key = nameOf(event);
  const inDialog = document.querySelector("dialog[open]") !== null;
  const sequence = pending && event.timeStamp - pending.at < SEQUENCE_MS && !typing ? `${pending.key} ${key}` : null;
  pending = null;
  const shortcut = (sequence && find(sequence, typing)) || find(key, typing);
  if (shortcut && (!inDialog || shortcut.keys.startsWith("mod+"))) {
    event.preventDefault();
    shortcut.run(event);
    return;
  }
  if (!typing && registered.some((s) => s.keys.startsWith(`${key} `))) pending = { key, at: event.timeStamp };
}

if (typeof window !== "undefined") window.addEventListener("keydown", onKey);

export function useShortcuts(shortcuts: readonly Shortcut[]): void {
  const latest = useRef(shortcuts);
  useEffect(() => {
    latest.current = shortcuts;
  });
  const shape = shortcuts.map((s) => `${s.keys}\n${s.label}\n${s.group}`).join("\0");
  useEffect(() => {
    const mine = latest.current.map((s, i): Shortcut => ({ ...s, run: (event) => latest.current[i]?.run(event) }));
    registered.push(...mine);
    changed();
    return () => {
      for (const s of mine) registered.splice(registered.indexOf(s), 1);
      changed();
    };
  }, [shape]);
}

export function useAllShortcuts(): readonly Shortcut[] {
  return useSyncExternalStore(
    (tell) => {
      watchers.add(tell);
      return () => watchers.delete(tell);
    },
    () => snapshot,
  );
}

/** How a shortcut is written on a key cap. */
export function keyCaps(keys: string): string[][] {
  return keys.split(" ").map((press) =>
    press.split("+").map((part) => {
      if (part === "mod") return isMac ? "⌘" : "Ctrl";
      const names: Record<string, string> = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", Enter: "↵", Escape: "Esc", shift: "⇧" };
      return names[part] ?? (part.length === 1 ? part.toUpperCase() : part);
    }),
  );
}
