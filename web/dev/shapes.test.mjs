import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { faultsOf } from "./shapes.mjs";

describe("shapes", () => {
  const alias = { alias: "production", version: 3, digest: "sha256:1" };

  it("are those of openapi/rest.json", () => {
    const put = (body) => faultsOf("PUT", "/api/v1/assets/prompt/answer/aliases/production", 200, body);
    expect(put(alias)).toEqual([]);
    expect(put({ ...alias, moved_by: null })).toEqual([]);
    expect(put({ ...alias, version: "3" })).toEqual(["answer.version is string, not integer"]);
    expect(put({ alias: "production", version: 3 })).toEqual(["answer lacks digest"]);
    expect(put({ ...alias, movedBy: "ines" })).toEqual(["answer.movedBy is in no document"]);
  });

  it("hold inside lists, and of fields that two schemas share", () => {
    const key = { id: "key_1", name: "ci", role: "reader", labels: "all", created_at: "2026-01-01T00:00:00Z" };
    const list = (...items) => faultsOf("GET", "/api/v1/keys", 200, { items });
    expect(list(key, { ...key, labels: ["hr"] })).toEqual([]);
    expect(list(key, { ...key, labels: 3 })[0]).toMatch(/^answer\.items\[1\]\.labels is /);
    expect(faultsOf("GET", "/api/v1/knowledge/manual", 200, {})).toContain("answer lacks sources");
  });

  it("are those of the most exact address", () => {
    expect(faultsOf("GET", "/api/v1/traces/fields", 200, { fields: [] })).toEqual([]);
  });

  it("are asked of problems, and of answers that no document knows", () => {
    expect(faultsOf("GET", "/api/v1/keys", 404, { title: "Not Found" })).toContain("problem lacks code");
    expect(faultsOf("GET", "/api/v1/keys", 202, {})).toEqual(["GET /api/v1/keys never answers 202"]);
    expect(faultsOf("GET", "/api/v1/nothing", 200, {})).toEqual(["GET /api/v1/nothing is in no document"]);
    expect(faultsOf("GET", "/v1/models", 200, {})).toEqual([]);
  });
});

describe("the stand-in server", () => {
  let server;
  let base;
  beforeAll(async () => {
    server = spawn(process.execPath, [fileURLToPath(new URL("fixtures.mjs", import.meta.url))], { env: { ...process.env, PORT: "0" } });
    base = await new Promise((found, failed) => {
      server.stdout.on("data", (text) => found(/http:\S+/.exec(String(text))[0]));
      server.on("exit", () => failed(new Error("it did not start")));
    });
  });
  afterAll(() => server.kill());

  const get = async (path) => {
    const response = await fetch(base + path);
    const body = await response.json();
    expect(`${path} ${response.status} ${faultsOf("GET", path.split("?")[0], response.status, body)}`).toBe(`${path} 200 `);
    return body;
  };

  it("answers as the server would", async () => {
    for (const path of ["overview", "apps", "models", "keys", "traces/conventions", "logs", "logs/count"]) await get(`/api/v1/${path}`);
    for (const { name } of (await get("/api/v1/knowledge")).items) {
      await get(`/api/v1/knowledge/${name}`);
      await get(`/api/v1/knowledge/${name}/runs?limit=500`);
      for (const { id, status } of (await get(`/api/v1/knowledge/${name}/documents?limit=20`)).items) {
        for (const part of status === "failed" ? ["", "/chunks"] : ["", "/text", "/chunks"])
          await get(`/api/v1/knowledge/${name}/documents/${id}${part}`);
      }
    }
    for (const { kind, name } of (await get("/api/v1/assets?limit=20")).items) {
      for (const part of ["", "/versions", "/diff?from=1&to=1"]) await get(`/api/v1/assets/${kind}/${name}${part}`);
    }
    for (const { trace_id } of (await get("/api/v1/traces?limit=20")).items) await get(`/api/v1/traces/${trace_id}`);
  });
});
