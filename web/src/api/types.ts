// What the server says, as the page reads it. The one file that knows the wire.

export interface Page<T> {
  items: T[];
  next?: string | null;
}

/** RFC 9457, with our stable `code`. */
export interface Problem {
  type?: string;
  title: string;
  status: number;
  code: string;
  detail?: string | null;
  hint?: string | null;
  request_id?: string | null;
}

// ── Overview ────────────────────────────────────────────────────────────────

export interface Overview {
  version?: string;
  projects: ProjectSummary[];
  apps: AppSummary[];
  knowledge: KnowledgeSummary[];
  activity: ActivityBucket[];
  health: HealthItem[];
}

export interface ProjectSummary {
  id: string;
  name: string;
  role?: Role;
}

export interface ActivityBucket {
  start: string;
  requests: number;
  errors: number;
  p50_ms?: number | null;
  p95_ms?: number | null;
}

export type HealthState = "ok" | "busy" | "degraded" | "down" | "off";

export interface HealthItem {
  component: string;
  state: HealthState;
  detail?: string | null;
  facts?: Record<string, string | number | boolean | null>;
}

export interface AppSummary {
  name: string;
  description?: string | null;
  version: number;
  digest: string;
  chain?: string | null;
  model?: string | null;
  prompt?: string | null;
  knowledge: string[];
  examples?: string[];
  requests_24h?: number | null;
  errors_24h?: number | null;
  p50_ms?: number | null;
  p95_ms?: number | null;
  last_request_at?: string | null;
}

export interface Model {
  name: string;
  role: string;
  state: string;
  digest?: string | null;
  bytes?: number | null;
  dimensions?: number | null;
  context_window?: number | null;
  licence?: string | null;
  detail?: string | null;
}

// ── Knowledge ───────────────────────────────────────────────────────────────

export interface KnowledgeSummary {
  name: string;
  description?: string | null;
  version: number;
  digest: string;
  embedder?: string | null;
  documents: number;
  failed: number;
  chunks: number;
  tokens?: number | null;
  fresh_at?: string | null;
  state?: string | null;
  last_run?: Run | null;
}

export interface KnowledgeDetail extends KnowledgeSummary {
  sources: Source[];
  chunking?: Record<string, unknown> | null;
  retrieval?: Record<string, unknown> | null;
  table?: TablePin | null;
  unindexed_rows?: number | null;
}

export interface Source {
  name?: string | null;
  kind: string;
  location: string;
  include?: string[];
  exclude?: string[];
  labels?: string[];
  schedule?: string | null;
  documents?: number | null;
  failed?: number | null;
  synced_at?: string | null;
}

export type DocumentStatus = "ready" | "failed" | "pending" | "forgotten";

export interface Document {
  id: string;
  title: string;
  uri: string;
  source?: string | null;
  media_type: string;
  status: DocumentStatus;
  reason?: string | null;
  reason_code?: string | null;
  bytes?: number | null;
  pages?: number | null;
  chunks: number;
  tokens?: number | null;
  labels: string[];
  metadata?: Record<string, string>;
  digest?: string | null;
  ingested_at?: string | null;
}

export interface DocumentText {
  text: string;
  digest: string;
  blocks: Block[];
}

export interface Block {
  kind: string;
  /** UTF-8 byte offsets into the text, as everywhere on the wire. */
  start: number;
  end: number;
  level?: number | null;
  page?: number | null;
  language?: string | null;
}

export interface Chunk {
  id: string;
  ordinal: number;
  start: number;
  end: number;
  tokens: number;
  heading_path: string[];
  page?: number | null;
  header?: string | null;
}

export type RunStatus = "queued" | "running" | "succeeded" | "failed" | "cancelled";

export interface Run {
  id: string;
  kind: string;
  knowledge?: string | null;
  status: RunStatus;
  created_at?: string | null;
  started_at?: string | null;
  finished_at?: string | null;
  progress?: Progress | null;
  report?: Report | null;
  error?: { code?: string; detail?: string } | null;
  trace_id?: string | null;
}

export interface Progress {
  stage: string;
  documents_total?: number | null;
  documents_done: number;
  documents_unchanged?: number;
  documents_failed?: number;
  chunks: number;
  tokens: number;
  tokens_per_second?: number | null;
  eta_seconds?: number | null;
  current?: string | null;
}

export interface Report {
  added: number;
  changed: number;
  unchanged: number;
  moved?: number;
  deleted: number;
  failed: number;
  chunks: number;
  tokens: number;
  embedded?: number;
  seconds: number;
  failures?: { document?: string; uri: string; code: string; detail: string }[];
}

// ── Search ──────────────────────────────────────────────────────────────────

export type SearchMode = "hybrid" | "vector" | "text";

export interface SearchRequest {
  query: string;
  mode?: SearchMode;
  limit?: number;
  rerank?: boolean;
  metadata?: Record<string, string[]>;
}

export interface HitScores {
  score: number;
  vector_rank: number | null;
  vector_score: number | null;
  text_rank: number | null;
  text_score: number | null;
  fused_score: number | null;
  rerank_score: number | null;
}

export interface Passage {
  chunk: string;
  document: string;
  title: string;
  uri: string;
  media_type: string;
  heading_path: string[];
  page: number | null;
  start: number;
  end: number;
  text: string;
  tokens: number;
  labels: string[];
  metadata: Record<string, string>;
  scores: HitScores;
  document_digest: string;
}

export interface TablePin {
  table: string;
  version: number;
  transaction: string;
}

export interface Retrieved {
  passages: Passage[];
  mode: SearchMode;
  reranked: boolean;
  pin: TablePin;
  knowledge: string;
  knowledge_digest: string;
  embedder: string | null;
  timings: [string, number][];
}

// ── Answers (OpenAI's shape, with ours beside it) ───────────────────────────

export interface Annotation {
  type: string;
  url_citation?: { url?: string; title?: string; start_index?: number; end_index?: number };
}

/** A passage as the model saw it, under its number. */
export interface AnswerSource {
  number: number;
  knowledge: string;
  document: string;
  chunk: string;
  title: string;
  uri: string;
  heading_path: string[];
  page: number | null;
  start: number;
  end: number;
  text: string;
  scores: HitScores;
  cited: boolean;
}

export interface Citation {
  source: number;
  /** In characters (Unicode scalar values) of the answer. */
  start: number;
  end: number;
  origin: "cited" | "attributed";
  support: number;
}

export interface Unsupported {
  start: number;
  end: number;
  text: string;
}

/** What is known about an answer beside its text: the `mainspring` field. */
export interface Outcome {
  trace_id: string;
  target?: string;
  versions?: string[];
  tables?: TablePin[];
  abstained: boolean;
  sources: AnswerSource[];
  citations?: Citation[];
  unsupported: Unsupported[];
  invented_citations?: number[];
  dropped_sources?: number;
  timings?: [string, number][];
}

export interface ChatChunk {
  id?: string;
  model?: string;
  choices?: { index: number; delta?: { content?: string | null; annotations?: Annotation[] }; finish_reason?: string | null }[];
  usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number } | null;
  mainspring?: Outcome;
  error?: { message: string; type?: string; code?: string | null };
}

// ── Traces ──────────────────────────────────────────────────────────────────

export interface TraceSummary {
  trace_id: string;
  name: string;
  app?: string | null;
  model?: string | null;
  status: "ok" | "error" | "unset";
  error?: string | null;
  start: string;
  duration_ms: number;
  spans?: number | null;
  input_tokens?: number | null;
  output_tokens?: number | null;
  preview?: string | null;
}

export interface Trace {
  trace_id: string;
  spans: Span[];
}

export interface Span {
  span: string;
  trace: string;
  parent: string | null;
  name: string;
  kind: string;
  start: string;
  end: string;
  status: { code: "ok" | "error" | "unset"; message?: string };
  attributes: Record<string, unknown>;
  events: SpanEvent[];
}

export interface SpanEvent {
  name: string;
  at: string;
  attributes: Record<string, unknown>;
}

export interface Replay {
  trace_id: string;
  replay_trace_id?: string | null;
  same: boolean;
  original: string;
  replayed: string;
  versions: { what: string; original: string | null; replayed: string | null }[];
  sources?: { original: string[]; replayed: string[] } | null;
  tables?: TablePin[];
  notes?: string[];
}

// ── Assets ──────────────────────────────────────────────────────────────────

export const ASSET_KINDS = ["app", "chain", "prompt", "knowledge", "model", "policy", "dataset", "suite", "pipeline", "recipe"] as const;

export interface AssetSummary {
  kind: string;
  name: string;
  description?: string | null;
  version: number;
  digest: string;
  aliases: Alias[];
  updated_at?: string | null;
}

export interface Alias {
  alias: string;
  version: number;
  digest?: string;
  moved_at?: string | null;
  moved_by?: string | null;
}

export interface AssetVersion {
  version: number;
  digest: string;
  author?: string | null;
  message?: string | null;
  created_at: string;
}

export interface Asset extends AssetSummary {
  spec: unknown;
  author?: string | null;
  message?: string | null;
  created_at?: string | null;
  references: AssetReference[];
  referenced_by?: AssetReference[];
}

export interface AssetReference {
  kind: string;
  name: string;
  version?: number | null;
  digest?: string | null;
  path?: string | null;
  given?: string | null;
}

export interface AssetDiff {
  from: number;
  to: number;
  changes: { path: string; op: "added" | "removed" | "changed"; before?: unknown; after?: unknown }[];
}

// ── Keys ────────────────────────────────────────────────────────────────────

export type Role = "reader" | "editor" | "admin";

export interface ApiKey {
  id: string;
  name: string;
  role: Role;
  /** `"all"`, or the labels held. */
  labels: "all" | string[];
  hint?: string | null;
  created_at: string;
  expires_at?: string | null;
  last_used_at?: string | null;
  revoked_at?: string | null;
}

export interface NewKey {
  name: string;
  role: Role;
  /** Absent: all. */
  labels?: "all" | string[];
  expires_at?: string | null;
}

export interface CreatedKey {
  key: ApiKey;
  secret: string;
}
