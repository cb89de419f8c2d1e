import { Link } from "react-router";
import type { Unread } from "@/api/types";
import { count } from "@/lib/format";
import { Icon } from "./icons";

const HOW: Record<string, string> = {
  not_begun: "have not been read yet",
  under_way: "are still being read",
  broken_off: "were not read to the end",
};

/** What is not read, and how that is said of it. */
function told(state: string, sources: string[]): [what: string, how: string | undefined] {
  if (state !== "source_unread") return ["The documents", HOW[state]];
  if (sources.length === 1) return [`The source ${sources[0]}`, "has not been read since it was added or changed"];
  const which = sources.length === 0 ? "Sources" : `The sources ${sources.join(", ")}`;
  return [which, "have not been read since they were added or changed"];
}

/** What is found in documents that were not all read says less than it seems to. */
export function UnreadNote({ unread: { knowledge, state, sources = [], documents, code } }: { unread: Unread }) {
  const [what, how] = told(state, sources);
  return (
    <p className="unread-note">
      <Icon name="warn" size={14} />
      <span>
        {what} of <Link to={`/knowledge/${encodeURIComponent(knowledge)}`}>{knowledge}</Link> {how}
        {documents && `, ${count(documents.read)} of ${count(documents.found)} so far`}
        {code && ` (${code})`}.
      </span>
    </p>
  );
}
