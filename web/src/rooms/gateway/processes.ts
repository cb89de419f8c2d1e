// What is said of processes that the page does not see into.

import type { Process } from "@/api/types";
import { plural } from "@/lib/format";

/** Nothing where this process is the only one. */
export function othersSaid(processes: readonly Pick<Process, "here">[], what: string): string | null {
  const others = processes.filter((process) => !process.here).length;
  if (others === 0) return null;
  return `${plural(others, "more process", "more processes")} ${others === 1 ? "serves" : "serve"} calls: ${what} here are of the one that shows this page. Calls that have ended, usage and limits are of all.`;
}
