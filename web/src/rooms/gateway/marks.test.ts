import { describe, expect, it } from "vitest";
import type { Call } from "@/api/types";
import { marks } from "./marks";

const usage: Call["usage"] = {
  input_tokens: 4_120,
  output_tokens: 60,
  cache_read_tokens: 4_034,
  cache_write_tokens: 0,
  input_audio_tokens: 0,
  input_image_tokens: 0,
  reasoning_tokens: 24,
  output_audio_tokens: 0,
  output_image_tokens: 0,
  input_from: "estimated",
  output_from: "reported",
};

describe("the marks of a call's tokens", () => {
  it("are told of both wholes", () => {
    expect(marks(usage)).toBe("In → out; estimated, reported");
  });

  it("are told of each part there is, which may be surer than its whole", () => {
    const told = marks({ ...usage, cache_read_from: "reported", reasoning_from: "counted" });
    expect(told.split("\n")).toEqual(["In → out; estimated, reported", "of which cached: 4,034, reported", "of which reasoning: 24, counted"]);
  });
});
