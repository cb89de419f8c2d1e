// Query keys in one place, so that a change can be told to everything that shows it.

import { infiniteQueryOptions, keepPreviousData, queryOptions, QueryClient } from "@tanstack/react-query";
import {
  api,
  ApiError,
  type CallFilter,
  type DriftQuery,
  type LogFilter,
  type MetricFilter,
  type MetricQuery,
  type MetricsQuery,
  type TraceFilter,
} from "./client";
import type { UsageView } from "./types";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      retry: (failures, error) => failures < 2 && error instanceof ApiError && error.isTransient,
      retryDelay: (attempt) => 400 * 2 ** attempt,
      refetchOnWindowFocus: true,
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});

const paged = {
  initialPageParam: null as string | null,
  getNextPageParam: (page: { next?: string | null }) => page.next ?? undefined,
};

/** A trace just made may still be on its way to the lake. */
const soon = {
  retry: (failures: number, error: unknown) => failures < 4 && error instanceof ApiError && (error.isTransient || error.status === 404),
  retryDelay: (attempt: number) => 300 * 2 ** attempt,
};

export const queries = {
  overview: () => queryOptions({ queryKey: ["overview"], queryFn: ({ signal }) => api.overview(signal), refetchInterval: 15_000 }),
  apps: () => queryOptions({ queryKey: ["apps"], queryFn: ({ signal }) => api.apps(signal) }),
  models: () => queryOptions({ queryKey: ["models"], queryFn: ({ signal }) => api.models(signal) }),
  servedModels: () => queryOptions({ queryKey: ["served-models"], queryFn: ({ signal }) => api.servedModels(signal) }),

  knowledgeList: () => queryOptions({ queryKey: ["knowledge"], queryFn: ({ signal }) => api.knowledge.list(signal) }),
  knowledge: (name: string) => queryOptions({ queryKey: ["knowledge", name], queryFn: ({ signal }) => api.knowledge.get(name, signal) }),
  documents: (name: string, filter: { status?: string; q?: string }) =>
    infiniteQueryOptions({
      ...paged,
      queryKey: ["knowledge", name, "documents", filter],
      queryFn: ({ signal, pageParam }) => api.knowledge.documents(name, { ...filter, limit: 100, cursor: pageParam }, signal),
      placeholderData: keepPreviousData,
    }),
  document: (name: string, id: string) =>
    queryOptions({ queryKey: ["knowledge", name, "document", id], queryFn: ({ signal }) => api.knowledge.document(name, id, signal) }),
  documentText: (name: string, id: string, digest?: string) =>
    queryOptions({
      queryKey: ["knowledge", name, "document", id, "text", digest ?? null],
      queryFn: ({ signal }) => api.knowledge.text(name, id, digest, signal),
      staleTime: 60_000,
    }),
  documentChunks: (name: string, id: string) =>
    queryOptions({
      queryKey: ["knowledge", name, "document", id, "chunks"],
      queryFn: ({ signal }) => api.knowledge.chunks(name, id, signal),
      staleTime: 60_000,
    }),
  knowledgeRuns: (name: string) =>
    infiniteQueryOptions({
      ...paged,
      queryKey: ["knowledge", name, "runs"],
      queryFn: ({ signal, pageParam }) => api.knowledge.runs(name, { limit: 30, cursor: pageParam }, signal),
    }),
  tombstones: (name: string) =>
    infiniteQueryOptions({
      ...paged,
      queryKey: ["knowledge", name, "tombstones"],
      queryFn: ({ signal, pageParam }) => api.knowledge.tombstones(name, { limit: 20, cursor: pageParam }, signal),
    }),
  run: (id: string) => queryOptions({ queryKey: ["run", id], queryFn: ({ signal }) => api.runs.get(id, signal) }),

  recentTraces: () => queryOptions({ queryKey: ["traces", "recent"], queryFn: ({ signal }) => api.traces.list({ limit: 8 }, signal) }),
  tracesCount: (filter: TraceFilter) =>
    queryOptions({
      queryKey: ["traces", "count", filter],
      queryFn: ({ signal }) => api.traces.count(filter, signal),
      placeholderData: keepPreviousData,
      retry: false,
    }),
  logsCount: (filter: LogFilter) =>
    queryOptions({
      queryKey: ["logs", "count", filter],
      queryFn: ({ signal }) => api.logs.count(filter, signal),
      placeholderData: keepPreviousData,
      retry: false,
    }),
  traceMetrics: (query: MetricsQuery) =>
    queryOptions({
      queryKey: ["traces", "metrics", query],
      queryFn: ({ signal }) => api.traces.metrics(query, signal),
      placeholderData: keepPreviousData,
      retry: false,
    }),
  conventions: () => queryOptions({ queryKey: ["traces", "conventions"], queryFn: ({ signal }) => api.traces.conventions(signal) }),
  metrics: (filter: MetricFilter) =>
    infiniteQueryOptions({
      ...paged,
      queryKey: ["metrics", filter],
      queryFn: ({ signal, pageParam }) => api.metrics.list({ ...filter, limit: 100, cursor: pageParam }, signal),
      placeholderData: keepPreviousData,
    }),
  metric: (name: string, query: MetricQuery) =>
    queryOptions({
      queryKey: ["metric", name, query],
      queryFn: ({ signal }) => api.metrics.series(name, query, signal),
      placeholderData: keepPreviousData,
      retry: false,
    }),
  drift: (query: DriftQuery) =>
    queryOptions({
      queryKey: ["drift", query],
      queryFn: ({ signal }) => api.drift(query, signal),
      placeholderData: keepPreviousData,
      staleTime: 60_000,
      retry: false,
    }),
  filterFields: () => queryOptions({ queryKey: ["traces", "fields"], queryFn: ({ signal }) => api.traces.fields(signal), staleTime: Infinity }),
  /** The first page is small, so that there is something to see. */
  tree: (id: string) =>
    infiniteQueryOptions({
      ...paged,
      queryKey: ["trace", id, "tree"],
      queryFn: ({ signal, pageParam }) => api.traces.tree(id, { limit: pageParam ? 4_000 : 500, cursor: pageParam }, signal),
      staleTime: 60_000,
      refetchOnWindowFocus: false,
      structuralSharing: false,
      ...soon,
    }),
  span: (trace: string, span: string) =>
    queryOptions({ queryKey: ["trace", trace, "span", span], queryFn: ({ signal }) => api.traces.span(trace, span, signal), staleTime: 60_000 }),
  reading: (trace: string, span?: string) =>
    queryOptions({
      queryKey: ["trace", trace, "reading", span ?? "first"],
      queryFn: ({ signal }) => api.traces.reading(trace, span, signal),
      staleTime: 60_000,
    }),
  scores: (trace: string) =>
    infiniteQueryOptions({
      ...paged,
      queryKey: ["scores", trace],
      queryFn: ({ signal, pageParam }) => api.scores.list({ trace, limit: 200, cursor: pageParam }, signal),
    }),
  sessions: (filter: { filter?: string; from?: string }) =>
    infiniteQueryOptions({
      ...paged,
      queryKey: ["sessions", filter],
      queryFn: ({ signal, pageParam }) => api.sessions.list({ ...filter, limit: 50, cursor: pageParam }, signal),
      placeholderData: keepPreviousData,
    }),
  session: (id: string) =>
    infiniteQueryOptions({
      ...paged,
      queryKey: ["session", id],
      queryFn: ({ signal, pageParam }) => api.sessions.get(id, { limit: 50, cursor: pageParam }, signal),
    }),
  users: (filter: { filter?: string; from?: string }) =>
    infiniteQueryOptions({
      ...paged,
      queryKey: ["users", filter],
      queryFn: ({ signal, pageParam }) => api.sessions.users({ ...filter, limit: 50, cursor: pageParam }, signal),
      placeholderData: keepPreviousData,
    }),

  gatewayRoutes: () => queryOptions({ queryKey: ["gateway", "routes"], queryFn: ({ signal }) => api.gateway.routes(signal), refetchInterval: 3_000 }),
  processes: () =>
    queryOptions({ queryKey: ["gateway", "processes"], queryFn: ({ signal }) => api.gateway.processes(signal), refetchInterval: 10_000 }),
  routesHistory: () =>
    queryOptions({ queryKey: ["gateway", "history"], queryFn: ({ signal }) => api.gateway.history(signal), refetchInterval: 10_000 }),
  usage: (by: string, since: string, all = false) =>
    queryOptions<UsageView>({
      queryKey: ["gateway", "usage", by, since, all],
      queryFn: ({ signal }) => api.gateway.usage(all ? { by, since, all_projects: true } : { by, since }, signal),
      // Another stretch of the same; rows of models are no rows of providers.
      placeholderData: (shown) => (shown?.by === by ? shown : undefined),
    }),
  recentCalls: () =>
    queryOptions({
      queryKey: ["gateway", "calls", "recent"],
      queryFn: ({ signal }) => api.gateway.calls({ limit: 8 }, signal),
      refetchInterval: 10_000,
    }),
  calls: (filter: CallFilter) =>
    infiniteQueryOptions({
      ...paged,
      queryKey: ["gateway", "calls", filter],
      queryFn: ({ signal, pageParam }) => api.gateway.calls({ ...filter, limit: 50, cursor: pageParam }, signal),
      placeholderData: keepPreviousData,
    }),
  batches: () =>
    infiniteQueryOptions({
      ...paged,
      queryKey: ["batches"],
      queryFn: ({ signal, pageParam }) => api.batches.list({ limit: 50, cursor: pageParam }, signal),
      refetchInterval: 5_000,
    }),
  limits: () => queryOptions({ queryKey: ["limits"], queryFn: ({ signal }) => api.limits.list(signal), refetchInterval: 15_000 }),

  dashboards: () => queryOptions({ queryKey: ["dashboards"], queryFn: ({ signal }) => api.dashboards.list(signal) }),
  dashboard: (name: string, query: { from?: string; to?: string; by?: string; filter?: string }) =>
    queryOptions({
      queryKey: ["dashboards", name, query],
      queryFn: ({ signal }) => api.dashboards.data(name, query, signal),
      placeholderData: keepPreviousData,
      // What cannot be read stays so; the panels say themselves what failed in them.
      retry: false,
    }),
  behind: (query: { filter?: string; from: string; to: string }) =>
    queryOptions({ queryKey: ["spans", "behind", query], queryFn: ({ signal }) => api.dashboards.behind(query, signal) }),
  sqlSchema: () => queryOptions({ queryKey: ["sql", "schema"], queryFn: ({ signal }) => api.sql.schema(signal), staleTime: 60_000 }),

  assets: (kind: string | undefined) =>
    infiniteQueryOptions({
      ...paged,
      queryKey: ["assets", kind ?? "all"],
      queryFn: ({ signal, pageParam }) => api.assets.list({ kind, limit: 100, cursor: pageParam }, signal),
    }),
  asset: (kind: string, name: string, version?: string) =>
    queryOptions({ queryKey: ["asset", kind, name, version ?? "latest"], queryFn: ({ signal }) => api.assets.get(kind, name, version, signal) }),
  assetVersions: (kind: string, name: string) =>
    infiniteQueryOptions({
      ...paged,
      queryKey: ["asset", kind, name, "versions"],
      queryFn: ({ signal, pageParam }) => api.assets.versions(kind, name, { limit: 100, cursor: pageParam }, signal),
    }),
  assetDiff: (kind: string, name: string, from: number, to: number) =>
    queryOptions({ queryKey: ["asset", kind, name, "diff", from, to], queryFn: ({ signal }) => api.assets.diff(kind, name, from, to, signal) }),

  monitors: () =>
    infiniteQueryOptions({
      ...paged,
      queryKey: ["monitors"],
      queryFn: ({ signal, pageParam }) => api.monitors.list({ limit: 100, cursor: pageParam }, signal),
      refetchInterval: 10_000,
    }),
  monitor: (name: string) =>
    queryOptions({ queryKey: ["monitors", "one", name], queryFn: ({ signal }) => api.monitors.get(name, signal), refetchInterval: 10_000 }),
  monitorEvaluations: (name: string) =>
    queryOptions({
      queryKey: ["monitors", "evaluations", name],
      queryFn: ({ signal }) => api.monitors.evaluations(name, signal),
      refetchInterval: 10_000,
    }),

  openIncidents: () =>
    queryOptions({
      queryKey: ["incidents", "how many"],
      queryFn: ({ signal }) => api.incidents.list({ state: "open", limit: 100 }, signal),
      refetchInterval: 15_000,
    }),
  incidents: (state?: string) =>
    infiniteQueryOptions({
      ...paged,
      queryKey: ["incidents", "list", state],
      queryFn: ({ signal, pageParam }) => api.incidents.list({ state, limit: 50, cursor: pageParam }, signal),
      placeholderData: keepPreviousData,
      refetchInterval: 15_000,
    }),
  incident: (id: string) =>
    queryOptions({ queryKey: ["incidents", "one", id], queryFn: ({ signal }) => api.incidents.get(id, signal), refetchInterval: 10_000 }),
  incidentExamples: (filter: string) =>
    queryOptions({
      queryKey: ["incident examples", filter],
      queryFn: ({ signal }) => api.incidents.examples(filter, signal),
      staleTime: 60_000,
    }),
  receivers: () =>
    infiniteQueryOptions({
      ...paged,
      queryKey: ["receivers"],
      queryFn: ({ signal, pageParam }) => api.receivers.list({ limit: 50, cursor: pageParam }, signal),
      refetchInterval: 15_000,
    }),
  silences: (ended: boolean) =>
    infiniteQueryOptions({
      ...paged,
      queryKey: ["silences", ended],
      queryFn: ({ signal, pageParam }) => api.silences.list({ ended, limit: 50, cursor: pageParam }, signal),
      placeholderData: keepPreviousData,
    }),

  projects: () => queryOptions({ queryKey: ["projects"], queryFn: ({ signal }) => api.projects.list(signal) }),
  capture: (project: string) =>
    queryOptions({ queryKey: ["capture", project], queryFn: ({ signal }) => api.capture.get(project, signal), refetchInterval: 10_000 }),
  members: () => queryOptions({ queryKey: ["members"], queryFn: ({ signal }) => api.members.list(signal) }),
  jobs: (state?: string) =>
    queryOptions({ queryKey: ["jobs", state], queryFn: ({ signal }) => api.jobs.list({ state }, signal), refetchInterval: 5_000 }),
  retention: () => queryOptions({ queryKey: ["retention"], queryFn: ({ signal }) => api.keeping.retention(signal) }),
  erasures: () => queryOptions({ queryKey: ["erasures"], queryFn: ({ signal }) => api.keeping.erasures(signal), refetchInterval: 5_000 }),
  keys: () => queryOptions({ queryKey: ["keys"], queryFn: ({ signal }) => api.keys.list(signal) }),
};
