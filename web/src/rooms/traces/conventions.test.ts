import { describe, expect, it } from "vitest";
import { conventionName, settingsFor, spoken } from "./conventions";

describe("conventions", () => {
  it("have names, and one that is not known its own word", () => {
    expect(conventionName("gen-ai-earlier")).toBe("GenAI, earlier");
    expect(conventionName("brand-new")).toBe("brand-new");
  });

  it("come with the most spoken first, and by their word where they are spoken as much", () => {
    expect(spoken({ conventions: { "open-telemetry": 3, mlflow: 5, "gen-ai": 3 } })).toEqual([
      ["mlflow", 5],
      ["gen-ai", 3],
      ["open-telemetry", 3],
    ]);
    expect(spoken({ conventions: {} })).toEqual([]);
  });

  it("are sent to the server that was asked", () => {
    expect(settingsFor("https://mainspring.example:7400").split("\n")[0]).toBe("export OTEL_EXPORTER_OTLP_ENDPOINT=https://mainspring.example:7400");
  });
});
