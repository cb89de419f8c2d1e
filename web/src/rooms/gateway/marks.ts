// Where each number of a call's tokens comes from.

import type { Call } from "@/api/types";
import { count } from "@/lib/format";

/** What was read and written, and a line for each part of it. */
export function marks(usage: Call["usage"]): string {
  const parts = [
    ["cached", usage.cache_read_tokens, usage.cache_read_from],
    ["written to the cache", usage.cache_write_tokens, usage.cache_write_from],
    ["sound in", usage.input_audio_tokens, usage.input_audio_from],
    ["images in", usage.input_image_tokens, usage.input_image_from],
    ["reasoning", usage.reasoning_tokens, usage.reasoning_from],
    ["sound out", usage.output_audio_tokens, usage.output_audio_from],
    ["images out", usage.output_image_tokens, usage.output_image_from],
  ] as const;
  const lines = parts.flatMap(([what, tokens, from]) => (from ? [`of which ${what}: ${count(tokens)}, ${from}`] : []));
  return [`In → out; ${usage.input_from}, ${usage.output_from}`, ...lines].join("\n");
}
