import { duration } from "@/lib/format";
import { Status, useTick } from "@/ui/kit";

/** `seenAt` is when the server said how long the breaker stays open: the rest is counted from there. */
export function Breaker({ state, waitMs, seenAt }: { state: string; waitMs?: number | null; seenAt?: number }) {
  if (state === "open") return <Open waitMs={waitMs} seenAt={seenAt} />;
  if (state === "half_open")
    return (
      <span title="It was left alone long enough: the next call is let through to see whether it is well">
        <Status tone="warn" pulse>
          half open
          {seenAt !== undefined && <span className="large-only">, next call tries it</span>}
        </Status>
      </span>
    );
  return <Status tone={state === "closed" ? "ok" : "neutral"}>{state.replaceAll("_", " ")}</Status>;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function Open({ waitMs, seenAt }: { waitMs?: number | null; seenAt?: number }) {
  useTick(1_000);
  const until = waitMs == null || seenAt === undefined ? null : seenAt + waitMs;
  const left = until === null ? null : Math.max(0, until - Date.now());
  return (
    <span title={until === null ? undefined : `It failed too often and is left alone; tried again at ${clock.format(new Date(until))}`}>
      <Status tone="bad">
        open
        {left !== null && (
          <span className="num breaker-left">
            , {left < 1_000 ? "about to be tried" : `${duration(Math.ceil(left / 1_000) * 1_000).replace(/\.0+ s$/, " s")} left`}
          </span>
        )}
      </Status>
    </span>
  );
}
