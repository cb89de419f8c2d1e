// Names the page uses for what the server says. The shapes are generated (`schema.d.ts`, from openapi/rest.json);
// only `/v1`, which is OpenAI's and not in that document, is written here.

import type { components } from "./schema";

type Schemas = components["schemas"];

export type Page<T> = Omit<Schemas["Page_AppSummary"], "items"> & { items: T[] };

/** RFC 9457, with our stable `code`. What the page makes up itself, without a server, has no more than this. */
export type Problem = Pick<Schemas["ProblemBody"], "title" | "status" | "code"> & {
  [Field in "type" | "detail" | "hint" | "request_id"]?: Schemas["ProblemBody"][Field] | null;
};

export type Overview = Schemas["Overview"];
export type ActivityBucket = Schemas["ActivityBucket"];
export type HealthItem = Schemas["HealthItem"];
export type AppSummary = Schemas["AppSummary"];
export type Model = Schemas["ModelView"];

export type KnowledgeSummary = Schemas["KnowledgeSummary"];
export type KnowledgeDetail = Schemas["KnowledgeDetail"];
export type Source = Schemas["SourceView"];
export type Document = Schemas["DocumentView"];
export type DocumentText = Schemas["DocumentText"];
export type Block = Schemas["BlockView"];
export type Chunk = Schemas["ChunkView"];
export type Run = Schemas["RunView"];
export type Progress = Schemas["IngestProgress"];
export type Report = Schemas["IngestReport"];
export type Tombstone = Schemas["TombstoneView"];

export type SearchRequest = Schemas["SearchRequest"];
export type HitScores = Schemas["HitScores"];
export type Passage = Schemas["Passage"];
export type Retrieved = Schemas["Retrieved"];
export type TablePin = Schemas["TablePin"];

export type TraceSummary = Schemas["TraceSummary"];
export type Trace = Schemas["TraceView"];
export type Span = Schemas["SpanView"];
export type SpanEvent = Schemas["SpanEventView"];
export type Replay = Schemas["Replay"];

export type RouteTarget = Schemas["TargetView"];
export type TargetHistory = Schemas["TargetHistory"];
export type RouteExplanation = Schemas["RouteExplanation"];
export type UsageView = Schemas["UsageView"];
export type UsageRow = Schemas["UsageRow"];
export type Call = Schemas["CallView"];
/** One event of the live view, by its `event`. */
export type LiveCall = Schemas["LiveCall"];
export type StartedCall = Schemas["StartedCall"];
export type AnsweringCall = Schemas["AnsweringCall"];
export type Batch = Schemas["BatchView"];
export type Limit = Schemas["LimitView"];
export type NewLimit = Schemas["NewLimit"];

export type AssetSummary = Schemas["AssetSummary"];
export type Alias = Schemas["AliasView"];
export type AssetVersion = Schemas["AssetVersion"];
export type Asset = Schemas["AssetView"];
export type AssetReference = Schemas["AssetReference"];
export type AssetDiff = Schemas["AssetDiff"];

export type Project = Schemas["ProjectView"];
export type NewProject = Schemas["NewProject"];
export type Member = Schemas["MemberView"];
export type NewMember = Schemas["NewMember"];
export type MemberChange = Schemas["MemberChange"];
export type Job = Schemas["JobView"];

export type ApiKey = Schemas["KeyView"];
export type NewKey = Schemas["NewKey"];
export type RotateKey = Schemas["RotateKey"];
export type CreatedKey = Schemas["CreatedKey"];

// ── Answers (OpenAI's shape, with ours beside it) ───────────────────────────

/** A passage as the model saw it, under its number. */
export interface AnswerSource extends Pick<
  Passage,
  "chunk" | "document" | "title" | "uri" | "heading_path" | "page" | "start" | "end" | "text" | "scores"
> {
  number: number;
  knowledge: string;
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

/** What is known about an answer beside its text: the `mainspring` field. Sources come before the first token, the rest at the end. */
export interface Outcome {
  sources: AnswerSource[];
  trace_id?: string;
  target?: string;
  versions?: string[];
  tables?: TablePin[];
  abstained?: boolean;
  citations?: Citation[];
  unsupported?: Unsupported[];
  invented_citations?: number[];
  dropped_sources?: number;
  timings?: [string, number][];
}

export interface ServedModels {
  data: { id: string; mainspring?: { kind: string } }[];
}

/** Who answers, as the answer's headers say; empty where no provider was asked. */
export interface Via {
  provider?: string;
  target?: string;
  attempts?: number;
  cache?: string;
}

export interface ChatChunk {
  /** From the answer's headers: there before anything else, and when nothing else comes. */
  trace_id?: string;
  via?: Via;
  choices?: { index: number; delta?: { content?: string | null; reasoning_content?: string | null }; finish_reason?: string | null }[];
  usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number } | null;
  mainspring?: Outcome;
  error?: { message: string; type?: string; code?: string | null };
}
