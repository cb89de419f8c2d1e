import { defineConfig } from "@playwright/test";

// `MAINSPRING_URL` names a running server; without it the stand-in server is started, which shows that the page works, not the product.
const real = process.env.MAINSPRING_URL;
const standIn = "http://127.0.0.1:7498";

export default defineConfig({
  testDir: "e2e",
  testIgnore: real ? [] : ["real/**"],
  timeout: real ? 120_000 : 30_000,
  expect: { timeout: real ? 30_000 : 8_000 },
  fullyParallel: false,
  workers: 1,
  forbidOnly: true,
  reporter: [["list"]],
  outputDir: "test-results",
  use: {
    baseURL: real ?? standIn,
    viewport: { width: 1440, height: 900 },
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  webServer: real ? undefined : { command: "node dev/fixtures.mjs", url: `${standIn}/healthz`, env: { PORT: "7498" }, reuseExistingServer: false },
});
