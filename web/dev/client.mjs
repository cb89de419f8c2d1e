// Writes `src/api/schema.d.ts` from `../openapi/rest.json`: `npm run client`. With `--check` it only says whether that was done.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import openapi, { astToString } from "openapi-typescript";

const SOURCE = new URL("../../openapi/rest.json", import.meta.url);
const TARGET = fileURLToPath(new URL("../src/api/schema.d.ts", import.meta.url));

if (!existsSync(SOURCE)) {
  console.error(`there is no ${fileURLToPath(SOURCE)}: the api-rest crate's tests write it`);
  process.exit(1);
}
const text = `// Generated from openapi/rest.json by \`npm run client\`; not to be edited.\n\n${astToString(await openapi(SOURCE))}`;
if (process.argv.includes("--check")) {
  const now = existsSync(TARGET) ? readFileSync(TARGET, "utf8") : "";
  if (now !== text) {
    console.error("src/api/schema.d.ts is not what openapi/rest.json says: run `npm run client`");
    process.exit(1);
  }
} else writeFileSync(TARGET, text);
