// Answers are Markdown from a model that has read strangers' documents: tokens become React elements, HTML stays text,
// pictures are not fetched, and links open only over http(s), or inside the page.

import { lexer, type Token, type Tokens } from "marked";
import { memo, type ReactNode } from "react";
import { findSentences, splitCitations } from "@/lib/citations";

/** Something to show about a sentence of the answer. */
export interface SentenceMark {
  text: string;
  kind: "unsupported" | "attributed";
  source?: number;
}

interface Props {
  text: string;
  marks?: readonly SentenceMark[];
  /** Draws a citation; null leaves it as text. */
  cite?: (numbers: number[], origin: "cited" | "attributed", key: string) => ReactNode;
  /** Lines end where they were ended, as in what may be no Markdown. */
  breaks?: boolean;
}

export const Markdown = memo(function Markdown({ text, marks = [], cite, breaks = false }: Props) {
  const context: Context = { marks, cite };
  const tokens = read(text, breaks);
  return tokens ? <div className="md">{blocks(tokens, context)}</div> : <div className="md as-written">{text}</div>;
});

/** Nothing where it cannot be read: quotes within quotes without end, say. */
function read(text: string, breaks: boolean): Token[] | null {
  if (/(?:>[ \t]*){32}/.test(text)) return null;
  try {
    return lexer(text, { gfm: true, breaks });
  } catch {
    return null;
  }
}

interface Context {
  marks: readonly SentenceMark[];
  cite?: Props["cite"];
}

function blocks(tokens: readonly Token[], context: Context): ReactNode[] {
  return tokens.map((token, i) => <Block key={i} token={token} context={context} />);
}

function Block({ token, context }: { token: Token; context: Context }): ReactNode {
  switch (token.type) {
    case "heading": {
      const Tag = `h${Math.min(6, (token as Tokens.Heading).depth + 2)}` as "h3";
      return <Tag>{line((token as Tokens.Heading).tokens, context)}</Tag>;
    }
    case "paragraph":
      return <p>{line((token as Tokens.Paragraph).tokens, context)}</p>;
    case "text":
      return <>{line((token as Tokens.Text).tokens ?? [token], context)}</>;
    case "list": {
      const list = token as Tokens.List;
      const items = list.items.map((item, i) => (
        <li key={i}>
          {blocks(
            item.tokens.filter((t) => t.type !== "checkbox"),
            context,
          )}
        </li>
      ));
      return list.ordered ? <ol start={typeof list.start === "number" ? list.start : undefined}>{items}</ol> : <ul>{items}</ul>;
    }
    case "code":
      return (
        <pre tabIndex={0}>
          <code>{(token as Tokens.Code).text}</code>
        </pre>
      );
    case "blockquote":
      return <blockquote>{blocks((token as Tokens.Blockquote).tokens, context)}</blockquote>;
    case "table":
      return <Table table={token as Tokens.Table} context={context} />;
    case "hr":
      return <hr />;
    case "space":
    case "def":
      return null;
    default:
      return <p>{token.raw}</p>;
  }
}

function Table({ table, context }: { table: Tokens.Table; context: Context }) {
  const cells = (row: Tokens.TableCell[], Tag: "td" | "th") =>
    row.map((cell, i) => (
      <Tag key={i} className={cell.align === "right" ? "end" : undefined}>
        {line(cell.tokens, context)}
      </Tag>
    ));
  return (
    <div className="md-table" tabIndex={0}>
      <table>
        <thead>
          <tr>{cells(table.header, "th")}</tr>
        </thead>
        <tbody>
          {table.rows.map((row, i) => (
            <tr key={i}>{cells(row, "td")}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** One line of running text: sentences are found in its words as shown, then drawn leaf by leaf. */
function line(tokens: readonly Token[], context: Context): ReactNode[] {
  const shown = words(tokens);
  const found = findSentences(
    shown,
    context.marks.map((m) => m.text),
  ).map((r) => ({ ...r, mark: context.marks[r.sentence]! }));
  return new Line(context, found).inline(tokens);
}

const decode = (text: string): string =>
  text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => ({ amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" })[name]!);

function words(tokens: readonly Token[]): string {
  return tokens.map((t) => ("tokens" in t && t.tokens && t.type !== "codespan" ? words(t.tokens) : leafText(t))).join("");
}

function leafText(token: Token): string {
  if (token.type === "br") return "\n";
  if (token.type === "image") return (token as Tokens.Image).text;
  if (token.type === "text" || token.type === "codespan" || token.type === "escape") return decode((token as Tokens.Text).text);
  return token.raw;
}

type Found = { start: number; end: number; mark: SentenceMark };

class Line {
  #at = 0;
  #key = 0;
  readonly #context: Context;
  readonly #found: readonly Found[];

  constructor(context: Context, found: readonly Found[]) {
    this.#context = context;
    this.#found = found;
  }

  inline(tokens: readonly Token[]): ReactNode[] {
    return tokens.flatMap((token): ReactNode[] => {
      const key = String(this.#key++);
      switch (token.type) {
        case "strong":
          return [<strong key={key}>{this.inline((token as Tokens.Strong).tokens)}</strong>];
        case "em":
          return [<em key={key}>{this.inline((token as Tokens.Em).tokens)}</em>];
        case "del":
          return [<del key={key}>{this.inline((token as Tokens.Del).tokens)}</del>];
        case "link":
          return [this.#link(token as Tokens.Link, key)];
        case "br":
          this.#at += 1;
          return [<br key={key} />];
        case "codespan":
          return this.#leaf(leafText(token), (text, k) => <code key={k}>{text}</code>, false);
        case "text":
          if ((token as Tokens.Text).tokens) return this.inline((token as Tokens.Text).tokens!);
          return this.#leaf(leafText(token), (text) => text, true);
        default:
          return this.#leaf(leafText(token), (text) => text, true);
      }
    });
  }

  #link(token: Tokens.Link, key: string): ReactNode {
    const inner = this.inline(token.tokens);
    const href = safeHref(token.href);
    if (!href) return <span key={key}>{inner}</span>;
    return (
      <a key={key} href={href} target="_blank" rel="noopener noreferrer nofollow">
        {inner}
      </a>
    );
  }

  /** Cuts a leaf where marked sentences begin and end. */
  #leaf(text: string, draw: (text: string, key: string) => ReactNode, cites: boolean): ReactNode[] {
    const from = this.#at;
    const to = from + text.length;
    this.#at = to;
    const cuts = new Set([from, to]);
    for (const { start, end } of this.#found) {
      if (start > from && start < to) cuts.add(start);
      if (end > from && end < to) cuts.add(end);
    }
    const edges = [...cuts].sort((a, b) => a - b);
    const drawn: ReactNode[] = [];
    for (let i = 0; i + 1 < edges.length; i++) {
      const [a, b] = [edges[i]!, edges[i + 1]!];
      const piece = text.slice(a - from, b - from);
      const inner = cites ? this.#cited(piece, draw) : [draw(piece, String(this.#key++))];
      const unsupported = this.#found.some((f) => f.mark.kind === "unsupported" && f.start < b && f.end > a);
      if (unsupported) {
        drawn.push(
          <mark key={`u${this.#key++}`} className="unsupported" title="No source supports this sentence">
            {inner}
          </mark>,
        );
      } else drawn.push(...inner);
      for (const f of this.#found) {
        if (f.mark.kind === "attributed" && f.end === b && f.mark.source !== undefined) {
          drawn.push(this.#context.cite?.([f.mark.source], "attributed", `a${this.#key++}`));
        }
      }
    }
    return drawn;
  }

  #cited(text: string, draw: (text: string, key: string) => ReactNode): ReactNode[] {
    const { cite } = this.#context;
    if (!cite) return [draw(text, String(this.#key++))];
    return splitCitations(text).map((piece, i, all) => {
      const key = `c${this.#key++}`;
      if (piece.kind === "cite") return cite(piece.numbers, "cited", key) || draw(piece.text, key);
      // A citation stays on the line of the words before it.
      return draw(all[i + 1]?.kind === "cite" ? piece.text.trimEnd() : piece.text, key);
    });
  }
}

export function safeHref(href: string): string | null {
  const trimmed = href.trim();
  return /^https?:\/\//i.test(trimmed) || /^mailto:/i.test(trimmed) ? trimmed : null;
}
