/** A chunk's text for a list: its own heading is said beside it already, and markup is noise there. */
export function preview(text: string, headingPath: readonly string[]): string {
  let rest = text.trimStart();
  for (;;) {
    const line = /^(#{1,6}\s+)?([^\n]*)\n/.exec(rest);
    if (!line || !headingPath.includes(line[2]!.trim())) break;
    rest = rest.slice(line[0].length).trimStart();
  }
  return rest === "" ? text.trim() : rest;
}
