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
export type DocumentLink = Schemas["LinkView"];
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
export type Unread = Schemas["Unread"];

export type TraceSummary = Schemas["TraceSummary"];
export type LogRecord = Schemas["LogRecord"];
export type Trace = Schemas["TraceView"];
export type Span = Schemas["SpanView"];
export type SpanEvent = Schemas["SpanEventView"];
export type Replay = Schemas["Replay"];
export type Metric = Schemas["MetricView"];
export type MetricForm = Schemas["MetricFormView"];
export type MetricSeries = Schemas["MetricSeriesView"];
export type Drift = Schemas["DriftView"];
export type FieldDrift = Schemas["FieldDriftView"];
export type DriftBin = Schemas["DriftBinView"];
export type TopicDrift = Schemas["TopicDriftView"];
export type ConventionReport = Schemas["ConventionReport"];
export type ServiceConventions = Schemas["ServiceConventions"];
export type UnknownAttribute = Schemas["UnknownAttribute"];
export type TraceTree = Schemas["TraceTree"];
export type TraceTotals = Schemas["TraceTotals"];
export type TreeSpan = Schemas["TreeSpan"];
export type SpanReading = Schemas["SpanReading"];
export type SpanMessage = Schemas["SpanMessage"];
export type MessagePart = Schemas["MessagePart"];
export type FoundDocument = Schemas["DocumentFound"];
export type SpanSummary = Schemas["SpanSummary"];
export type SessionSummary = Schemas["SessionSummary"];
export type SessionView = Schemas["SessionView"];
export type UserSummary = Schemas["UserSummary"];
export type TraceMetrics = Schemas["TraceMetrics"];
export type FilterField = Schemas["FilterField"];
/** One event of the live tail, by its `event`. */
export type TailEvent = Schemas["TailEvent"];

export type Score = Schemas["ScoreView"];
export type NewScore = Schemas["NewScore"];
export type Feedback = Schemas["FeedbackRequest"];

export type RouteTarget = Schemas["TargetView"];
export type TargetHistory = Schemas["TargetHistory"];
export type Process = Schemas["ProcessView"];
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
export type CaptureView = Schemas["CaptureView"];
export type SetCapture = Schemas["SetCapture"];
export type PreviewCapture = Schemas["PreviewCapture"];

export type Monitor = Schemas["MonitorView"];
export type MonitorSlices = Schemas["MonitorSlices"];
export type MonitorDetail = Schemas["MonitorDetail"];
export type MonitorSlice = Schemas["MonitorSlice"];
export type MonitorAlert = Schemas["MonitorAlert"];
export type MonitorEvaluation = Schemas["MonitorEvaluation"];
export type MonitorLook = Schemas["MonitorLook"];

export type Incident = Schemas["IncidentView"];
export type IncidentState = "open" | "acknowledged" | "resolved";
export type IncidentDetail = Schemas["IncidentDetail"];
export type IncidentAlert = Schemas["AlertView"];
export type IncidentChange = Schemas["ChangeView"];
export type IncidentEvent = Schemas["IncidentEvent"];
export type IncidentDelivery = Schemas["DeliveryView"];
export type Receiver = Schemas["ReceiverView"];
export type Silence = Schemas["SilenceView"];
export type NewSilence = Schemas["NewSilence"];

export type DashboardSummary = Schemas["DashboardSummary"];
export type DashboardData = Schemas["DashboardData"];
export type PanelData = Schemas["PanelData"];
export type SqlAnswer = Schemas["SqlAnswer"];
export type SqlSchema = Schemas["SqlSchema"];

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
export type Retention = Schemas["RetentionView"];
export type SetRetention = Schemas["SetRetention"];
export type Erasure = Schemas["ErasureView"];
export type NewErasure = Schemas["NewErasure"];

export type ApiKey = Schemas["KeyView"];
export type NewKey = Schemas["NewKey"];
export type RotateKey = Schemas["RotateKey"];
export type CreatedKey = Schemas["CreatedKey"];

// ── Answers (OpenAI's shape, with ours beside it) ───────────────────────────

/** A passage as the model saw it, under its number. */
export interface AnswerSource extends Pick<
  Passage,
  "chunk" | "document" | "title" | "uri" | "heading_path" | "page" | "start" | "end" | "text" | "table_head" | "scores"
> {
  number: number;
  knowledge: string;
  /** Conversations kept by the browser from before have none. */
  document_digest?: string;
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
  unread?: Unread[];
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
