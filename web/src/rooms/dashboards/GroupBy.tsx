// By what the panels of a dashboard tell values apart: a field, or an attribute that is named.

import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { queries } from "@/api/queries";
import { Select } from "@/ui/fields";
import { ATTRIBUTE, attributeName, byAttribute, FIELDS, isAttribute } from "./panels";

export function GroupBy({ by, onChange }: { by: string; onChange: (by: string) => void }) {
  // Chosen, and not named yet.
  const [choosing, setChoosing] = useState(false);
  const own = choosing || isAttribute(by);
  return (
    <>
      <Select
        label="Group by"
        value={own ? ATTRIBUTE : by}
        choices={FIELDS}
        onChange={(chosen) => {
          setChoosing(chosen === ATTRIBUTE);
          if (chosen !== ATTRIBUTE) onChange(chosen);
        }}
      />
      {own && (
        <Attribute
          name={attributeName(by)}
          focus={choosing}
          onChange={(name) => {
            setChoosing(false);
            onChange(byAttribute(name));
          }}
        />
      )}
    </>
  );
}

function Attribute({ name, focus, onChange }: { name: string; focus: boolean; onChange: (name: string) => void }) {
  const list = useId();
  const [typing, setTyping] = useState(focus);
  // It is read from the newest spans: only for whoever is about to type.
  const seen = useQuery({ ...queries.conventions(), enabled: typing });
  return (
    <label className="select">
      <span className="select-label">Attribute</span>
      <input
        key={name}
        className="input dashboard-attribute"
        defaultValue={name}
        list={list}
        autoFocus={focus}
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
        onFocus={() => setTyping(true)}
        onBlur={(event) => event.target.value.trim() !== name && onChange(event.target.value.trim())}
        onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
      />
      <datalist id={list}>
        {seen.data?.attributes.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
    </label>
  );
}
