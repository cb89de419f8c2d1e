// The names of conventions, and what a program is told so that it sends its spans here.

import type { ServiceConventions } from "@/api/types";

/** As docs/reference/conventions.md tells them apart. */
const NAMES: Record<string, string> = {
  mainspring: "Mainspring",
  "open-telemetry": "OpenTelemetry",
  "gen-ai": "GenAI",
  "gen-ai-earlier": "GenAI, earlier",
  "open-inference": "OpenInference",
  "open-llmetry": "OpenLLMetry",
  "vercel-ai": "Vercel AI",
  langfuse: "Langfuse",
  mlflow: "MLflow",
  others: "Others",
};

export const conventionName = (convention: string): string => NAMES[convention] ?? convention;

/** The conventions of a service with their spans, the one that is spoken most first. */
export const spoken = ({ conventions }: Pick<ServiceConventions, "conventions">): [convention: string, spans: number][] =>
  Object.entries(conventions).toSorted(([a, one], [b, other]) => other - one || (a < b ? -1 : 1));

/** What OpenTelemetry's SDKs read, for a server at this address. */
export const settingsFor = (origin: string): string =>
  [
    `export OTEL_EXPORTER_OTLP_ENDPOINT=${origin}`,
    "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
    'export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer $MAINSPRING_API_KEY"',
  ].join("\n");
