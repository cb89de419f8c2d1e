// Query keys in one place, so that a change can be told to everything that shows it.

import { infiniteQueryOptions, keepPreviousData, queryOptions, QueryClient } from "@tanstack/react-query";
import { api, ApiError, type CallFilter, type TraceFilter } from "./client";
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
  documentText: (name: string, id: string) =>
    queryOptions({
      queryKey: ["knowledge", name, "document", id, "text"],
      queryFn: ({ signal }) => api.knowledge.text(name, id, signal),
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
  traces: (filter: TraceFilter) =>
    infiniteQueryOptions({
      ...paged,
      queryKey: ["traces", filter],
      queryFn: ({ signal, pageParam }) => api.traces.list({ ...filter, limit: 50, cursor: pageParam }, signal),
      placeholderData: keepPreviousData,
    }),
  trace: (id: string) =>
    queryOptions({
      queryKey: ["trace", id],
      queryFn: ({ signal }) => api.traces.get(id, signal),
      // A trace just made may still be on its way to the lake.
      retry: (failures, error) => failures < 4 && error instanceof ApiError && (error.isTransient || error.status === 404),
      retryDelay: (attempt) => 300 * 2 ** attempt,
    }),

  gatewayRoutes: () => queryOptions({ queryKey: ["gateway", "routes"], queryFn: ({ signal }) => api.gateway.routes(signal), refetchInterval: 3_000 }),
  routesHistory: () =>
    queryOptions({ queryKey: ["gateway", "history"], queryFn: ({ signal }) => api.gateway.history(signal), refetchInterval: 10_000 }),
  usage: (by: string, since: string) =>
    queryOptions<UsageView>({
      queryKey: ["gateway", "usage", by, since],
      queryFn: ({ signal }) => api.gateway.usage({ by, since }, signal),
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

  projects: () => queryOptions({ queryKey: ["projects"], queryFn: ({ signal }) => api.projects.list(signal) }),
  members: () => queryOptions({ queryKey: ["members"], queryFn: ({ signal }) => api.members.list(signal) }),
  jobs: (state?: string) =>
    queryOptions({ queryKey: ["jobs", state], queryFn: ({ signal }) => api.jobs.list({ state }, signal), refetchInterval: 5_000 }),
  keys: () => queryOptions({ queryKey: ["keys"], queryFn: ({ signal }) => api.keys.list(signal) }),
};
