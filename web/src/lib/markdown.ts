/** Looked at of a long text: whoever writes Markdown does so soon. */
const LOOKED_AT = 4_000;
const SIGNS = /^#{1,6} \S|^ *```|\*\*\S|^ *(?:[-*+]|\d+[.)]) \S|^ *\|.*\||`[^`\n]{1,200}`|\[[^\]\n]{1,200}\]\(/m;

/** Whether a text is written in Markdown, as far as its signs say. */
export const isMarkdown = (text: string): boolean => SIGNS.test(text.slice(0, LOOKED_AT));
