// What a score says, as people write and read it.

/** As a number, yes or no, where it looks like one and is no category. */
export function scoreValue(text: string, kind?: string): number | boolean | string {
  const said = text.trim();
  if (kind === "categorical" || kind === "text") return said;
  if (said === "true" || said === "false") return said === "true";
  return said !== "" && Number.isFinite(Number(said)) ? Number(said) : said;
}

export function shownScore(value: unknown): string {
  if (value === true) return "yes";
  if (value === false) return "no";
  return typeof value === "number" ? String(Number(value.toPrecision(4))) : String(value);
}
