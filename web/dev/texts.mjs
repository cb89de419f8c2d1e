// Documents for the stand-in server: several scripts, pages, code, tables.

export const documents = [
  {
    uri: "docs/concepts/lake.md",
    title: "The lake",
    text: `# The lake

The lake keeps what is too much for the catalog: chunks and their vectors, traces, datasets. It is made of Lance tables in a local directory, or below an \`s3://\` address.

## Durability

Every commit of the lake is synced to disk before it is acknowledged, so that a power cut loses nothing that was promised. Appends are grouped: many small writes wait for each other for a few milliseconds and share one commit.

When the newest version of a table is torn, which a power cut in the middle of a commit can leave behind, the server opens the last good version at start, moves the torn manifest aside, and says what it did.

> Set \`durability = "process"\` to trade this for speed. Commits then survive the death of the process, but not of the machine.

## Versions

Each commit makes a new version of its table. Old versions stay readable while a trace or release names them; everything else is cleaned by policy. A replay whose version is gone says so instead of answering from another one.

## Upkeep

| Task | When | Cost |
|---|---|---|
| compact | more than 32 small fragments | 0.2 to 1.5 s |
| fold in new rows | 5,000 unindexed rows | 26 ms |
| prune | hourly | a few ms |

\`\`\`toml
[lake]
url = "s3://acme-mainspring/lake"
durability = "disk"
\`\`\`
`,
  },
  {
    uri: "docs/concepts/assets.md",
    title: "Assets, versions and aliases",
    text: `# Assets, versions and aliases

An asset is a named thing under versions: a prompt, a chain, an app, knowledge. A version never changes; its name is its digest.

## Aliases

An alias is a movable name for a version, such as \`production\` or \`candidate\`. Aliases move atomically with compare-and-set: a move says where it expects the alias to be, and fails when somebody else moved it meanwhile. Moving back is the undo.

\`\`\`
mainspring alias prompt/grounded-answer production v4 --expect v3
\`\`\`

## References

A chain names its prompt and its knowledge by reference. \`grounded-answer\` means the newest version, \`grounded-answer@production\` follows the alias, \`grounded-answer@v3\` and \`grounded-answer@sha256:…\` stay where they are.

## Comparing

\`mainspring diff prompt/grounded-answer v3 v4\` shows what changed, field by field. The page shows the same, line by line.
`,
  },
  {
    uri: "docs/guides/ingestion.md",
    title: "Getting documents in",
    text: `# Getting documents in

A knowledge spec names sources: folders, files, pages and sitemaps over HTTP, git repositories, S3 prefixes. \`mainspring ingest\` reads them.

## What is read again

Only what changed is parsed, and only text that has no vector yet is embedded. A second ingest with nothing changed takes under two seconds for ten thousand files. Deleted and moved files are followed.

## Parsers

Markdown, HTML, PDF, DOCX, PPTX, XLSX, CSV, plain text, source code, e-mail and JSON. Each file is parsed in a child process with limits on memory, time, size, depth and expansion, because a hang in a parser cannot be caught any other way. A bad file is reported by name and reason and never stops the rest.

## When a parser hangs

When a parser hangs on a PDF, its process is killed at the wall clock limit (20 seconds by default), the document is marked as failed with the code \`parser-timeout\`, and the next file goes on in a fresh process.

## Changing the embedding model

A new embedding model or chunking builds a new table beside the old one and switches atomically when it is complete. Until then the old one answers.
`,
  },
  {
    uri: "docs/guides/access.md",
    title: "Keys, roles and access labels",
    labels: ["ops"],
    text: `# Keys, roles and access labels

On loopback no key is needed. Listening anywhere else requires at least one.

## Creating a key

\`mainspring keys create support-bot --role reader --label hr\` makes an API key for a read-only client and prints it once. It is stored as a hash and cannot be shown again.

## Roles

- **reader** asks, searches, looks
- **editor** also changes assets and ingests
- **admin** also manages keys, members and deletion

## Access labels

A document without labels is visible to everyone in the project. A document with labels is visible only to actors holding at least one of them. Labels are enforced inside the search query itself, so hits, counts, citations and traces never show what the asker may not see.
`,
  },
  {
    uri: "docs/guides/ja/埋め込み.md",
    title: "埋め込みモデルの変更",
    text: `# 埋め込みモデルの変更

埋め込みモデルを変更すると、新しいテーブルが古いテーブルの隣に作られ、完成した時点で原子的に切り替わります。🔁

## 切り替えまでの間

切り替えが終わるまで、検索は古いテーブルが答えます。途中でプロセスが停止しても、次の実行が続きから再開します。

## 確認

\`mainspring doctor\` は、モデルのダイジェスト、ディスクの空き容量、ポートの状態を確認します。
`,
  },
  {
    uri: "docs/guides/postgres.md",
    title: "PostgreSQL als Katalog",
    text: `# PostgreSQL als Katalog

Standardmäßig liegt der Katalog in SQLite. Für mehrere Prozesse über einem gemeinsamen Speicher wird PostgreSQL verwendet.

## Einrichten

Lege eine leere Datenbank an und setze \`MAINSPRING_CATALOG=postgres://mainspring@db.intern/mainspring\`. Beim Start werden die Migrationen ausgeführt – größere Änderungen kündigt \`mainspring doctor\` vorher an.

## Ausfall

Ist die Datenbank kurzzeitig nicht erreichbar, antwortet der Server mit 503 und versucht es weiter. Anfragen, die nur gelesene Versionen brauchen, laufen aus dem Zwischenspeicher weiter.
`,
  },
  {
    uri: "docs/reference/server.md",
    title: "The server",
    text: `# The server

One process, one port. It listens on \`127.0.0.1:7400\` unless told otherwise; data is in \`./.mainspring\`.

## Addresses

| Path | What |
|---|---|
| \`/v1/…\` | OpenAI’s API |
| \`/api/v1/…\` | our own |
| \`/v1/traces\` | OpenTelemetry traces |
| \`/healthz\`, \`/readyz\`, \`/metrics\` | for machines that watch |

## Shutdown

On SIGTERM the server stops accepting, finishes what it answers, writes spans that wait, and leaves. After 20 seconds it names what did not finish.

## Doctor

\`mainspring doctor\` checks the data directory, free space, models by digest, the catalog’s migrations, the lake’s newest versions, and whether the CPU has AVX2.
`,
  },
  {
    uri: "docs/reference/replay.md",
    title: "Replay",
    text: `# Replay

Every answer names the versions it used: app, chain, prompt, model, and the version of each lake table it read. \`mainspring replay TRACE\` answers again against exactly those, and shows the difference.

## Swapping one

\`mainspring replay TRACE --with prompt/grounded-answer=@candidate\` swaps one version and keeps the rest. This tells what yesterday’s traffic would have said.

## Old answers

An answer from last week can be replayed as long as its table versions are retained. The retention is 30 days by default; a replay whose version is gone says so.
`,
  },
  {
    uri: "docs/reports/2025-audit.pdf",
    title: "Retrieval audit 2025",
    text: `# Retrieval audit 2025

Prepared for the platform group. This report measures how well search finds what people ask for.

## Summary

Hybrid search found the right passage among the first ten for 96.6 % of questions. Words alone reached 95.9 %, vectors alone 94.3 %.

\f## Method

1,190 questions over 240 paragraphs. Every question has exactly one paragraph that answers it. Ranks were fused reciprocally with k = 60.

Reranking by late interaction moved the right passage up in 212 cases and down in 64.

\f## Findings

1. Short questions with one rare name are best served by words.
2. Questions that paraphrase are best served by vectors.
3. Neither alone is safe: the failures hardly overlap.
`,
  },
];
