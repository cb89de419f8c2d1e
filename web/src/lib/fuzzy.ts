/**
 * How well `query` matches `text` as a subsequence; null when it does not.
 * Starts of words and runs of letters count more, long texts a little less.
 */
export function fuzzy(query: string, text: string): number | null {
  const q = query.toLowerCase().replace(/\s+/g, "");
  const t = text.toLowerCase();
  if (q === "") return 0;
  const whole = t.indexOf(query.toLowerCase().trim());
  if (whole >= 0) return 1000 - whole - t.length * 0.1 + (whole === 0 || isEdge(t, whole) ? 100 : 0);
  let score = 0;
  let at = -1;
  for (const char of q) {
    const next = t.indexOf(char, at + 1);
    if (next < 0) return null;
    score += next === at + 1 ? 12 : isEdge(t, next) ? 10 : 1 - Math.min(next - at, 20) * 0.2;
    at = next;
  }
  return score - t.length * 0.1;
}

const isEdge = (text: string, at: number): boolean => at === 0 || /[\s/_.:@-]/.test(text[at - 1]!);
