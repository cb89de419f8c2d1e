// What is said above a text that is not, or may not be, what its document says now.

import { Link } from "react-router";
import { ApiError } from "@/api/client";
import { Icon } from "@/ui/icons";

/** Whether the text a passage was cut from is not kept any more. */
export const isTextGone = (error: unknown): boolean => error instanceof ApiError && error.problem.code === "knowledge-text-gone";

export function AsItWas({ gone = false, now }: { gone?: boolean; /** The document's page without the passage. */ now: string }) {
  return (
    <p className="as-it-was" role="note">
      <Icon name="info" size={14} />
      <span>
        {gone
          ? "The text this passage was cut from is no longer kept."
          : "The document has changed since. This is its text as it was when the passage was found."}{" "}
        <Link className="text-link" to={now}>
          Show it as it is now
        </Link>
      </span>
    </p>
  );
}
