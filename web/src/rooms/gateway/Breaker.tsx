import { duration } from "@/lib/format";
import { Status, useTick } from "@/ui/kit";

/** `seenAt` is when the server said how long the breaker stays open: the rest is counted from there. */
export function Breaker({ state, waitMs, seenAt }: { state: string; waitMs?: number | null; seenAt?: number }) {
  if (state === "open") return <Open waitMs={waitMs} seenAt={seenAt} />;
  if (state === "half_open")
    return (
      <Status tone="warn" pulse>
        half open
      </Status>
    );
  return <Status tone={state === "closed" ? "ok" : "neutral"}>{state.replaceAll("_", " ")}</Status>;
}

function Open({ waitMs, seenAt }: { waitMs?: number | null; seenAt?: number }) {
  useTick(1_000);
  const left = waitMs == null || seenAt === undefined ? null : Math.max(0, waitMs - (Date.now() - seenAt));
  return (
    <Status tone="bad">
      open
      {left !== null && (
        <span className="num breaker-left">
          , {left < 1_000 ? "about to be tried" : `${duration(Math.ceil(left / 1_000) * 1_000).replace(/\.0+ s$/, " s")} left`}
        </span>
      )}
    </Status>
  );
}
