// What was spent, where not everything has a price.

import { money } from "@/lib/format";

/** How something gets a price, for whoever points at it. */
export const PRICING =
  "Nobody has a price for this model. Put it into a prices asset named default: models: [{ model: …, input: …, output: … }], in dollars for a million tokens.";

export function Unpriced() {
  return (
    <span className="warn unpriced" title={PRICING}>
      unpriced
    </span>
  );
}

/** Nothing spent is not the same as free: what has no price is named beside what has one. */
export function Spend({ cost, unpriced }: { cost: string | number | undefined; unpriced: boolean }) {
  const none = cost === undefined || Number(cost) === 0;
  if (unpriced)
    return none ? (
      <Unpriced />
    ) : (
      <>
        {money(cost)}{" "}
        <span className="spend-more">
          + <Unpriced />
        </span>
      </>
    );
  return none ? <span className="muted">$0</span> : <>{money(cost)}</>;
}
