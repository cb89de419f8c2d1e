// A thin wrapper over fetch: keys, problems, queries. Paths and shapes are in `types.ts`.

import { readSse, type SseEvent } from "@/lib/sse";
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

function refuse(): void {
  if (refused) return;
  refused = true;
  listeners.forEach((tell) => tell());
}

// ── Requests ────────────────────────────────────────────────────────────────

type Query = Record<string, string | number | boolean | null | undefined>;

function withQuery(path: string, query?: Query): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") search.set(key, String(value));
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

async function json<R>(method: string, path: string, options: Options = {}): Promise<R> {
  const response = await send(method, path, options);
  if (response.status === 204) return undefined as R;
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

const at = (...parts: (string | number)[]): string => parts.map((part) => encodeURIComponent(part)).join("/");
const V1 = "/api/v1";

export interface ListOptions {
  limit?: number;
  cursor?: string | null;
}

export interface TraceFilter {
  from?: string;
  to?: string;
  app?: string;
  model?: string;
  status?: string;
  min_ms?: number;
  q?: string;
}

export interface ChatRequest {
  model: string;
  messages: { role: string; content: string }[];
  temperature?: number;
  max_tokens?: number;
  seed?: number;
}

type Signal = AbortSignal | undefined;

export const api = {
  overview: (signal?: Signal) => json<T.Overview>("GET", `${V1}/overview`, { signal }),
  apps: (signal?: Signal) => json<T.Page<T.AppSummary>>("GET", `${V1}/apps`, { signal, query: { limit: 200 } }),
  models: (signal?: Signal) => json<T.Page<T.Model>>("GET", `${V1}/models`, { signal }),
  servedModels: (signal?: Signal) => json<{ data: { id: string; owned_by?: string }[] }>("GET", "/v1/models", { signal }),

  knowledge: {
    list: (signal?: Signal) => json<T.Page<T.KnowledgeSummary>>("GET", `${V1}/knowledge`, { signal, query: { limit: 200 } }),
    get: (name: string, signal?: Signal) => json<T.KnowledgeDetail>("GET", `${V1}/knowledge/${at(name)}`, { signal }),
    documents: (name: string, query: ListOptions & { status?: string; q?: string }, signal?: Signal) =>
      json<T.Page<T.Document>>("GET", `${V1}/knowledge/${at(name)}/documents`, { signal, query: { ...query } }),
    document: (name: string, id: string, signal?: Signal) => json<T.Document>("GET", `${V1}/knowledge/${at(name)}/documents/${at(id)}`, { signal }),
    text: (name: string, id: string, signal?: Signal) =>
      json<T.DocumentText>("GET", `${V1}/knowledge/${at(name)}/documents/${at(id)}/text`, { signal }),
    chunks: async (name: string, id: string, signal?: Signal): Promise<T.Chunk[]> => {
      const found: T.Chunk[] = [];
      let cursor: string | null | undefined;
      do {
        const page: T.Page<T.Chunk> = await json("GET", `${V1}/knowledge/${at(name)}/documents/${at(id)}/chunks`, {
          signal,
          query: { limit: 500, cursor },
        });
        found.push(...page.items);
        cursor = page.next;
      } while (cursor);
      return found;
    },
    ingest: (name: string) => json<{ run: T.Run }>("POST", `${V1}/knowledge/${at(name)}/ingest`, { body: {} }),
    runs: (name: string, query: ListOptions, signal?: Signal) =>
      json<T.Page<T.Run>>("GET", `${V1}/knowledge/${at(name)}/runs`, { signal, query: { ...query } }),
    search: (name: string, request: T.SearchRequest, signal?: Signal) =>
      json<T.Retrieved>("POST", `${V1}/knowledge/${at(name)}/search`, { signal, body: request }),
  },

  runs: {
    get: (id: string, signal?: Signal) => json<T.Run>("GET", `${V1}/runs/${at(id)}`, { signal }),
    events: (id: string, signal: AbortSignal) => events("GET", `${V1}/runs/${at(id)}/events`, { signal }),
  },

  traces: {
    list: (query: TraceFilter & ListOptions, signal?: Signal) => json<T.Page<T.TraceSummary>>("GET", `${V1}/traces`, { signal, query: { ...query } }),
    get: (id: string, signal?: Signal) => json<T.Trace>("GET", `${V1}/traces/${at(id)}`, { signal }),
    replay: (id: string, swap: Record<string, string>) => json<T.Replay>("POST", `${V1}/traces/${at(id)}/replay`, { body: { with: swap } }),
  },

  assets: {
    list: (query: ListOptions & { kind?: string }, signal?: Signal) =>
      json<T.Page<T.AssetSummary>>("GET", `${V1}/assets`, { signal, query: { ...query } }),
    get: (kind: string, name: string, version: string | undefined, signal?: Signal) =>
      json<T.Asset>("GET", `${V1}/assets/${at(kind, name)}`, { signal, query: { version } }),
    versions: (kind: string, name: string, query: ListOptions, signal?: Signal) =>
      json<T.Page<T.AssetVersion>>("GET", `${V1}/assets/${at(kind, name)}/versions`, { signal, query: { ...query } }),
    diff: (kind: string, name: string, from: number, to: number, signal?: Signal) =>
      json<T.AssetDiff>("GET", `${V1}/assets/${at(kind, name)}/diff`, { signal, query: { from, to } }),
    /** `expected` is the version the alias was seen on, 0 when there was none; a conflict says that it moved meanwhile. */
    setAlias: (kind: string, name: string, alias: string, to: string, expected: number) =>
      json<unknown>("PUT", `${V1}/assets/${at(kind, name)}/aliases/${at(alias)}`, { body: { to, expected } }),
  },

  keys: {
    list: (signal?: Signal) => json<T.Page<T.ApiKey>>("GET", `${V1}/keys`, { signal, query: { limit: 200 } }),
    create: (key: T.NewKey) => json<T.CreatedKey>("POST", `${V1}/keys`, { body: key }),
    revoke: (id: string) => json<void>("DELETE", `${V1}/keys/${at(id)}`),
  },

  /** Streams an answer; leaving the loop, or the signal, stops the work behind it. */
  async *chat(request: ChatRequest, signal: AbortSignal): AsyncGenerator<T.ChatChunk> {
    const body = { ...request, stream: true, stream_options: { include_usage: true } };
    for await (const event of events("POST", "/v1/chat/completions", { body, signal })) {
      if (event.data === "[DONE]") return;
      const chunk = JSON.parse(event.data) as T.ChatChunk;
      if (chunk.error) {
        throw new ApiError({ title: chunk.error.message, status: 500, code: chunk.error.code ?? chunk.error.type ?? "stream-failed" });
      }
      yield chunk;
    }
  },
};
