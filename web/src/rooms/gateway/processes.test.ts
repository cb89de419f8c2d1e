import { describe, expect, it } from "vitest";
import { othersSaid } from "./processes";

describe("other processes", () => {
  it("are named where there are any", () => {
    expect(othersSaid([], "breakers")).toBeNull();
    expect(othersSaid([{ here: true }], "breakers")).toBeNull();
    expect(othersSaid([{ here: true }, { here: false }], "breakers")).toMatch(/^1 more process serves calls: breakers here/);
    expect(othersSaid([{ here: false }, { here: true }, { here: false }], "live calls")).toMatch(/^2 more processes serve calls: live calls here/);
  });
});
