/** A passage's text as the model saw it: under the names of its columns, where it goes on with a table. */
export function shown(passage: { text: string; table_head?: string | null }): string {
  return passage.table_head ? `${passage.table_head}\n${passage.text}` : passage.text;
}

/** A chunk's text for a list: its own heading is said beside it already, and markup is noise there. */
export function preview(text: string, headingPath: readonly string[]): string {
  let rest = text.trimStart();
  for (;;) {
    const line = /^(#{1,6}\s+)?([^\n]*)\n/.exec(rest);
    if (!line || !headingPath.includes(line[2]!.trim())) break;
    rest = rest.slice(line[0].length).trimStart();
  }
  return (rest === "" ? text.trim() : rest)
    .replace(/^[ \t]*(```|~~~).*\n?/gm, "")
    .replace(/`([^`\n]+)`/g, "$1")
    .replace(/^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(\|[ \t]*:?-{2,}:?[ \t]*)*\|?[ \t]*\n?/gm, "")
    .replace(/^[ \t]*\|(.*)\|[ \t]*$/gm, (_, cells: string) =>
      cells
        .split("|")
        .map((c) => c.trim())
        .filter(Boolean)
        .join(" · "),
    );
}
