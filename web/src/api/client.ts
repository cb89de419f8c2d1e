// A thin wrapper over fetch: keys, problems, queries. Which paths there are, what they take and what they answer is generated:
// a path, a parameter or a field that the server does not have is a type error here.

import { readSse, type SseEvent } from "@/lib/sse";
import type { paths } from "./schema";
import type * as T from "./types";

export class ApiError extends Error {
  readonly problem: T.Problem;

  constructor(problem: T.Problem) {
    super(problem.detail || problem.title);
    this.name = "ApiError";
    this.problem = problem;
  }

  get status(): number {
    return this.problem.status;
  }

  /** Whether the same request may succeed later. */
  get isTransient(): boolean {
    return this.status === 0 || this.status === 429 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

// ── The key: kept for this tab only, sent nowhere but here ──────────────────

const KEY = "mainspring.key";
let memory: string | null = null;
const listeners = new Set<() => void>();
let refused = false;

function storedKey(): string | null {
  try {
    return sessionStorage.getItem(KEY) ?? memory;
  } catch {
    return memory;
  }
}

export const session = {
  hasKey: (): boolean => storedKey() !== null,
  /** Whether the last answer was that nobody is known to be asking. */
  isRefused: (): boolean => refused,
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  signIn(key: string): void {
    memory = key;
    refused = false;
    // Another key may belong to another project.
    project.forget();
    try {
      sessionStorage.setItem(KEY, key);
    } catch {
      // Kept in memory then.
    }
    listeners.forEach((tell) => tell());
  },
  signOut(): void {
    memory = null;
    refused = false;
    try {
      sessionStorage.removeItem(KEY);
    } catch {
      // Nothing was stored.
    }
    listeners.forEach((tell) => tell());
  },
};

// ── The project: each tab may look at another one ─────────────────────────

const PROJECT = "mainspring.project";
let chosenInMemory: string | null = null;

export const project = {
  /** The project the answers are to be of; null is the caller's own. */
  chosen(): string | null {
    try {
      return sessionStorage.getItem(PROJECT) ?? chosenInMemory;
    } catch {
      return chosenInMemory;
    }
  },
  choose(name: string): void {
    chosenInMemory = name;
    try {
      sessionStorage.setItem(PROJECT, name);
    } catch {
      // Kept in memory then.
    }
  },
  forget(): void {
    chosenInMemory = null;
    try {
      sessionStorage.removeItem(PROJECT);
    } catch {
      // Nothing was stored.
    }
  },
};

function refuse(): void {
  if (refused) return;
  refused = true;
  listeners.forEach((tell) => tell());
}

// ── Requests ────────────────────────────────────────────────────────────────

type Query = Record<string, string | number | boolean | null | undefined>;

/** What says nothing is left out, but of these: a metric may be sent without a unit, and with one. */
const MAY_BE_EMPTY: ReadonlySet<string> = new Set(["unit"]);

function withQuery(path: string, query?: Query): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && (value !== "" || MAY_BE_EMPTY.has(key))) search.set(key, String(value));
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

async function problemOf(response: Response): Promise<T.Problem> {
  const fallback: T.Problem = {
    title: response.statusText || `HTTP ${response.status}`,
    status: response.status,
    code: `http-${response.status}`,
    request_id: response.headers.get("x-request-id"),
  };
  try {
    const body: unknown = await response.json();
    if (typeof body !== "object" || body === null) return fallback;
    // OpenAI's shape, on `/v1`.
    const error = (body as { error?: { message?: string; code?: string | null; type?: string } }).error;
    if (error && typeof error === "object") {
      return { ...fallback, title: error.message ?? fallback.title, code: error.code ?? error.type ?? fallback.code };
    }
    return { ...fallback, ...(body as Partial<T.Problem>), status: response.status };
  } catch {
    return fallback;
  }
}

interface Options {
  query?: Query;
  body?: unknown;
  signal?: AbortSignal;
  accept?: string;
}

async function send(method: string, path: string, options: Options): Promise<Response> {
  const headers: Record<string, string> = { accept: options.accept ?? "application/json" };
  const key = storedKey();
  if (key) headers.authorization = `Bearer ${key}`;
  const within = project.chosen();
  if (within) headers["x-mainspring-project"] = within;
  if (options.body !== undefined) headers["content-type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(withQuery(path, options.query), {
      method,
      headers,
      signal: options.signal,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
    });
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    throw new ApiError({
      title: "The server cannot be reached",
      status: 0,
      code: "network-unreachable",
      hint: "Is `mainspring serve` running?",
    });
  }
  if (response.ok) return response;
  if (response.status === 401) refuse();
  throw new ApiError(await problemOf(response));
}

type Method = "get" | "post" | "put" | "delete";
type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>;
type PathOf<M extends Method> = { [P in keyof paths]: [Operation<P, M>] extends [never] ? never : P }[keyof paths];
type Reply<O> = O extends { responses: { 200: { content: { "application/json": infer R } } } } ? R : never;
type Taken<O, Kind extends string> = O extends { parameters: { [K in Kind]?: infer R } } ? NonNullable<R> : never;
/** What the server fills in when it is left out may be left out. */
type Sent<O> = O extends { requestBody: { content: { "application/json": infer R } } } ? Partial<R> : never;
type None = Record<never, never>;
type Given<O> = { signal?: AbortSignal } & ([Taken<O, "path">] extends [never] ? None : { path: Taken<O, "path"> }) &
  ([Taken<O, "query">] extends [never] ? None : { query?: { [K in keyof Taken<O, "query">]?: Taken<O, "query">[K] | null } }) &
  ([Sent<O>] extends [never] ? None : { body: Sent<O> });

const fill = (template: string, path: Readonly<Record<string, string>> = {}): string =>
  template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path[name] ?? ""));

/** One request whose path, parameters, body and answer are those of openapi/rest.json. */
async function call<M extends Method, P extends PathOf<M>>(method: M, template: P, given: Given<Operation<P, M>>): Promise<Reply<Operation<P, M>>> {
  const { path, query, body, signal } = given as { path?: Record<string, string>; query?: Query; body?: unknown; signal?: AbortSignal };
  const response = await send(method.toUpperCase(), fill(template, path), { query, body, signal });
  return read(response);
}

async function read<R>(response: Response): Promise<R> {
  const text = await response.text();
  try {
    return JSON.parse(text) as R;
  } catch {
    throw new ApiError({ title: "The server's answer is not JSON", status: response.status, code: "bad-answer", detail: text.slice(0, 200) });
  }
}

async function* events(method: string, path: string, options: Options): AsyncGenerator<SseEvent> {
  const response = await send(method, path, { ...options, accept: "text/event-stream" });
  if (response.body) yield* readSse(response.body);
}

export interface ListOptions {
  limit?: number;
  cursor?: string | null;
}

/** A list that is shown whole, page after page. */
async function whole<I>(page: (query: { limit: number; cursor?: string | null }) => Promise<T.Page<I>>): Promise<I[]> {
  const found: I[] = [];
  let cursor: string | null | undefined;
  do {
    const { items, next } = await page({ limit: 500, cursor });
    found.push(...items);
    cursor = next;
  } while (cursor);
  return found;
}

export type TraceFilter = Omit<Taken<Operation<"/api/v1/traces", "get">, "query">, keyof ListOptions>;
export type LogFilter = Omit<Taken<Operation<"/api/v1/logs", "get">, "query">, keyof ListOptions>;
export type DriftQuery = Taken<Operation<"/api/v1/drift", "get">, "query">;
/** Of spans; what programs measured themselves is another. */
export type MetricsQuery = Taken<Operation<"/api/v1/traces/metrics", "get">, "query">;

export type MetricFilter = Omit<Taken<Operation<"/api/v1/metrics", "get">, "query">, keyof ListOptions>;
export type MetricQuery = Taken<Operation<"/api/v1/metrics/{name}/series", "get">, "query">;

type CallQuery = Taken<Operation<"/api/v1/calls", "get">, "query">;
/** What a list of calls, or a sum over them, may be narrowed to. */
export type CallFilter = Omit<CallQuery, keyof ListOptions>;

export interface ChatRequest {
  model: string;
  messages: { role: string; content: string }[];
  temperature?: number;
  max_tokens?: number;
  seed?: number;
}

function viaOf(headers: Headers): T.Via | undefined {
  const provider = headers.get("x-mainspring-provider");
  if (!provider) return undefined;
  return {
    provider,
    target: headers.get("x-mainspring-model") ?? undefined,
    attempts: Number(headers.get("x-mainspring-attempts") ?? 1),
    cache: headers.get("x-mainspring-cache") ?? undefined,
  };
}

type Signal = AbortSignal | undefined;

export const api = {
  overview: (signal?: Signal) => call("get", "/api/v1/overview", { signal }),
  apps: (signal?: Signal) => call("get", "/api/v1/apps", { signal, query: { limit: 200 } }),
  models: (signal?: Signal) => call("get", "/api/v1/models", { signal }),
  servedModels: async (signal?: Signal): Promise<T.ServedModels> => read(await send("GET", "/v1/models", { signal })),

  knowledge: {
    list: (signal?: Signal) => call("get", "/api/v1/knowledge", { signal, query: { limit: 200 } }),
    get: (name: string, signal?: Signal) => call("get", "/api/v1/knowledge/{name}", { signal, path: { name } }),
    documents: (name: string, query: ListOptions & { status?: string; q?: string }, signal?: Signal) =>
      call("get", "/api/v1/knowledge/{name}/documents", { signal, path: { name }, query }),
    document: (name: string, id: string, signal?: Signal) => call("get", "/api/v1/knowledge/{name}/documents/{id}", { signal, path: { name, id } }),
    /** With a digest, the text a passage was cut from. */
    text: (name: string, id: string, digest: string | undefined, signal?: Signal) =>
      call("get", "/api/v1/knowledge/{name}/documents/{id}/text", { signal, path: { name, id }, query: { digest } }),
    chunks: (name: string, id: string, signal?: Signal): Promise<T.Chunk[]> =>
      whole((query) => call("get", "/api/v1/knowledge/{name}/documents/{id}/chunks", { signal, path: { name, id }, query })),
    ingest: (name: string, options: { retry_failed?: boolean } = {}) =>
      call("post", "/api/v1/knowledge/{name}/ingest", { path: { name }, body: options }),
    runs: (name: string, query: ListOptions, signal?: Signal) => call("get", "/api/v1/knowledge/{name}/runs", { signal, path: { name }, query }),
    search: (name: string, body: T.SearchRequest, signal?: Signal) =>
      call("post", "/api/v1/knowledge/{name}/search", { signal, path: { name }, body }),
    tombstones: (name: string, query: ListOptions, signal?: Signal) =>
      call("get", "/api/v1/knowledge/{name}/tombstones", { signal, path: { name }, query }),
    readmit: (name: string, id: string) => call("delete", "/api/v1/knowledge/{name}/tombstones/{id}", { path: { name, id } }),
  },

  runs: {
    get: (id: string, signal?: Signal) => call("get", "/api/v1/runs/{id}", { signal, path: { id } }),
    events: (id: string, signal: AbortSignal) => events("GET", fill("/api/v1/runs/{id}/events" satisfies keyof paths, { id }), { signal }),
  },

  traces: {
    list: (query: TraceFilter & ListOptions, signal?: Signal) => call("get", "/api/v1/traces", { signal, query }),
    count: (query: TraceFilter, signal?: Signal) => call("get", "/api/v1/traces/count", { signal, query }),
    metrics: (query: MetricsQuery, signal?: Signal) => call("get", "/api/v1/traces/metrics", { signal, query }),
    fields: (signal?: Signal) => call("get", "/api/v1/traces/fields", { signal }),
    /** What each service writes its spans in, by the newest of them. */
    conventions: (signal?: Signal) => call("get", "/api/v1/traces/conventions", { signal }),
    /** What is drawn of a trace, a page of it. */
    tree: (id: string, query: ListOptions, signal?: Signal) => call("get", "/api/v1/traces/{id}/tree", { signal, path: { id }, query }),
    span: (id: string, span: string, signal?: Signal) => call("get", "/api/v1/traces/{id}/spans/{span}", { signal, path: { id, span } }),
    /** A value that is too large to stand in its span. */
    value: (id: string, span: string, digest: string, signal?: Signal) =>
      call("get", "/api/v1/traces/{id}/spans/{span}/values/{digest}", { signal, path: { id, span, digest } }),
    /** What was said in a span, or in the trace's first. */
    reading: (id: string, span: string | undefined, signal?: Signal) =>
      call("get", "/api/v1/traces/{id}/reading", { signal, path: { id }, query: { span } }),
    spans: (query: { filter?: string; from?: string } & ListOptions, signal?: Signal) => call("get", "/api/v1/spans", { signal, query }),
    /** Spans as they are stored. The server ends it after some minutes. */
    async *tail(query: { filter?: string; spans?: boolean }, signal: AbortSignal): AsyncGenerator<T.TailEvent> {
      for await (const event of events("GET", "/api/v1/traces/tail" satisfies keyof paths, { signal, query }))
        yield JSON.parse(event.data) as T.TailEvent;
    },
    replay: (id: string, swap: Record<string, string>) => call("post", "/api/v1/traces/{id}/replay", { path: { id }, body: { with: swap } }),
  },

  logs: {
    list: (query: LogFilter & ListOptions, signal?: Signal) => call("get", "/api/v1/logs", { signal, query }),
    count: (query: LogFilter, signal?: Signal) => call("get", "/api/v1/logs/count", { signal, query }),
  },

  scores: {
    list: (query: { trace?: string; name?: string } & ListOptions, signal?: Signal) => call("get", "/api/v1/scores", { signal, query }),
    write: (body: T.NewScore) => call("post", "/api/v1/scores", { body }),
    remove: (id: string) => call("delete", "/api/v1/scores/{id}", { path: { id } }),
    feedback: (body: T.Feedback) => call("post", "/api/v1/feedback", { body }),
  },

  metrics: {
    list: (query: MetricFilter & ListOptions, signal?: Signal) => call("get", "/api/v1/metrics", { signal, query }),
    series: (name: string, query: MetricQuery, signal?: Signal) => call("get", "/api/v1/metrics/{name}/series", { signal, path: { name }, query }),
  },

  drift: (query: DriftQuery, signal?: Signal) => call("get", "/api/v1/drift", { signal, query }),

  sessions: {
    list: (query: { filter?: string; from?: string } & ListOptions, signal?: Signal) => call("get", "/api/v1/sessions", { signal, query }),
    get: (id: string, query: ListOptions, signal?: Signal) => call("get", "/api/v1/sessions/{id}", { signal, path: { id }, query }),
    users: (query: { filter?: string; from?: string } & ListOptions, signal?: Signal) => call("get", "/api/v1/users", { signal, query }),
  },

  dashboards: {
    list: (signal?: Signal): Promise<T.DashboardSummary[]> => whole((query) => call("get", "/api/v1/dashboards", { signal, query })),
    data: (name: string, query: { from?: string; to?: string; by?: string; filter?: string }, signal?: Signal) =>
      call("get", "/api/v1/dashboards/{name}/data", { signal, path: { name }, query }),
    /** Spans that a point is made of. */
    behind: (query: { filter?: string; from: string; to: string }, signal?: Signal) =>
      call("get", "/api/v1/spans", { signal, query: { ...query, limit: 50 } }),
  },

  sql: {
    schema: (signal?: Signal) => call("get", "/api/v1/sql/schema", { signal }),
    ask: (query: string) => call("post", "/api/v1/sql", { body: { query } }),
  },

  assets: {
    list: (query: ListOptions & { kind?: string }, signal?: Signal) => call("get", "/api/v1/assets", { signal, query }),
    get: (kind: string, name: string, version: string | undefined, signal?: Signal) =>
      call("get", "/api/v1/assets/{kind}/{name}", { signal, path: { kind, name }, query: { version } }),
    versions: (kind: string, name: string, query: ListOptions, signal?: Signal) =>
      call("get", "/api/v1/assets/{kind}/{name}/versions", { signal, path: { kind, name }, query }),
    diff: (kind: string, name: string, from: number, to: number, signal?: Signal) =>
      call("get", "/api/v1/assets/{kind}/{name}/diff", { signal, path: { kind, name }, query: { from: String(from), to: String(to) } }),
    /** `expected` is the version the alias was seen on, 0 when there was none; a conflict says that it moved meanwhile. */
    setAlias: (kind: string, name: string, alias: string, to: string, expected: number) =>
      call("put", "/api/v1/assets/{kind}/{name}/aliases/{alias}", { path: { kind, name, alias }, body: { to, expected } }),
  },

  gateway: {
    routes: (signal?: Signal): Promise<T.RouteTarget[]> => whole((query) => call("get", "/api/v1/routes", { signal, query })),
    explain: (model: string) => call("post", "/api/v1/routes/explain", { body: { model } }),
    processes: (signal?: Signal): Promise<T.Process[]> => whole((query) => call("get", "/api/v1/processes", { signal, query })),
    history: (signal?: Signal): Promise<T.TargetHistory[]> => whole((query) => call("get", "/api/v1/routes/history", { signal, query })),
    usage: (query: { by: string; since: string; all_projects?: boolean }, signal?: Signal) => call("get", "/api/v1/usage", { signal, query }),
    /** Calls as they happen. The server ends it after some minutes. */
    async *live(signal: AbortSignal): AsyncGenerator<T.LiveCall> {
      for await (const event of events("GET", "/api/v1/calls/live" satisfies keyof paths, { signal })) yield JSON.parse(event.data) as T.LiveCall;
    },
    calls: (query: CallFilter & ListOptions, signal?: Signal) => call("get", "/api/v1/calls", { signal, query }),
  },

  batches: {
    list: (query: ListOptions, signal?: Signal) => call("get", "/api/v1/batches", { signal, query }),
    cancel: (id: string) => call("post", "/api/v1/batches/{id}/cancel", { path: { id } }),
    /** Files are OpenAI's: what its clients uploaded, and what they download. */
    file: async (id: string): Promise<Blob> => (await send("GET", `/v1/files/${encodeURIComponent(id)}/content`, { accept: "*/*" })).blob(),
  },

  limits: {
    list: (signal?: Signal) => call("get", "/api/v1/limits", { signal, query: { limit: 200 } }),
    set: (body: T.NewLimit) => call("post", "/api/v1/limits", { body }),
    remove: (id: string) => call("delete", "/api/v1/limits/{id}", { path: { id } }),
  },

  monitors: {
    list: (query: ListOptions, signal?: Signal) => call("get", "/api/v1/monitors", { signal, query }),
    get: (name: string, signal?: Signal) => call("get", "/api/v1/monitors/{name}", { signal, path: { name } }),
    evaluations: (name: string, signal?: Signal) =>
      call("get", "/api/v1/monitors/{name}/evaluations", { signal, path: { name }, query: { limit: 500 } }),
    /** What a look would find; nobody is told. */
    evaluate: (name: string) => call("post", "/api/v1/monitors/{name}/evaluate", { path: { name }, body: { raise: false } }),
  },

  incidents: {
    list: (query: ListOptions & { state?: string }, signal?: Signal) => call("get", "/api/v1/incidents", { signal, query }),
    get: (id: string, signal?: Signal) => call("get", "/api/v1/incidents/{id}", { signal, path: { id } }),
    acknowledge: (id: string, note: string) => call("post", "/api/v1/incidents/{id}/acknowledge", { path: { id }, body: { note } }),
    resolve: (id: string, note: string) => call("post", "/api/v1/incidents/{id}/resolve", { path: { id }, body: { note } }),
    retry: (id: string) => call("post", "/api/v1/incidents/{id}/retry", { path: { id } }),
    examples: (filter: string, signal?: Signal) => call("get", "/api/v1/spans", { signal, query: { filter, limit: 200 } }),
  },

  receivers: {
    list: (query: ListOptions, signal?: Signal) => call("get", "/api/v1/receivers", { signal, query }),
    test: (name: string) => call("post", "/api/v1/receivers/{name}/test", { path: { name } }),
  },

  silences: {
    list: (query: ListOptions & { ended?: boolean }, signal?: Signal) => call("get", "/api/v1/silences", { signal, query }),
    create: (body: Partial<T.NewSilence>) => call("post", "/api/v1/silences", { body }),
    end: (id: string) => call("delete", "/api/v1/silences/{id}", { path: { id } }),
  },

  projects: {
    list: (signal?: Signal) => call("get", "/api/v1/projects", { signal, query: { limit: 200 } }),
    create: (body: T.NewProject) => call("post", "/api/v1/projects", { body }),
  },

  capture: {
    get: (project: string, signal?: Signal) => call("get", "/api/v1/projects/{project}/capture", { signal, path: { project } }),
    set: (project: string, body: T.SetCapture) => call("put", "/api/v1/projects/{project}/capture", { path: { project }, body }),
    preview: (project: string, body: T.PreviewCapture, signal?: Signal) =>
      call("post", "/api/v1/projects/{project}/capture/preview", { signal, path: { project }, body }),
  },

  members: {
    list: (signal?: Signal) => call("get", "/api/v1/members", { signal, query: { limit: 200 } }),
    add: (body: T.NewMember) => call("post", "/api/v1/members", { body }),
    change: (id: string, body: T.MemberChange) => call("put", "/api/v1/members/{id}", { path: { id }, body }),
    remove: (id: string) => call("delete", "/api/v1/members/{id}", { path: { id } }),
  },

  jobs: {
    list: (query: { state?: string }, signal?: Signal) => call("get", "/api/v1/jobs", { signal, query: { ...query, limit: 100 } }),
    cancel: (id: string) => call("post", "/api/v1/jobs/{id}/cancel", { path: { id } }),
  },

  keeping: {
    retention: (signal?: Signal) => call("get", "/api/v1/retention", { signal }),
    setRetention: (kind: string, body: T.SetRetention) => call("put", "/api/v1/retention/{kind}", { path: { kind }, body }),
    erasures: (signal?: Signal) => call("get", "/api/v1/erasures", { signal, query: { limit: 100 } }),
    erase: (body: T.NewErasure) => call("post", "/api/v1/erasures", { body }),
  },

  keys: {
    list: (signal?: Signal) => call("get", "/api/v1/keys", { signal, query: { limit: 200 } }),
    create: (body: T.NewKey) => call("post", "/api/v1/keys", { body }),
    rotate: (id: string, body: T.RotateKey) => call("post", "/api/v1/keys/{id}/rotate", { path: { id }, body }),
    revoke: (id: string) => call("delete", "/api/v1/keys/{id}", { path: { id } }),
  },

  /** Streams an answer; leaving the loop, or the signal, stops the work behind it. */
  async *chat(request: ChatRequest, signal: AbortSignal): AsyncGenerator<T.ChatChunk> {
    const body = { ...request, stream: true, stream_options: { include_usage: true } };
    const response = await send("POST", "/v1/chat/completions", { body, signal, accept: "text/event-stream" });
    const trace_id = response.headers.get("x-mainspring-trace-id");
    const via = viaOf(response.headers);
    if (trace_id || via) yield { ...(trace_id ? { trace_id } : {}), ...(via ? { via } : {}) };
    if (!response.body) return;
    for await (const event of readSse(response.body)) {
      if (event.data === "[DONE]") return;
      const chunk = JSON.parse(event.data) as T.ChatChunk;
      if (chunk.error) {
        throw new ApiError({ title: chunk.error.message, status: 500, code: chunk.error.code ?? chunk.error.type ?? "stream-failed" });
      }
      yield chunk;
    }
  },
};
