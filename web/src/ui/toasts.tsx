import { useSyncExternalStore } from "react";
import { Icon } from "./icons";

type Tone = "ok" | "warn" | "bad";
interface Toast {
  id: number;
  text: string;
  tone: Tone;
}

let toasts: readonly Toast[] = [];
let last = 0;
const watchers = new Set<() => void>();

function set(next: readonly Toast[]): void {
  toasts = next;
  watchers.forEach((tell) => tell());
}

const dismiss = (id: number) => set(toasts.filter((t) => t.id !== id));

export function toast(text: string, tone: Tone = "ok"): void {
  const id = ++last;
  set([...toasts.slice(-2), { id, text, tone }]);
  setTimeout(() => dismiss(id), tone === "ok" ? 3000 : 8000);
}

export function Toasts() {
  const shown = useSyncExternalStore(
    (tell) => {
      watchers.add(tell);
      return () => watchers.delete(tell);
    },
    () => toasts,
  );
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((t) => (
        <div key={t.id} className={`toast tone-${t.tone}`}>
          <Icon name={t.tone === "ok" ? "check" : "warn"} size={14} />
          <span>{t.text}</span>
          <button type="button" aria-label="Dismiss" onClick={() => dismiss(t.id)}>
            <Icon name="close" size={12} />
          </button>
        </div>
      ))}
    </div>
  );
}
