// Whether an answer has the shape that ../openapi/rest.json promises: the stand-in server and the browser tests ask this of every answer.

import { readFileSync } from "node:fs";

const document = JSON.parse(readFileSync(new URL("../../openapi/rest.json", import.meta.url), "utf8"));
const at = (ref) =>
  ref
    .slice(2)
    .split("/")
    .reduce((node, key) => node[key], document);
const places = (template) => template.split("{").length;
// `/traces/fields` is one of its own, though it reads like `/traces/{id}`.
const operations = Object.entries(document.paths)
  .toSorted(([a], [b]) => places(a) - places(b))
  .map(([template, item]) => ({ item, pattern: new RegExp(`^${template.replace(/\{\w+\}/g, "[^/]+")}$`) }));

const typeOf = (value) =>
  value === null
    ? "null"
    : Array.isArray(value)
      ? "array"
      : Number.isInteger(value)
        ? "integer"
        : typeof value === "object"
          ? "object"
          : typeof value;
const matches = (type, value) => typeOf(value) === type || (type === "number" && typeof value === "number");

/** `allOf` and `$ref` folded into one schema, so that it can be said which fields there are. */
function whole(schema) {
  if (schema.$ref) return whole(at(schema.$ref));
  if (!schema.allOf) return schema;
  const parts = schema.allOf.map(whole);
  return {
    ...schema,
    allOf: undefined,
    type: "object",
    properties: Object.assign({}, schema.properties, ...parts.map((p) => p.properties)),
    required: [...(schema.required ?? []), ...parts.flatMap((p) => p.required ?? [])],
  };
}

function* faultsIn(given, value, path) {
  const schema = whole(given);
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) {
    const tried = choices.map((choice) => [...faultsIn(choice, value, path)]);
    if (!tried.some((faults) => faults.length === 0)) yield* tried.toSorted((a, b) => b.join().length - a.join().length)[0];
    return;
  }
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length > 0 && !types.some((type) => matches(type, value))) {
    yield `${path} is ${typeOf(value)}, not ${types.join(" or ")}`;
    return;
  }
  if (schema.enum && !schema.enum.includes(value)) yield `${path} is ${JSON.stringify(value)}, not one of ${schema.enum.join(", ")}`;
  if (typeOf(value) === "array") {
    for (const [i, item] of value.entries()) {
      const inner = schema.prefixItems?.[i] ?? schema.items;
      if (inner) yield* faultsIn(inner, item, `${path}[${i}]`);
    }
  }
  if (typeOf(value) === "object" && schema.properties) {
    for (const name of schema.required ?? []) if (!(name in value)) yield `${path} lacks ${name}`;
    for (const [name, item] of Object.entries(value)) {
      const inner = schema.properties[name];
      if (inner) yield* faultsIn(inner, item, `${path}.${name}`);
      else if (!schema.additionalProperties) yield `${path}.${name} is in no document`;
    }
  } else if (typeOf(value) === "object" && typeof schema.additionalProperties === "object") {
    for (const [name, item] of Object.entries(value)) yield* faultsIn(schema.additionalProperties, item, `${path}.${name}`);
  }
}

/** What is wrong with an answer of the REST API; empty when nothing is, or when the address is none of its. */
export function faultsOf(method, path, status, body) {
  if (!path.startsWith("/api/")) return [];
  if (status >= 400) return [...faultsIn({ $ref: "#/components/schemas/ProblemBody" }, body, "problem")];
  const found = operations.find((o) => o.pattern.test(path))?.item[method.toLowerCase()];
  if (!found) return [`${method} ${path} is in no document`];
  const answer = found.responses[status];
  if (!answer) return [`${method} ${path} never answers ${status}`];
  const content = answer.content ?? {};
  const schema = (content["application/json"] ?? content["text/event-stream"])?.schema;
  return schema ? [...faultsIn(schema, body, "answer")] : [];
}
