import { nameFault } from "@/lib/names";
import { Field } from "./fields";

/** What something new is called: with this a form begins. */
export function NameField({
  name,
  onChange,
  placeholder,
  hint,
}: {
  name: string;
  onChange: (name: string) => void;
  placeholder: string;
  hint?: string;
}) {
  return (
    <Field label="Name" hint={hint} error={nameFault(name.trim())}>
      {(ids) => (
        <input
          {...ids}
          className="input"
          data-focus=""
          autoComplete="off"
          spellCheck={false}
          value={name}
          placeholder={placeholder}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}
