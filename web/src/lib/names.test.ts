import { describe, expect, it } from "vitest";
import { isName, nameFault, person } from "./names";

describe("names", () => {
  it("are what the server takes", () => {
    for (const good of ["a", "9", "support-bot", "a.b_c", "x".repeat(63)]) expect(isName(good), good).toBe(true);
    for (const bad of ["", "-a", "Support", "two words", "ä", "x".repeat(64), "a/b"]) expect(isName(bad), bad).toBe(false);
  });

  it("are not found fault with before anything is typed", () => {
    expect(nameFault("")).toBeNull();
    expect(nameFault("ok")).toBeNull();
    expect(nameFault("two words")).toContain("lower-case");
  });
});

describe("person", () => {
  it("is left out where only an id is known", () => {
    expect(person("usr_01a20bc15a4f79f98eccd2587d07b107")).toBeNull();
    expect(person(null)).toBeNull();
    expect(person("ines")).toBe("ines");
  });
});
