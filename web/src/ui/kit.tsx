// The small parts every room is made of.

import {
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
  type ButtonHTMLAttributes,
  type ReactNode,
  type RefObject,
  type SelectHTMLAttributes,
} from "react";
import { Link, type LinkProps } from "react-router";
import { ApiError } from "@/api/client";
import { keyCaps } from "@/lib/keys";
import { ago, capital, count, digest as shortDigest, fullTime } from "@/lib/format";
import { Icon, type IconName } from "./icons";
import { toast } from "./toasts";

export const cx = (...names: (string | false | null | undefined)[]): string => names.filter(Boolean).join(" ");

interface ButtonLook {
  look?: "primary" | "plain" | "ghost" | "danger";
  size?: "sm" | "md";
  icon?: IconName;
}

export function Button({
  look = "plain",
  size = "md",
  icon,
  busy,
  children,
  className,
  ...rest
}: ButtonLook & { busy?: boolean } & ButtonHTMLAttributes<HTMLButtonElement>) {
  return (
    <button
      type="button"
      {...rest}
      disabled={rest.disabled || busy}
      aria-busy={busy || undefined}
      className={cx("btn", `btn-${look}`, `btn-${size}`, !children && "btn-icon", className)}
    >
      {busy ? <Spinner /> : icon && <Icon name={icon} size={size === "sm" ? 14 : 16} />}
      {children}
    </button>
  );
}

export function LinkButton({ look = "plain", size = "md", icon, children, className, ...rest }: ButtonLook & LinkProps) {
  return (
    <Link {...rest} className={cx("btn", `btn-${look}`, `btn-${size}`, className)}>
      {icon && <Icon name={icon} size={size === "sm" ? 14 : 16} />}
      {children}
    </Link>
  );
}

/** A button that is only a picture needs words for those who cannot see it. */
export function IconButton({
  icon,
  label,
  size = "md",
  look = "ghost",
  className,
  ...rest
}: { icon: IconName; label: string } & Omit<ButtonLook, "icon"> & ButtonHTMLAttributes<HTMLButtonElement>) {
  return (
    <button type="button" title={label} aria-label={label} {...rest} className={cx("btn btn-icon", `btn-${look}`, `btn-${size}`, className)}>
      <Icon name={icon} size={size === "sm" ? 14 : 16} />
    </button>
  );
}

export const Spinner = () => <span className="spinner" aria-hidden="true" />;

export function Keys({ keys }: { keys: string }) {
  return (
    <span className="keys" aria-hidden="true">
      {keyCaps(keys).map((press, i) => (
        <span key={i} className="keys-press">
          {press.map((cap) => (
            <kbd key={cap}>{cap}</kbd>
          ))}
        </span>
      ))}
    </span>
  );
}

export type Tone = "neutral" | "accent" | "ok" | "warn" | "bad";

export function Badge({ tone = "neutral", dot, children, title }: { tone?: Tone; dot?: boolean; children: ReactNode; title?: string }) {
  return (
    <span className={cx("badge", `tone-${tone}`)} title={title}>
      {dot && <span className="dot" />}
      {children}
    </span>
  );
}

/** A coloured point always comes with words. */
export function Status({ tone, children, pulse }: { tone: Tone; children: ReactNode; pulse?: boolean }) {
  return (
    <span className={cx("status", `tone-${tone}`)}>
      <span className={cx("dot", pulse && "pulse")} />
      <span>{children}</span>
    </span>
  );
}

export const runTone = (status: string): Tone =>
  status === "succeeded" || status === "ok" || status === "ready"
    ? "ok"
    : status === "failed" || status === "error" || status === "down"
      ? "bad"
      : status === "running"
        ? "accent"
        : status === "degraded"
          ? "warn"
          : "neutral";

export function Time({ at }: { at: string | null | undefined }) {
  useTick(30_000);
  if (!at) return <span className="muted">never</span>;
  return (
    <time dateTime={at} title={fullTime(at)}>
      {ago(at)}
    </time>
  );
}

/** Draws again now and then, so that “2m ago” stays true. */
export function useTick(everyMs: number): void {
  const [, set] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => set((n) => n + 1), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
}

export function Digest({ value, length = 10 }: { value: string | null | undefined; length?: number }) {
  if (!value) return <span className="muted">–</span>;
  return (
    <Copyable text={value} label="digest">
      {shortDigest(value, length)}
    </Copyable>
  );
}

export function Copyable({ text, label, children }: { text: string; label: string; children?: ReactNode }) {
  return (
    <button
      type="button"
      className="copyable mono"
      title={`Copy ${label}: ${text}`}
      onClick={(event) => {
        event.stopPropagation();
        event.preventDefault();
        void copy(text, label);
      }}
    >
      {children ?? text}
      <Icon name="copy" size={12} />
    </button>
  );
}

export async function copy(text: string, label: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(`Copied ${label}`);
  } catch {
    toast(`The browser does not allow copying; select the ${label} instead`, "warn");
  }
}

// ── Page furniture ──────────────────────────────────────────────────────────

export interface Crumb {
  label: string;
  to?: string;
}

export function PageHeader({
  crumbs,
  title,
  lead,
  actions,
  children,
}: {
  crumbs?: Crumb[];
  title: ReactNode;
  lead?: ReactNode;
  actions?: ReactNode;
  children?: ReactNode;
}) {
  return (
    <header className="page-header">
      {crumbs && (
        <nav className="crumbs" aria-label="Breadcrumb">
          <ol>
            {crumbs.map((crumb) => (
              <li key={crumb.label}>{crumb.to ? <Link to={crumb.to}>{crumb.label}</Link> : <span>{crumb.label}</span>}</li>
            ))}
          </ol>
        </nav>
      )}
      <div className="page-title-row">
        <div className="page-title">
          <h1 tabIndex={-1}>{title}</h1>
          {lead && <div className="page-lead">{lead}</div>}
        </div>
        {actions && <div className="page-actions">{actions}</div>}
      </div>
      {children}
    </header>
  );
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title ? `${title} · Mainspring` : "Mainspring";
  }, [title]);
}

export function Card({
  title,
  actions,
  children,
  className,
  flush,
}: {
  title?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  className?: string;
  flush?: boolean;
}) {
  const id = useId();
  return (
    <section className={cx("card", className)} aria-labelledby={title ? id : undefined}>
      {title && (
        <div className="card-head">
          <h2 id={id}>{title}</h2>
          {actions}
        </div>
      )}
      <div className={flush ? "card-flush" : "card-body"}>{children}</div>
    </section>
  );
}

export function Empty({ icon = "info", title, children, action }: { icon?: IconName; title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="empty">
      <div className="empty-icon">
        <Icon name={icon} size={20} />
      </div>
      <p className="empty-title">{title}</p>
      {children && <div className="empty-text">{children}</div>}
      {action && <div className="empty-action">{action}</div>}
    </div>
  );
}

export function Skeleton({ rows = 6, height = 34 }: { rows?: number; height?: number }) {
  return (
    <div className="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} style={{ height }}>
          <span style={{ width: `${30 + ((i * 37) % 45)}%` }} />
          <span style={{ width: "8%" }} />
        </div>
      ))}
    </div>
  );
}

/** The server writes names and commands between backticks. */
export const inCode = (text: string): ReactNode => text.split(/`([^`]+)`/).map((part, i) => (i % 2 === 1 ? <code key={i}>{part}</code> : part));

export function ErrorNote({ error, retry, compact }: { error: unknown; retry?: () => void; compact?: boolean }) {
  const problem = error instanceof ApiError ? error.problem : null;
  const title = problem?.detail || problem?.title || (error instanceof Error ? error.message : "Something went wrong");
  return (
    <div className={cx("error-note", compact && "compact")} role="alert">
      <Icon name="error" />
      <div className="error-note-body">
        <p className="error-note-title">{inCode(capital(title))}</p>
        {problem?.hint && <p className="error-note-hint">{inCode(problem.hint)}</p>}
        {problem && (
          <p className="error-note-meta">
            <code>{problem.code}</code>
            {problem.request_id && (
              <>
                {" "}
                request <Copyable text={problem.request_id} label="request id" />
              </>
            )}
          </p>
        )}
      </div>
      {retry && (
        <Button size="sm" icon="refresh" onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}

interface Loadable<D> {
  data: D | undefined;
  error: unknown;
  isPending: boolean;
  refetch: () => unknown;
}

/** Loading, failed or there; old data stays on the screen while new data fails to come. */
export function Loaded<D>({ query, children, skeleton }: { query: Loadable<D>; children: (data: D) => ReactNode; skeleton?: ReactNode }) {
  if (query.data !== undefined) {
    return (
      <>
        {query.error ? <ErrorNote compact error={query.error} retry={() => void query.refetch()} /> : null}
        {children(query.data)}
      </>
    );
  }
  if (query.error) return <ErrorNote error={query.error} retry={() => void query.refetch()} />;
  return <>{skeleton ?? <Skeleton />}</>;
}

export function Facts({ items, className }: { items: [label: string, value: ReactNode][]; className?: string }) {
  return (
    <dl className={cx("facts", className)}>
      {items.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Meter({ value, label, tone = "accent" }: { value: number | null; label: string; tone?: Tone }) {
  const share = value === null ? null : Math.min(1, Math.max(0, value));
  return (
    <div
      className={cx("meter", `tone-${tone}`, share === null && "meter-unknown")}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={share === null ? undefined : Math.round(share * 100)}
    >
      <span style={share === null ? undefined : { width: `${share * 100}%` }} />
    </div>
  );
}

// ── Fields ──────────────────────────────────────────────────────────────────

export function SearchField({
  value,
  onChange,
  label,
  inputRef,
  placeholder,
  shortcut,
  onEnter,
}: {
  value: string;
  onChange: (value: string) => void;
  label: string;
  inputRef?: RefObject<HTMLInputElement | null>;
  placeholder?: string;
  shortcut?: string;
  /** Goes to what is found, with Shift the other way. */
  onEnter?: (back: boolean) => void;
}) {
  return (
    <label className="search-field">
      <Icon name="search" size={14} />
      <span className="sr-only">{label}</span>
      <input
        ref={inputRef}
        type="search"
        value={value}
        placeholder={placeholder ?? label}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") {
            if (value) onChange("");
            event.currentTarget.blur();
          } else if (event.key === "Enter" && onEnter && !event.nativeEvent.isComposing) {
            event.preventDefault();
            onEnter(event.shiftKey);
          }
        }}
      />
      {shortcut && !value && <Keys keys={shortcut} />}
    </label>
  );
}

export interface Choice<V extends string> {
  value: V;
  label: string;
  count?: number | null;
}

export function Segmented<V extends string>({
  value,
  onChange,
  choices,
  label,
}: {
  value: V;
  onChange: (value: V) => void;
  choices: readonly Choice<V>[];
  label: string;
}) {
  const name = useId();
  return (
    <fieldset className="segmented">
      <legend className="sr-only">{label}</legend>
      {choices.map((choice) => (
        <label key={choice.value} className={cx(choice.value === value && "on")}>
          <input type="radio" name={name} value={choice.value} checked={choice.value === value} onChange={() => onChange(choice.value)} />
          {choice.label}
          {choice.count != null && <span className="segmented-count">{count(choice.count)}</span>}
        </label>
      ))}
    </fieldset>
  );
}

export function Select<V extends string>({
  value,
  onChange,
  choices,
  label,
  hideLabel,
}: {
  value: V;
  onChange: (value: V) => void;
  choices: readonly Choice<V>[];
  label: string;
  hideLabel?: boolean;
}) {
  return (
    <label className="select">
      <span className={hideLabel ? "sr-only" : "select-label"}>{label}</span>
      <select value={value} onChange={(event) => onChange(event.target.value as V)}>
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.label}
          </option>
        ))}
      </select>
      <Icon name="down" size={12} />
    </label>
  );
}

/** A select of a form: `Field` gives it its label. */
export function Choose({ className, children, ...rest }: SelectHTMLAttributes<HTMLSelectElement>) {
  return (
    <span className={cx("select choose", className)}>
      <select {...rest} className="input">
        {children}
      </select>
      <Icon name="down" size={12} />
    </span>
  );
}

export function Field({
  label,
  hint,
  error,
  children,
}: {
  label: string;
  hint?: ReactNode;
  error?: string | null;
  children: (ids: { id: string; "aria-describedby"?: string; "aria-invalid"?: true }) => ReactNode;
}) {
  const id = useId();
  const about = error || hint ? `${id}-about` : undefined;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, "aria-describedby": about, "aria-invalid": error ? true : undefined })}
      {(error || hint) && (
        <p id={about} className={error ? "field-error" : "field-hint"}>
          {error || hint}
        </p>
      )}
    </div>
  );
}

export function Toggle({ checked, onChange, children }: { checked: boolean; onChange: (on: boolean) => void; children: ReactNode }) {
  return (
    <label className="toggle">
      <input type="checkbox" role="switch" checked={checked} onChange={(event) => onChange(event.target.checked)} />
      <span className="toggle-track" />
      {children}
    </label>
  );
}

// ── Dialogs: the browser's own, with its focus trap ─────────────────────────

export function Dialog({
  open,
  onClose,
  title,
  children,
  footer,
  wide,
  bare,
}: {
  open: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode;
  footer?: ReactNode;
  wide?: boolean;
  bare?: boolean;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (!dialog || !open) return;
    dialog.showModal();
    // The browser would choose the first button, which closes; a form begins at its first field.
    const chosen = dialog.querySelector<HTMLElement>("[data-focus]");
    (chosen ?? dialog.querySelector<HTMLElement>(".dialog-body :is(input:not([type=radio]), select, textarea)"))?.focus();
    // Closing gives the focus back to where it was, also when the whole dialog goes away.
    return () => dialog.close();
  }, [open]);
  return (
    <dialog
      ref={ref}
      className={cx("dialog", wide && "wide", bare && "bare")}
      aria-labelledby={bare ? undefined : id}
      aria-label={bare ? title : undefined}
      // In development React mounts twice: the event of the first closing comes when it is open again.
      onClose={() => !ref.current?.open && onClose()}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => {
        if (event.target === event.currentTarget) onClose();
      }}
    >
      {open &&
        (bare ? (
          children
        ) : (
          <div className="dialog-inner">
            <div className="dialog-head">
              <h2 id={id}>{title}</h2>
              <IconButton icon="close" label="Close" size="sm" onClick={onClose} />
            </div>
            <div className="dialog-body">{children}</div>
            {footer && <div className="dialog-foot">{footer}</div>}
          </div>
        ))}
    </dialog>
  );
}

// ── Tabs that are links ─────────────────────────────────────────────────────

export interface Tab {
  to: string;
  label: string;
  count?: ReactNode;
  active: boolean;
}

export function Tabs({ tabs, label }: { tabs: Tab[]; label: string }) {
  return (
    <nav className="tabs" aria-label={label}>
      {tabs.map((tab) => (
        <Link key={tab.to} to={tab.to} className={cx("tab", tab.active && "on")} aria-current={tab.active ? "page" : undefined}>
          {tab.label}
          {tab.count != null && <span className="tab-count">{tab.count}</span>}
        </Link>
      ))}
    </nav>
  );
}

/** Waits until typing pauses. */
export function useDebounced<V>(value: V, ms = 250): V {
  const [settled, set] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => set(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}
