import { expect, it } from "vitest";
import { preview, shown } from "./preview";

it("leaves out headings that the path says already", () => {
  expect(preview("# The lake\n\n## Durability\n\nEvery commit.", ["The lake", "Durability"])).toBe("Every commit.");
  expect(preview("Durability\nEvery commit.", ["Durability"])).toBe("Every commit.");
});

it("shows a table's cells without its rules", () => {
  expect(preview("| Word | Meaning |\n|---|:--|\n| Alias | a name |\n\nAfter.", [])).toBe("Word · Meaning\nAlias · a name\n\nAfter.");
});

it("names the columns of a piece of a table", () => {
  const piece = { text: "| Widget | 3.10 |", table_head: "| Article | Gross |" };
  expect(preview(shown(piece), [])).toBe("Article · Gross\nWidget · 3.10");
  expect(shown({ text: "Words." })).toBe("Words.");
});

it("shows code without its fences", () => {
  expect(preview("Run `it`:\n```sh\nmainspring serve\n```\nDone.", [])).toBe("Run it:\nmainspring serve\nDone.");
});

it("keeps everything else, and a heading that is all there is", () => {
  expect(preview("# Other\ntext", ["The lake"])).toBe("# Other\ntext");
  expect(preview("# The lake\n", ["The lake"])).toBe("# The lake");
});
