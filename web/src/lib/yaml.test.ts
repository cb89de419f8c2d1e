import { describe, expect, it } from "vitest";
import { toYaml } from "./yaml";

describe("YAML", () => {
  it("reads as people would have written it", () => {
    expect(
      toYaml({
        kind: "prompt",
        tags: ["a", "true", "1.5"],
        empty: {},
        none: null,
        list: [],
        messages: [
          { role: "system", content: "Answer.\nCite [1].\n" },
          { role: "user", content: "{{ question }}" },
        ],
        nested: [[1, 2], ["x: y"]],
      }),
    ).toBe(`kind: prompt
tags:
  - a
  - "true"
  - "1.5"
empty: {}
none: null
list: []
messages:
  - role: system
    content: |
      Answer.
      Cite [1].
  - role: user
    content: "{{ question }}"
nested:
  - - 1
    - 2
  - - "x: y"`);
  });

  it("says first what a thing is", () => {
    expect(toYaml({ messages: [{ content: "Hi", role: "user" }], apiVersion: "v1", kind: "prompt" })).toBe(
      "kind: prompt\nmessages:\n  - role: user\n    content: Hi\napiVersion: v1",
    );
  });

  it("quotes what would read as something else", () => {
    for (const text of ["", " x", "x ", "no", "null", "- a", "a: b", "#c", "1e3", "@a", "line\ttab", "\u2028"]) {
      expect(toYaml(text)).toBe(JSON.stringify(text));
    }
  });

  it("keeps the number of final line breaks", () => {
    expect(toYaml({ a: "x\ny" })).toBe("a: |-\n  x\n  y");
    expect(toYaml({ a: "x\ny\n\n" })).toBe("a: |+\n  x\n  y\n");
  });
});
