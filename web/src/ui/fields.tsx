// What people fill in and choose from.

import { useEffect, useId, useState, type ReactNode, type RefObject, type SelectHTMLAttributes } from "react";
import { count } from "@/lib/format";
import { Icon } from "./icons";
import { cx, Keys } from "./kit";

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

/** Waits until typing pauses. */
export function useDebounced<V>(value: V, ms = 250): V {
  const [settled, set] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => set(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}
