// Several pictures beside each other: `node dev/sheet.mjs OUT.png A.png B.png…`

import { readFileSync } from "node:fs";
import { chromium } from "@playwright/test";

const [out, ...files] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage({ viewport: { width: Number(process.env.WIDTH ?? 430) * files.length, height: 900 } });
await page.setContent(
  `<body style="margin:0;display:flex;gap:10px;background:#888">${files.map((f) => `<img height="900" src="data:image/png;base64,${readFileSync(f).toString("base64")}">`).join("")}</body>`,
);
await page.waitForTimeout(200);
await page.screenshot({ path: out });
await browser.close();
