/** What the server takes as a name of an asset, an alias or a key. */
export const isName = (text: string): boolean => /^[a-z0-9][a-z0-9._-]{0,62}$/.test(text);

/** Said beside a field whose text is no name; null while it is one, or nothing yet. */
export const nameFault = (text: string): string | null =>
  text === "" || isName(text) ? null : "Up to 63 lower-case letters, digits, “-”, “_” and “.”, starting with a letter or digit";

/** Who did something, where that is a name; an opaque id says nothing to a reader. */
export const person = (who: string | null | undefined): string | null => (who && !/^(usr|key)_[0-9a-f]{16,}$/.test(who) ? who : null);
