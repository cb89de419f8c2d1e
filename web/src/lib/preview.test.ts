import { expect, it } from "vitest";
import { preview } from "./preview";

it("leaves out headings that the path says already", () => {
  expect(preview("# The lake\n\n## Durability\n\nEvery commit.", ["The lake", "Durability"])).toBe("Every commit.");
  expect(preview("Durability\nEvery commit.", ["Durability"])).toBe("Every commit.");
});

it("keeps everything else, and a heading that is all there is", () => {
  expect(preview("# Other\ntext", ["The lake"])).toBe("# Other\ntext");
  expect(preview("# The lake\n", ["The lake"])).toBe("# The lake");
});
