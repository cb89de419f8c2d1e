// Generated from openapi/rest.json by `npm run client`; not to be edited.

export interface paths {
    "/api/v1/overview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Projects, apps, knowledge, the last day's activity, and how the parts are. */
        get: operations["get_overview"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How the parts of the process are: the stores, the models, whether the project's providers have their keys, spans on their way to the lake, the process itself, and
         *     of a server whether monitors can look and notices arrive.
         */
        get: operations["list_health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/apps": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists apps with the last day's traffic. */
        get: operations["list_apps"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the models this server can reach, by name. */
        get: operations["list_local_models"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/knowledge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists knowledge with its counts and freshness. */
        get: operations["list_knowledge"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/knowledge/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows one knowledge: sources, settings, the table that is searched. */
        get: operations["get_knowledge"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/knowledge/{name}/documents": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists documents the caller may see. */
        get: operations["list_documents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/knowledge/{name}/documents/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows one document. */
        get: operations["get_document"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/knowledge/{name}/documents/{id}/text": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A document's parsed text with its structure and its links; offsets everywhere count in it. With `digest`, the text a passage was cut
         *     from: a passage's `document_digest` names it, also after the document changed.
         */
        get: operations["get_document_text"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/knowledge/{name}/documents/{id}/chunks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A document's chunks, in the order of its text. */
        get: operations["list_chunks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/knowledge/{name}/search": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Searches by address; the same answer as by `POST`, which also takes table versions. `metadata.KEY=VALUE` narrows
         *     by metadata; several values of one key mean any of them.
         */
        get: operations["search_knowledge_by_address"];
        put?: never;
        /** Searches, and says why each passage ranked where it did. */
        post: operations["search_knowledge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/knowledge/{name}/forget": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Removes documents from everywhere and gives a receipt; traces that used them lose what was written and read. */
        post: operations["forget_documents"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/knowledge/{name}/receipts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the receipts of what was forgotten, newest first. */
        get: operations["list_receipts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/knowledge/{name}/receipts/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows one receipt. */
        get: operations["get_receipt"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/knowledge/{name}/tombstones": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what is kept out because it was forgotten, newest first. */
        get: operations["list_tombstones"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/knowledge/{name}/tombstones/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Lifts a tombstone, so that the next ingestion takes the document in again. `id` is the document's, or the name it
         *     has within its source.
         */
        delete: operations["lift_tombstone"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/knowledge/{name}/ingest": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Brings a knowledge up to date. Answers when the run has begun, or, with `wait`, when it has ended. With
         *     `if_changed` nothing begins unless a local folder or file holds something new.
         */
        post: operations["ingest_knowledge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/knowledge/{name}/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the ingestion runs of a knowledge, newest first. */
        get: operations["list_runs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the ingestion runs of every knowledge, newest first. */
        get: operations["list_all_runs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows one run. */
        get: operations["get_run"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Follows one run: server-sent events, each a whole run, the last when it has ended. */
        get: operations["follow_run"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists jobs, newest first: what a schedule, a watch or a run that broke off asked for. Ended ones are kept a week. */
        get: operations["list_jobs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Cancels a job: one that waits ends at once, one that runs as soon as its worker heeds it. */
        post: operations["cancel_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/batches": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists batches, newest first. */
        get: operations["list_batches"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/batches/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows how far a batch is, and how it ended. */
        get: operations["get_batch"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/batches/{id}/results": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists what lines gave, in the order they ended, also while the batch goes on: those that went well, or with
         *     `failed=true` the others.
         */
        get: operations["list_batch_results"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/batches/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Begins no further line of a batch; what there is is kept. Only whoever made it may, and editors. */
        post: operations["cancel_batch"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists incidents, newest first: in a state, or this bad or worse. For whoever sees every trace, as all of incidents is. */
        get: operations["list_incidents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows an incident with its alerts, what changed before it, its history and who was told. */
        get: operations["get_incident"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/acknowledge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Says that somebody looks after an incident: nobody is reminded of it any more. */
        post: operations["acknowledge_incident"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/resolve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends an incident by hand. It opens again when one of its alerts is raised again within the hour. */
        post: operations["resolve_incident"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Tries the deliveries of an incident again that were given up. */
        post: operations["retry_incident"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists deliveries, newest first: in a state, to a receiver, of an incident. */
        get: operations["list_deliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/monitors": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists monitors by name, each with where it stood at its last look. What a look found is of every trace: whoever may not see
         *     them all is told what is watched, and that the rest is hidden.
         */
        get: operations["list_monitors"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/monitors/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows a monitor with its spec, its slices at the last look and its alerts that go on, to whoever sees every trace. */
        get: operations["get_monitor"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/monitors/{name}/evaluations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what looks at a monitor found, newest first, for whoever sees every trace. The newest 2000 are kept. */
        get: operations["list_monitor_evaluations"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/monitors/{name}/evaluate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Looks at a monitor now and says what it finds among the traces that the caller may see. With `raise`, which takes the role
         *     editor and the sight of every trace, it counts as a look: it is remembered, and alerts are raised and resolved.
         */
        post: operations["evaluate_monitor"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/receivers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists receivers by name, with how their deliveries stand. */
        get: operations["list_receivers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/receivers/{name}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sends a notice that says it is a test, once and at once, and answers what happened. */
        post: operations["test_receiver"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/silences": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists silences that have not ended, newest first, or with `ended=true` all of them. */
        get: operations["list_silences"];
        put?: never;
        /** Tells nobody of alerts for which all matchers hold, for a while. */
        post: operations["create_silence"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/silences/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Ends a silence now. What it has hidden and still goes on is told of within seconds. */
        delete: operations["end_silence"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/traces": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists traces, newest first. `filter` and the other parameters are asked of the span by which a trace is entered; with
         *     `any=true` of every span, and the trace whose newest span passes comes first. Where nothing is found and a span further in
         *     passes, `hint` says so.
         */
        get: operations["list_traces"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/traces/count": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Counts traces by the span by which they are entered; with `any=true` those of which any span passes. Where there are none
         *     and a span further in passes, `hint` says so.
         */
        get: operations["count_traces"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/traces/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Measures spans: `measures` such as `count,error_rate,cost,duration_p95`, in groups `by` fields such as `model,app`, over
         *     time in buckets such as `1h`. `score.NAME.mean` is of scores; `count`, `min`, `max`, `p50`, `p90`, `p95` and `p99` go as well. Of the last day where no `from` is given. Write `entry` in the filter to measure traces.
         */
        get: operations["measure_traces"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/traces/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Exports every span that passes, oldest first: as `jsonl`, a span on each line as `GET /api/v1/traces/{id}` shows it but
         *     with its large values, as `otlp-json`, an OTLP export request on each line, or as one `parquet` file, with large values in
         *     their places too. An export that breaks off has failed: it cannot end early and look whole.
         */
        get: operations["export_traces"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/traces/tail": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follows traces as they come, those of other servers of the same lake some seconds later: server-sent events, one for each span by which a trace is entered and that
         *     passes the filter; with `spans=true` every span that passes. A reader that is too slow is told how much it missed. The
         *     stream ends after five minutes; whoever looks asks again. With `follow=false` it ends after its first event.
         */
        get: operations["tail_traces"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/spans": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists spans, newest first: all that pass, wherever they stand in their traces. */
        get: operations["list_spans"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/spans/count": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Counts spans. */
        get: operations["count_spans"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists log records, newest first, with what they say: those written in a span and those written in none. `filter` may ask for
         *     their `severity`, `service`, `trace`, `start`, attributes, and for what they say as `content`, in which `q` looks too.
         */
        get: operations["list_logs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/logs/count": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Counts log records. */
        get: operations["count_logs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists sessions, the last active first. `filter` says which spans a session is looked for in; its totals are those of all
         *     its traces.
         */
        get: operations["list_sessions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows one session: its totals, and its traces in the order in which they began. */
        get: operations["get_session"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists end users, the last active first, with the totals of their traces. */
        get: operations["list_users"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/traces/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Shows the spans of a trace whole, in the order in which they began: 1000 a page where nobody says otherwise, 4000 at most, and
         *     fewer where they are large. `total_spans` says how many there are, and `next` where the rest is. `/tree` shows all of a giant
         *     trace in fewer bytes.
         */
        get: operations["get_trace"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/traces/fields": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows the fields that a filter of spans may ask for. */
        get: operations["list_filter_fields"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/traces/{id}/tree": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Shows a trace as a tree without bodies, in the order in which its spans began: up to 4000 spans a page, and what the
         *     whole trace has and used with the first.
         */
        get: operations["get_trace_tree"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/traces/{id}/spans/{span}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows one span whole, as `GET /api/v1/traces/{id}` shows each. */
        get: operations["get_span"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/traces/{id}/spans/{span}/values/{digest}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows the whole of a value that is too large to stand in its span. */
        get: operations["get_value"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retention": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows what the project holds of spans, logs and points of metrics, and how long it stays. */
        get: operations["get_retention"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retention/{kind}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Says how long a kind of telemetry is kept, and how much of it. What is left out is as the settings have it. */
        put: operations["set_retention"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/erasures": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists erasures, newest first. */
        get: operations["list_erasures"];
        put?: never;
        /**
         * Erases what is known of a user, a session, a trace or a document: an erasure under way is answered; it is `done` when no
         *     file holds any of it.
         */
        post: operations["create_erasure"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/erasures/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows one erasure. */
        get: operations["get_erasure"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/traces/conventions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Says which conventions and versions the newest spans of each service are written in, names that are not understood, and
         *     attributes of the senders' own.
         */
        get: operations["get_trace_conventions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/traces/{id}/reading": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Shows what a span says in one model: facts, messages as a conversation, documents, and why its times may be doubtful. `span`
         *     names it; otherwise it is the one the trace begins with.
         */
        get: operations["read_span"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/metric-points": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists points of metrics, newest first. */
        get: operations["list_metric_points"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists metrics that programs sent points of, by name: what they are, who sends them and what they said last. Of the last day
         *     where no `from` is given, which may be a moment or how long ago: `6h`. `q` finds those with this in their name.
         */
        get: operations["list_metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/metrics/{name}/series": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Shows what a metric came to over time, in steps such as `5m`, with the values of an attribute told apart: `by=region`. Of the
         *     last day where no `from` is given. Counters are told as increases and rates, whether they are sent as differences or as
         *     totals; percentiles of histograms are estimated from their buckets. Where several are sent under the name, it is what was sent
         *     last, unless it is said which: by its `kind`; its `unit`, which may be empty; of sums by whether they are `monotonic`; and by the
         *     `temporality` of its points, which is `cumulative`, `delta` or `unspecified`.
         */
        get: operations["metric_series"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/drift": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Compares the spans that began from `from` to `to` (the last day where nobody says), field by field: with as much time
         *     before (`against=previous`), with a stretch of its own (`against=range`, from `reference_from` to `reference_to`), or one
         *     release with another (`against=release`): `release` with `reference_release`; where these are not named, the newest among
         *     the spans with the one before. `field` names fields such as `model,duration`, `attributes["tier"]` or `score.relevance`;
         *     without it all that are kept by the hour are compared, and the scores that were given in this time. Of all services together,
         *     unless `service` names one (`app/NAME` is an app of this server); releases are those of one service, so where several have
         *     some, one has to be named.
         */
        get: operations["compare_drift"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/scores": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists scores, newest first. */
        get: operations["list_scores"];
        put?: never;
        /**
         * Writes a score, or a list of up to 1000. One under an id that is there takes its place. Of a list each that can be is
         *     written, and the answer says what became of each.
         */
        post: operations["write_scores"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/scores/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Deletes a score, and answers what it was. */
        delete: operations["delete_score"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/feedback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Says what the user of an answer thought of it: `up` or `down`, or 1 to 5. It becomes the score `feedback` of the trace. */
        post: operations["give_feedback"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sql": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Answers one `SELECT` over the project's spans, logs and points of metrics; nothing it says can write. */
        post: operations["sql"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sql/schema": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the tables that SQL may ask, with their columns. */
        get: operations["sql_schema"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/dashboards": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists dashboards: the one that is built in first, then the project's own by name. */
        get: operations["list_dashboards"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/dashboards/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows how a dashboard is written. */
        get: operations["get_dashboard"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/dashboards/{name}/data": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Gives the numbers of every panel: of the last day where no `from` is given, told apart `by` a field such as `app`, `model`,
         *     `release`, `key` or `user`, or by an attribute, `attributes["region"]`, and of those spans only that pass the `filter`. Neither
         *     reaches panels in SQL or of a metric.
         */
        get: operations["dashboard_data"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/prometheus/api/v1/query": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Answers PromQL about one moment, as Prometheus does. */
        get: operations["prometheus_query"];
        put?: never;
        /** The same, asked with a form. */
        post: operations["prometheus_query_by_form"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/prometheus/api/v1/query_range": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Answers PromQL over time, as Prometheus does. */
        get: operations["prometheus_query_range"];
        put?: never;
        /** The same, asked with a form. */
        post: operations["prometheus_query_range_by_form"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/prometheus/api/v1/labels": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Names labels: all there are, or those of the series that match. */
        get: operations["prometheus_labels"];
        put?: never;
        /** The same, asked with a form. */
        post: operations["prometheus_labels_by_form"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/prometheus/api/v1/series": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the labels of every series that matches. */
        get: operations["prometheus_series"];
        put?: never;
        /** The same, asked with a form. */
        post: operations["prometheus_series_by_form"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/prometheus/api/v1/label/{name}/values": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the values of a label. */
        get: operations["prometheus_label_values"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/prometheus/api/v1/metadata": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says what each metric is: those over spans, and those that programs sent, of the last day where no `start` is given. */
        get: operations["prometheus_metadata"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/traces/{id}/replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Answers the question of a trace again, and says what is different. `with` swaps parts. */
        post: operations["replay_trace"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/assets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists assets, by kind and name. */
        get: operations["list_assets"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/assets/{kind}/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows one version of an asset: the newest, or `?version=v3`, an alias, a digest. */
        get: operations["get_asset"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/assets/{kind}/{name}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the versions of an asset, newest first. */
        get: operations["list_versions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/assets/{kind}/{name}/diff": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows what changed between two versions (a number, `v3`, an alias or a digest); by default the newest and the one before it. */
        get: operations["diff_versions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/assets/{kind}/{name}/aliases/{alias}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Points an alias at a version, if it still points where the caller thinks. */
        put: operations["move_alias"];
        post?: never;
        /** Removes an alias, if it still points where the caller thinks; the versions stay. */
        delete: operations["remove_alias"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/routes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the targets of the project's routes: breakers, latencies, errors and spend since this process started. */
        get: operations["list_routes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/routes/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the targets of the project's routes did in the last hour, by the minute: attempts, and failures by class. */
        get: operations["get_routes_history"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/processes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the processes that serve calls over this catalog. What the routes' lists say of targets is of the one that answers. */
        get: operations["list_processes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/routes/explain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Says which target a call would take now, and why. Makes no call. */
        post: operations["explain_route"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/apply": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Plans, and unless `dry_run`, applies: all manifests or none, and with `expected` only what that plan said. */
        post: operations["apply"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/schemas/{kind}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The JSON Schema of a kind's manifests, for editors. */
        get: operations["get_schema"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the projects that the caller may be in, by name. `x-mainspring-project: NAME` on any request names one. */
        get: operations["list_projects"];
        put?: never;
        /** Makes a project, whose admin is the caller. This takes an admin of the project `default`. */
        post: operations["create_project"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/capture": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows what a project keeps, and what this server left out since it began. */
        get: operations["get_capture"];
        /** Sets what a project keeps: in force here at once, and on other servers within two seconds. */
        put: operations["set_capture"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/capture/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Shows what a text becomes under a project's policy, or under one that is not set. Nothing of it is kept. */
        post: operations["preview_capture"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/members": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the members of the caller's project, by name. */
        get: operations["list_members"];
        put?: never;
        /** Puts a person or service into the caller's project. */
        post: operations["add_member"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/members/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Changes the role or the labels of a member; `id` may be the name. Their keys follow at once. */
        put: operations["change_member"];
        post?: never;
        /** Takes a member out of the caller's project; `id` may be the name. Their keys stop working at once. */
        delete: operations["remove_member"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists keys, newest first. */
        get: operations["list_keys"];
        put?: never;
        /** Makes a key. The secret is in this answer and nowhere else. */
        post: operations["create_key"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/keys/{id}/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Gives a key a new secret. It stays the same key, with its limits and its usage; the old secret stops at once, or after
         *     the overlap that was asked for.
         */
        post: operations["rotate_key"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/keys/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Ends a key at once. */
        delete: operations["revoke_key"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The audit log, newest first. */
        get: operations["list_audit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Follows the hash chain of the audit log to its end. */
        post: operations["verify_audit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/secrets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the project's secrets by name, without their values. */
        get: operations["list_secrets"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/secrets/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Keeps a value under a name, in the place of one that had it. Providers that refer to it use it within seconds. */
        put: operations["set_secret"];
        post?: never;
        /** Removes a secret; providers that refer to it have no key within seconds. */
        delete: operations["remove_secret"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/master-key/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Seals every secret of every project anew. This takes an admin of the project `default`. */
        post: operations["rotate_master_key"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/limits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the project's limits, newest first, and how they stand. */
        get: operations["list_limits"];
        put?: never;
        /** Sets a limit, in place of one with the same subject and metric. */
        post: operations["set_limit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/limits/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Removes a limit. */
        delete: operations["remove_limit"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What calls used and cost: `by` project, key, principal, user, app, route, model, provider, target, day or hour.
         *     By project it covers every project that the caller may be in. With `all_projects` everything is of all projects together,
         *     which takes an admin of the project `default`.
         */
        get: operations["get_usage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/usage/reprice": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What calls would have cost on another model (`as`), or at other `prices`: a table of the project, with a version after
         *     `@`. Tokens stay as they were counted. Only calls that write text can be another model's; the others are counted apart.
         *     Rows are by target, or as of `GET /api/v1/usage`. With `all_projects` the calls of all projects are priced anew, at the prices
         *     of the project `default`, which takes an admin of it.
         */
        get: operations["reprice_usage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/calls": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists calls by when they ended, newest first. A page that a filter leaves short or empty may still have a `next`. */
        get: operations["list_calls"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/calls/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follows the project's calls: server-sent events, first what is under way, then each call as it starts, goes on and
         *     ends. With `follow=false` it ends after the first. A reader that is too slow is told how much it missed. The stream
         *     ends after five minutes; whoever looks asks again.
         */
        get: operations["watch_calls"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        ActivityBucket: {
            start: string;
            /** Format: int64 */
            requests: number;
            /** Format: int64 */
            errors: number;
            /** Format: double */
            p50_ms?: number | null;
            /** Format: double */
            p95_ms?: number | null;
            /** @description Whether some requests stand for others that were not kept: the numbers are estimates. */
            estimated?: boolean;
        };
        AlertView: {
            fingerprint: string;
            name: string;
            severity: string;
            summary: string;
            labels: {
                [key: string]: string;
            };
            /** @description What was measured, as it was. `unit` says what the figures are of; `share`: of one. */
            facts: {
                [key: string]: unknown;
            };
            /** @description The same as people read it, what matters most first. */
            measured: components["schemas"]["FactView"][];
            /** @description Traces that show it. */
            traces: string[];
            /** @description Versions it is about: `prompt/answer@v4`. */
            versions: string[];
            firing: boolean;
            began_at: string;
            seen_at: string;
            ended_at?: string | null;
        };
        AliasView: {
            alias: string;
            /** Format: int32 */
            version: number;
            digest: string;
            moved_at?: string | null;
            moved_by?: string | null;
        };
        /** @enum {string} */
        AllLabels: "all";
        /** @description How far a stream is. */
        AnsweringCall: {
            id: string;
            provider: string;
            target: string;
            /** Format: int32 */
            attempts: number;
            /**
             * Format: int32
             * @description From the call's start to its first token.
             */
            first_ms: number;
            /**
             * Format: int64
             * @description Guessed from the length of the text so far.
             */
            output_tokens: number;
        };
        AppSummary: {
            name: string;
            title?: string | null;
            description?: string | null;
            /** Format: int32 */
            version: number;
            digest: string;
            chain?: string | null;
            prompt?: string | null;
            model?: string | null;
            /** @description The model that compares, where the app answers with quotes and none writes. */
            quotes?: string | null;
            knowledge: string[];
            examples: string[];
            /** Format: int64 */
            requests_24h?: number | null;
            /** Format: int64 */
            errors_24h?: number | null;
            /** Format: double */
            p50_ms?: number | null;
            /** Format: double */
            p95_ms?: number | null;
            /** @description Whether some requests stand for others that were not kept: the numbers are estimates. */
            estimated?: boolean;
            last_request_at?: string | null;
        };
        ApplyReply: {
            /** @description False for a dry run. */
            applied: boolean;
            /** @description The digest of the plan; give it as `expected` to apply exactly this. */
            plan?: string;
            changes: components["schemas"]["PlannedChange"][];
        };
        ApplyRequest: {
            /**
             * @description `{apiVersion, kind, name, description?, aliases?, spec}` each.
             * @default []
             */
            manifests: unknown[];
            /**
             * @description Where each manifest stands, in their order, such as `specs/app.yaml`: errors name it.
             * @default []
             */
            origins: string[];
            /**
             * @description Only say what would happen.
             * @default false
             */
            dry_run: boolean;
            /**
             * @description The `plan` of a dry run: refused when applying would now do anything else.
             * @default null
             */
            expected: string | null;
            /** @default null */
            message: string | null;
        };
        AssetDiff: {
            /** Format: int32 */
            from: number;
            /** Format: int32 */
            to: number;
            changes: components["schemas"]["Change"][];
            /** @description A unified diff of the two specs as YAML. */
            text: string;
        };
        AssetReference: {
            kind: string;
            name: string;
            /** Format: int32 */
            version?: number | null;
            digest?: string | null;
            /** @description Where in the spec. */
            path?: string | null;
            /** @description As written. */
            given?: string | null;
        };
        AssetSummary: {
            kind: string;
            name: string;
            description?: string | null;
            /** Format: int32 */
            version: number;
            digest: string;
            aliases: components["schemas"]["AliasView"][];
            updated_at?: string | null;
        };
        AssetVersion: {
            /** Format: int32 */
            version: number;
            digest: string;
            author?: string | null;
            message?: string | null;
            created_at: string;
        };
        AssetView: components["schemas"]["AssetSummary"] & {
            spec: unknown;
            author?: string | null;
            message?: string | null;
            created_at?: string | null;
            references: components["schemas"]["AssetReference"][];
            referenced_by: components["schemas"]["AssetReference"][];
        };
        /** @description What one attempt used, and what that cost. */
        AttemptCharge: {
            provider: string;
            /** @description The model, as the provider names it. */
            target: string;
            usage: components["schemas"]["CallUsage"];
            cost: string;
            price?: components["schemas"]["CallPrice"] | null;
        };
        AuditCheck: {
            intact: boolean;
            /** Format: int64 */
            entries: number;
            /** Format: int64 */
            broken_at?: number | null;
        };
        AuditEntry: {
            /** Format: int64 */
            sequence: number;
            at: string;
            actor: string;
            action: string;
            target: string;
            detail: unknown;
            hash: string;
        };
        BatchError: {
            code: string;
            message: string;
            param?: string | null;
            /**
             * Format: int64
             * @description The line of the file, counted from one.
             */
            line?: number | null;
        };
        BatchResponse: {
            /** Format: int32 */
            status_code: number;
            /** @description The trace of the call, where it has one. */
            request_id: string;
            body: Record<string, never>;
        };
        /** @description What one line gave, as the batch's files have it. */
        BatchResult: {
            id: string;
            custom_id: string;
            response?: components["schemas"]["BatchResponse"] | null;
            error?: components["schemas"]["BatchError"] | null;
        };
        BatchView: {
            id: string;
            /** @description Where its lines go: `/v1/chat/completions`, and others of OpenAI's dialect. */
            endpoint: string;
            /**
             * @description `validating`, `in_progress`, `finalizing`, `cancelling`; or how it ended: `completed`, `failed`, `expired`,
             *     `cancelled`.
             */
            status: string;
            input_file: string;
            /** @description What lines gave that went well, once the batch has ended. */
            output_file?: string | null;
            /** @description What the other lines gave, once the batch has ended. */
            error_file?: string | null;
            /**
             * Format: int64
             * @description Lines; nothing while the file is looked at.
             */
            total: number;
            /** Format: int64 */
            completed: number;
            /** Format: int64 */
            failed: number;
            /** @description Why it failed as a whole. */
            errors?: components["schemas"]["BatchError"][];
            metadata?: {
                [key: string]: string;
            };
            /** @description The key that made it; its lines are made with what that key may do. */
            key?: string | null;
            /** @description No line is begun before this: a limit has no room. Told where one batch is shown. */
            waits_until?: string | null;
            /** @description What the limit says. */
            waits_for?: string | null;
            created_by: string;
            created_at: string;
            /** @description No line is begun after this. */
            expires_at: string;
            in_progress_at?: string | null;
            cancelling_at?: string | null;
            finalizing_at?: string | null;
            ended_at?: string | null;
        };
        BlockView: {
            kind: string;
            /** Format: int64 */
            start: number;
            /** Format: int64 */
            end: number;
            /** Format: int32 */
            level?: number | null;
            /** Format: int32 */
            page?: number | null;
            language?: string | null;
        };
        CallPrice: {
            /** @description The digest of the table's version. */
            table: string;
            /** @description The model or pattern of its entry. */
            entry: string;
        };
        CallUsage: {
            /** Format: int64 */
            input_tokens: number;
            /** Format: int64 */
            output_tokens: number;
            /** Format: int64 */
            cache_read_tokens: number;
            /** Format: int64 */
            cache_write_tokens: number;
            /** Format: int64 */
            input_audio_tokens: number;
            /** Format: int64 */
            input_image_tokens: number;
            /** Format: int64 */
            reasoning_tokens: number;
            /** Format: int64 */
            output_audio_tokens: number;
            /** Format: int64 */
            output_image_tokens: number;
            /** @description Where the numbers come from: `reported`, `counted`, `instrumented` or `estimated`. */
            input_from: components["schemas"]["Provenance"];
            output_from: components["schemas"]["Provenance"];
            cache_read_from?: components["schemas"]["Provenance"] | null;
            cache_write_from?: components["schemas"]["Provenance"] | null;
            input_audio_from?: components["schemas"]["Provenance"] | null;
            input_image_from?: components["schemas"]["Provenance"] | null;
            reasoning_from?: components["schemas"]["Provenance"] | null;
            output_audio_from?: components["schemas"]["Provenance"] | null;
            output_image_from?: components["schemas"]["Provenance"] | null;
        };
        /** @description One model call, settled. */
        CallView: {
            id: string;
            started_at: string;
            ended_at: string;
            /** Format: int32 */
            took_ms: number;
            /** Format: int32 */
            first_ms?: number | null;
            key?: string | null;
            /** @description The member whose key it was. */
            principal: string;
            /** @description The end user, as the client named them. */
            user?: string | null;
            app?: string | null;
            /** @description As the client named it. */
            model: string;
            route?: string | null;
            provider?: string | null;
            /** @description The model, as the provider names it. */
            target?: string | null;
            operation: string;
            /** @description `ok`, `failed`, `cancelled` or `interrupted`. */
            status: string;
            /** @description Why it failed. */
            class?: string | null;
            /** Format: int32 */
            attempts: number;
            usage: components["schemas"]["CallUsage"];
            cost: string;
            price?: components["schemas"]["CallPrice"] | null;
            /**
             * @description What each attempt that was paid used, where that says more than the call's own fields: several were, or another target
             *     than the one that is shown. Together they are `usage` and `cost`.
             */
            charges?: components["schemas"]["AttemptCharge"][];
            /** @description Answered from the cache. */
            cached: boolean;
            /** @description Priced as calls in a batch are. */
            batch: boolean;
            /** @description The batch of which a line made it. */
            batch_id?: string | null;
            trace_id: string;
        };
        /** @description What became of the project's spans in the process that answers, since it began. */
        CaptureCounts: {
            /** Format: int64 */
            kept: number;
            /**
             * Format: int64
             * @description Left out by the share of traces.
             */
            left_out_by_share: number;
            /**
             * Format: int64
             * @description Left out since nothing happened in their trace.
             */
            left_out_by_outcome: number;
            /**
             * Format: int64
             * @description Left out before that was known, since no more could be held.
             */
            left_out_early: number;
            /**
             * Format: int64
             * @description Held until it is known.
             */
            held: number;
            /**
             * Format: int64
             * @description Places in spans that were redacted.
             */
            redacted: number;
        };
        CaptureFound: {
            name: string;
            /** Format: int64 */
            count: number;
        };
        /** @description What it finds becomes `[name]`. */
        CapturePattern: {
            name: string;
            /** @description A regular expression of the crate `regex`: no look-around, no back-references. */
            pattern: string;
        };
        CapturePreview: {
            /** @description What is kept under the policy that was tried. */
            capture: string;
            /** @description What the text of a prompt or an answer becomes; absent where none is kept. */
            text?: string | null;
            found: components["schemas"]["CaptureFound"][];
        };
        CaptureView: {
            project: string;
            /** @description What the policy says; absent: what the server keeps. */
            capture?: string | null;
            /** @description The most that any project of this server keeps (`traces.capture`). */
            server: string;
            /** @description What is kept: the lesser of both. */
            effective: string;
            patterns: components["schemas"]["CapturePattern"][];
            /** Format: double */
            share: number;
            keep_errors: boolean;
            /** Format: int64 */
            keep_slower_than_ms?: number | null;
            /** Format: int32 */
            hold_seconds: number;
            /**
             * Format: int64
             * @description 0 where no policy was set.
             */
            revision: number;
            changed_at?: string | null;
            changed_by?: string | null;
            here: components["schemas"]["CaptureCounts"];
        };
        Change: {
            path: string;
            /** @description `added`, `removed` or `changed`. */
            op: string;
            before?: unknown;
            after?: unknown;
        };
        ChangeView: {
            /** @description Of an asset; `release` where a program sent spans of a release for the first time. */
            kind: string;
            /** @description Of the asset, or of the service. */
            name: string;
            /** @description The release that is new. */
            release?: string | null;
            /** @description The one that was seen last before it. */
            release_before?: string | null;
            /** @description Absent for a version that was made. */
            alias?: string | null;
            /** Format: int32 */
            from?: number | null;
            /** Format: int32 */
            to?: number | null;
            at: string;
            /** @description Absent where it was done elsewhere. */
            by?: string | null;
            message: string;
            /** @description One of the alerts is about it. */
            named: boolean;
            /** @description The command that moves the alias back, if nobody has moved it since. */
            rollback?: string | null;
        };
        ChunkView: {
            id: string;
            /** Format: int32 */
            ordinal: number;
            /** Format: int64 */
            start: number;
            /** Format: int64 */
            end: number;
            /** Format: int32 */
            tokens: number;
            heading_path: string[];
            /** Format: int32 */
            page?: number | null;
            header?: string | null;
        };
        ConventionReport: {
            /** @description Most spans first. */
            services: components["schemas"]["ServiceConventions"][];
            /** @description Names under `gen_ai.` that are not understood, the most frequent first. */
            unknown: components["schemas"]["UnknownAttribute"][];
            /** @description Names of attributes that no convention here knows and that groups can be made of, the most frequent first. */
            attributes: string[];
            /**
             * Format: int64
             * @description So many spans were looked at: the newest of each service.
             */
            spans: number;
        };
        CreatedKey: {
            key: components["schemas"]["KeyView"];
            /** @description Shown once. */
            secret: string;
        };
        DashboardData: {
            name: string;
            title: string;
            /** @description Where the first bucket of time begins. */
            from: string;
            to: string;
            /**
             * Format: int64
             * @description How long a bucket of time is.
             */
            bucket_ms: number;
            panels: components["schemas"]["PanelData"][];
        };
        DashboardSummary: {
            name: string;
            description?: string | null;
            /** @description Whether nobody wrote it. */
            built_in: boolean;
            /**
             * Format: int32
             * @description None of what is built in.
             */
            version?: number | null;
        };
        /** @description A dashboard, as it is written. */
        DashboardView: {
            name: string;
            built_in: boolean;
            /** Format: int32 */
            version?: number | null;
            spec: {
                [key: string]: unknown;
            };
        };
        /** @description One notice for one receiver. */
        DeliveryView: {
            id: string;
            incident: string;
            receiver: string;
            /** @description `opened`, `updated`, `escalated`, `reopened`, `reminder`, `acknowledged` or `resolved`. */
            what: string;
            /** @description `pending`, `delivered`, `skipped` (the receiver does not want it) or `failed` (given up). */
            state: string;
            /** Format: int32 */
            attempts: number;
            /** @description A pending one is not tried before this. */
            due_at: string;
            /**
             * Format: int32
             * @description What the receiver answered last, of HTTP or SMTP.
             */
            status?: number | null;
            /** @description Why it did not arrive the last time, or was not sent. */
            error?: string | null;
            created_at: string;
            attempted_at?: string | null;
            ended_at?: string | null;
        };
        DocumentFound: {
            id?: string | null;
            /** Format: double */
            score?: number | null;
            content?: string | null;
        };
        /** @description What the source said of the content when it was read. */
        DocumentOrigin: {
            /** @description The commit it was read from. */
            commit?: string | null;
            /** @description In the words of the source. */
            last_modified?: string | null;
            fetched_at?: string | null;
        };
        DocumentText: {
            text: string;
            digest: string;
            /** @description Whether this is what the document says now. */
            current: boolean;
            blocks: components["schemas"]["BlockView"][];
            /** @description In the order of the text. */
            links?: components["schemas"]["LinkView"][];
        };
        DocumentView: {
            id: string;
            title: string;
            uri: string;
            source?: string | null;
            media_type: string;
            /** @description `ready`, `failed`, `skipped` or `forgotten`. */
            status: string;
            reason?: string | null;
            reason_code?: string | null;
            /** @description What could not be read of it as it stands, a page without a text layer for one. */
            warnings?: components["schemas"]["DocumentWarning"][];
            origin?: components["schemas"]["DocumentOrigin"] | null;
            /** Format: int64 */
            bytes?: number | null;
            /** Format: int64 */
            pages?: number | null;
            /** Format: int64 */
            chunks: number;
            /** Format: int64 */
            tokens?: number | null;
            labels: string[];
            metadata: {
                [key: string]: string;
            };
            digest?: string | null;
            ingested_at?: string | null;
        };
        DocumentWarning: {
            code: string;
            detail: string;
        };
        /** @description A range of numbers, or a category; without either, all other categories together. */
        DriftBinView: {
            /** Format: double */
            low?: number | null;
            /** Format: double */
            high?: number | null;
            category?: string | null;
            /**
             * Format: double
             * @description Shares of all values.
             */
            before: number;
            /** Format: double */
            after: number;
        };
        DriftFiguresView: {
            /**
             * Format: double
             * @description The population stability index.
             */
            psi: number;
            /**
             * Format: double
             * @description What the index exceeds in one of twenty comparisons although nothing changed.
             */
            psi_by_chance: number;
            /**
             * Format: double
             * @description Jensen and Shannon's divergence, in bits: 0 to 1.
             */
            jensen_shannon: number;
            /**
             * Format: double
             * @description The largest distance between the distribution functions of numbers.
             */
            ks?: number | null;
            /**
             * Format: double
             * @description By Kolmogorov and Smirnov's test, or Pearson's for categories; with Holm's correction over the fields of the answer.
             */
            p: number;
            /**
             * Format: double
             * @description By how much numbers moved on average.
             */
            moved?: number | null;
            /**
             * Format: double
             * @description The share of the current values that were not there before.
             */
            unseen?: number | null;
        };
        DriftTopicView: {
            /** @description The words that tell it from the others; none for what is unlike every topic. */
            words: string[];
            /** Format: double */
            before: number;
            /** Format: double */
            after: number;
            /** @description It surely takes a larger share than before. */
            grew: boolean;
            /** Format: double */
            p: number;
            /** @description Examples, the newest first. */
            traces: string[];
        };
        /** @description How one stretch of time differs from another. */
        DriftView: {
            /** @description In whole hours. */
            from: string;
            to: string;
            /** @description `previous`, `release` or `range`. */
            against: string;
            reference_from: string;
            reference_to: string;
            /** @description The releases that are compared: where none are named, the one before and the newest. */
            reference_release?: string | null;
            release?: string | null;
            /** @description The service whose spans are compared: the one that was named, or the only one that has releases. Absent: all together. */
            service?: string | null;
            /** @description What moved most comes first. */
            fields: components["schemas"]["FieldDriftView"][];
            topics?: components["schemas"]["TopicDriftView"] | null;
            /** @description Why nothing is said of topics. */
            no_topics?: string | null;
            output_topics?: components["schemas"]["TopicDriftView"] | null;
            /** @description Why nothing is said of these. */
            no_output_topics?: string | null;
            /**
             * Format: int64
             * @description Hours that are not made yet, or have newer spans than is known of them: ask again.
             */
            waiting_hours: number;
        };
        /** @description A state of a table that held a forgotten document and is gone now. */
        DroppedState: {
            table: string;
            /** Format: int64 */
            version: number;
            transaction: string;
            /** @description The run that ended on it. */
            run: string;
            /**
             * Format: int64
             * @description Of these documents. None where it showed nothing of them any more, but its files still held what was deleted.
             */
            rows: number;
        };
        /** @description A server whose own disk may hold something of what is erased. */
        ErasureServer: {
            /** @description The same one after a restart: its name lies in its data directory. */
            server: string;
            /** @description Which process of which machine it was last. */
            name: string;
            /** @description When it was heard of last. */
            seen_at: string;
            /** @description That was within a minute. */
            alive: boolean;
        };
        ErasureView: {
            id: string;
            /** @description `user`, `session`, `trace` or `document`. */
            kind: string;
            /** @description Until it is done; then nothing says any longer whose it was. */
            subject?: string | null;
            /** @description A digest of the project, the kind and the subject. */
            fingerprint: string;
            /** @description `waiting`, `running`, `done` (no file holds any of it) or `failed`. */
            state: string;
            asked_at: string;
            asked_by: string;
            ended_at?: string | null;
            /**
             * Format: int64
             * @description With log records.
             */
            spans: number;
            /** Format: int64 */
            points: number;
            /**
             * Format: int64
             * @description What the files took that went.
             */
            bytes: number;
            /**
             * Format: int64
             * @description Large values that went, since no span names them any longer.
             */
            values: number;
            /**
             * @description What it is at: `asking` servers for what they hold, `looking` for whose rows are, `deleting`, `rewriting` files, `sweeping`
             *     large values.
             */
            step?: string | null;
            /**
             * Format: double
             * @description How much of the time that rows are of was looked through, 0 to 1; a server that is killed goes on from there.
             */
            looked?: number | null;
            /** @description Why it waits or has failed. */
            trouble?: string | null;
            /** @description While it is under way: servers that have not said yet that their own disk holds none of it. */
            waiting_for?: components["schemas"]["ErasureServer"][];
            /**
             * @description When it is done: servers that had not been heard of for a week. They carry it out when they are back, before they bring
             *     anything.
             */
            without?: components["schemas"]["ErasureServer"][];
        };
        /** @description What speaks for it that something here answers. */
        Evidence: {
            /**
             * Format: float
             * @description Cosine similarity of the nearest chunk; absent when no vectors were compared.
             */
            similarity?: number | null;
            /**
             * Format: float
             * @description Share of the question's words of meaning that stand in one of the best chunks. From three quarters on,
             *     half the threshold is enough.
             */
            coverage: number;
        };
        /** @description A call somebody thinks of making. */
        ExplainRequest: {
            /** @description As a client would name it. */
            model: string;
            /** Format: int64 */
            input_tokens?: number | null;
            /** Format: int32 */
            max_tokens?: number | null;
            user?: string | null;
            session?: string | null;
            /** @description The id of the key that would make the call; absent: whoever asks. Naming one is the admins' to do. */
            key?: string | null;
        };
        ExplainedTargetView: {
            provider: string;
            model: string;
            /**
             * Format: int32
             * @description From 1; absent for one that would not be asked.
             */
            place?: number | null;
            why: string;
            /** Format: int32 */
            tier: number;
            /** Format: int32 */
            weight: number;
            breaker: string;
            /** Format: int32 */
            in_flight: number;
            /**
             * Format: double
             * @description How soon its streams lately began, bad moments weighing more; absent while none did.
             */
            begin_ms?: number | null;
            /** @description In dollars, as far as anyone can tell before the call. */
            cost?: string | null;
        };
        /** @description `interval of the difference`: `54.5 to 66.4 points`. */
        FactView: {
            name: string;
            value: string;
        };
        /** @description What the user of an answer thought of it. */
        FeedbackRequest: {
            trace: string;
            /** @description `up` or `down`, or 1 to 5. */
            rating: unknown;
            comment?: string | null;
            /** @description Their last feedback on a trace is the one that counts. */
            user?: string | null;
        };
        FieldDriftView: {
            /** @description As it is asked for: `model`, `attributes["tier"]`, `score.relevance`. */
            field: string;
            /** @description `numbers` or `categories`. */
            kind: string;
            /** @description `ms`, `dollars` or `tokens`. */
            unit?: string | null;
            /** @description `measured`; `too_few` or `missing` where there is too little on either side: that is not the same as no drift. */
            state: string;
            /**
             * Format: int64
             * @description Values on each side.
             */
            reference: number;
            /** Format: int64 */
            current: number;
            /** @description The change is large, and larger than chance makes it. */
            drifted: boolean;
            figures?: components["schemas"]["DriftFiguresView"] | null;
            /** @description The two distributions, side by side. */
            bins: components["schemas"]["DriftBinView"][];
        };
        FilterField: {
            name: string;
            /** @description `text`, `flag`, `number`, `duration`, `money`, `time`, `list` or `severity`. */
            kind: string;
            /** @description What it is. */
            says: string;
        };
        /** @description What a filter of spans may ask for by name. */
        FilterFields: {
            fields: components["schemas"]["FilterField"][];
        };
        /** @description Proof of a forgetting. It names documents by their ids only: their names are forgotten too. */
        ForgetReceipt: {
            id: string;
            knowledge: string;
            /** @description Whoever asked for it. */
            by: string;
            started: string;
            finished: string;
            documents: string[];
            /** @description Ids that these had before they were moved: what was theirs is gone too. */
            former?: string[];
            /** @description Asked for, and not there. */
            not_found: string[];
            rows: components["schemas"]["RemovedRows"][];
            /**
             * Format: int64
             * @description Texts removed; one that another document shares stays, and is counted in `shared_texts`.
             */
            texts: number;
            /** Format: int64 */
            shared_texts: number;
            /** @description Answers that read one of these cannot be replayed. */
            dropped_states: components["schemas"]["DroppedState"][];
            /** @description The next ingestion keeps the documents out. */
            tombstones: boolean;
            /**
             * Format: int64
             * @description Spans of traces that lost what they showed of the documents, counted when the receipt was made. Absent where
             *     nobody could count them then.
             */
            removed_spans?: number | null;
            /** @description Only when it is made: spans were still on their way then; upkeep takes out of them what they show. */
            traces_pending?: boolean | null;
        };
        ForgetRequest: {
            /**
             * @description Documents to forget, each by its id, or by its whole path within its source, address, or the absolute path of its file:
             *     also those that are gone from their source or were moved.
             * @default []
             */
            documents: string[];
            /**
             * @description Forget everything of this source, with what is gone from it.
             * @default null
             */
            source: string | null;
            /**
             * @description Let the next ingestion take them in again.
             * @default false
             */
            readmit: boolean;
        };
        GatheredTraces: {
            first: string;
            last: string;
            /** Format: int64 */
            traces: number;
            /** Format: int64 */
            spans: number;
            /**
             * Format: int64
             * @description Spans that failed.
             */
            errors: number;
            /**
             * Format: double
             * @description How long the traces took, one after the other.
             */
            duration_ms: number;
            /** Format: int64 */
            input_tokens: number;
            /** Format: int64 */
            output_tokens: number;
            /** @description In dollars; absent where nothing is priced. */
            cost?: string | null;
            /** @description Otherwise there are more spans than are read for a page, and it all is more than this. */
            whole: boolean;
        };
        HealthItem: {
            component: string;
            /** @description `ok`, `busy`, `degraded`, `down` or `off`. */
            state: string;
            detail?: string | null;
            facts: {
                [key: string]: unknown;
            };
        };
        HitScores: {
            /** Format: float */
            score: number;
            /** Format: int32 */
            vector_rank?: number | null;
            /** Format: float */
            vector_score?: number | null;
            /** Format: int32 */
            text_rank?: number | null;
            /**
             * Format: float
             * @description BM25. Absent for readers whose labels do not show them everything: it counts words in hidden documents, too. Where
             *     nothing but words is compared, their `score` is the inverse of the rank.
             */
            text_score?: number | null;
            /** Format: float */
            fused_score?: number | null;
            /** Format: float */
            rerank_score?: number | null;
        };
        /** @description An incident with what belongs to it: of alerts, events and deliveries the 200 newest. */
        IncidentDetail: {
            incident: components["schemas"]["IncidentView"];
            alerts: components["schemas"]["AlertView"][];
            /**
             * @description What was moved or made before it opened and may be why: what its alerts are about first, then aliases that moved and
             *     releases, of each the newest. The 50 first.
             */
            changes: components["schemas"]["ChangeView"][];
            /**
             * Format: int64
             * @description How many more there are.
             */
            changes_left_out: number;
            /** @description Newest first. */
            events: components["schemas"]["IncidentEvent"][];
            /** @description Newest first. */
            deliveries: components["schemas"]["DeliveryView"][];
        };
        IncidentEvent: {
            /** Format: int32 */
            seq: number;
            at: string;
            /**
             * @description `opened`, `joined`, `refired`, `escalated`, `ended`, `silenced`, `reminded`, `acknowledged`, `resolved`, `reopened`
             *     or `retried`.
             */
            kind: string;
            by?: string | null;
            detail: Record<string, never>;
        };
        /** @description What somebody has to say about what they do to an incident. */
        IncidentNote: {
            note?: string;
        };
        IncidentView: {
            id: string;
            /** @description `open`, `acknowledged` or `resolved`. */
            state: string;
            /** @description The worst of its alerts: `info`, `warning`, `error` or `critical`. */
            severity: string;
            /** @description The monitor and what the worst alert that goes on says now: `latency: answers are slow`. */
            title: string;
            /** @description Those that all of its alerts have. */
            labels: {
                [key: string]: string;
            };
            /** @description What its alerts have in common: `app=desk,name=latency`. */
            group: string;
            /** @description Who is told; absent: every receiver that matches. */
            receivers?: string[] | null;
            /** @description The silence that hides it now. */
            silence?: string | null;
            opened_at: string;
            updated_at: string;
            acknowledged_at?: string | null;
            acknowledged_by?: string | null;
            resolved_at?: string | null;
            /** @description Absent where it ended by itself. */
            resolved_by?: string | null;
        };
        IngestFailure: {
            document?: string | null;
            source?: string;
            /** @description Within the source; empty where the source itself could not be read. */
            uri: string;
            code: string;
            detail: string;
        };
        IngestProgress: {
            /** @default  */
            stage: string;
            /**
             * Format: int64
             * @default null
             */
            documents_total: number | null;
            /**
             * Format: int64
             * @default 0
             */
            documents_done: number;
            /**
             * Format: int64
             * @default 0
             */
            documents_unchanged: number;
            /**
             * Format: int64
             * @default 0
             */
            documents_failed: number;
            /**
             * Format: int64
             * @default 0
             */
            chunks: number;
            /**
             * Format: int64
             * @default 0
             */
            tokens: number;
            /**
             * Format: double
             * @default null
             */
            tokens_per_second: number | null;
            /**
             * Format: double
             * @default null
             */
            eta_seconds: number | null;
            /**
             * @description The document taken up last.
             * @default null
             */
            current: string | null;
        };
        IngestReport: {
            /**
             * Format: int64
             * @description Counts are left out for those who do not see every document, but for how many failed that they see.
             * @default null
             */
            added: number | null;
            /**
             * Format: int64
             * @default null
             */
            changed: number | null;
            /**
             * Format: int64
             * @default null
             */
            unchanged: number | null;
            /**
             * Format: int64
             * @default null
             */
            moved: number | null;
            /**
             * Format: int64
             * @default null
             */
            deleted: number | null;
            /**
             * Format: int64
             * @default 0
             */
            failed: number;
            /**
             * Format: int64
             * @description Files of a kind that nothing here reads; the documents with status `skipped` say why.
             * @default null
             */
            skipped: number | null;
            /**
             * Format: int64
             * @default null
             */
            chunks: number | null;
            /**
             * Format: int64
             * @default null
             */
            tokens: number | null;
            /**
             * Format: int64
             * @description Chunks embedded now; the others had a vector already.
             * @default null
             */
            embedded: number | null;
            /**
             * Format: double
             * @default 0
             */
            seconds: number;
            /** @default [] */
            failures: components["schemas"]["IngestFailure"][];
            /**
             * @description What a person should know and what stopped nothing; each document shows its own as well.
             * @default []
             */
            warnings: components["schemas"]["IngestWarning"][];
            /**
             * Format: int64
             * @description More warnings than are listed.
             * @default 0
             */
            warnings_left_out: number;
        };
        IngestRequest: {
            /**
             * @description Answer when the run has ended instead of when it has begun.
             * @default false
             */
            wait: boolean;
            /**
             * @description Parse again what did not change.
             * @default false
             */
            full: boolean;
            /**
             * @description Try again what failed before and did not change since.
             * @default false
             */
            retry_failed: boolean;
            /**
             * @description Look at local folders and files first, and begin nothing unless they hold something new; then only they
             *     are read. For watchers that ask every few seconds. What was never ingested, or has a new spec, is new.
             * @default false
             */
            if_changed: boolean;
        };
        IngestStarted: {
            run: components["schemas"]["RunView"];
            /** @description Only with `if_changed`: nothing was new and no run began; `run` is the last one. */
            unchanged?: boolean;
        };
        IngestWarning: {
            document?: string | null;
            source: string;
            /** @description Within the source; empty where it concerns all of it. */
            uri: string;
            code: string;
            detail: string;
        };
        JobView: {
            id: string;
            /** @description `ingest`; more kinds may come. */
            kind: string;
            /** @description `queued`, `running`, `done`, `failed` or `cancelled`. */
            state: string;
            /** @description What is to be done, in the words of its kind. */
            payload: Record<string, never>;
            /**
             * Format: int32
             * @description How many times a process has taken it up.
             */
            attempt: number;
            /** Format: int32 */
            max_attempts: number;
            /** @description Not before this moment. */
            due_at: string;
            /** @description The process that is at it. */
            owner?: string | null;
            result?: Record<string, never> | null;
            /** @description Why the last attempt failed. */
            error?: string | null;
            created_at: string;
            started_at?: string | null;
            ended_at?: string | null;
        };
        KeyView: {
            id: string;
            name: string;
            role: string;
            labels: components["schemas"]["LabelsView"];
            /** @description What it may name as `model`, where that is not everything; a name may end in `*`. */
            models?: string[] | null;
            /** @description The member whom the key acts for. */
            member?: string | null;
            hint?: string | null;
            created_at: string;
            expires_at?: string | null;
            /** @description After a rotation: until when the secret before works as well. */
            old_secret_until?: string | null;
            last_used_at?: string | null;
            revoked_at?: string | null;
        };
        KnowledgeDetail: components["schemas"]["KnowledgeSummary"] & {
            sources: components["schemas"]["SourceView"][];
            chunking?: {
                [key: string]: unknown;
            } | null;
            retrieval?: {
                [key: string]: unknown;
            } | null;
            table?: components["schemas"]["TablePin"] | null;
            /**
             * Format: int64
             * @description Rows not yet folded into the indexes; they are found all the same.
             */
            unindexed_rows?: number | null;
            /** @description How often the server ingests by itself: `15m`, `6h`. */
            schedule?: string | null;
            /** @description The server ingests when a local folder or file changes. */
            watch?: boolean;
        };
        KnowledgeSummary: {
            name: string;
            description?: string | null;
            /** Format: int32 */
            version: number;
            digest: string;
            embedder?: string | null;
            /** Format: int64 */
            documents: number;
            /** Format: int64 */
            failed: number;
            /** Format: int64 */
            chunks: number;
            /** Format: int64 */
            tokens?: number | null;
            /** @description When the last ingestion that succeeded ended. */
            fresh_at?: string | null;
            /** @description `ready`, `ingesting` or `empty`. */
            state?: string | null;
            last_run?: components["schemas"]["RunView"] | null;
        };
        /** @description Which access labels a key holds: `"all"`, or a list. */
        LabelsView: components["schemas"]["AllLabels"] | string[];
        /** @description A value of a span that is too large to stand in it. */
        LargeValue: {
            digest: string;
            /** @description The whole of it. */
            text: string;
            /** @description The text is JSON: the value was a list or an object. */
            json: boolean;
        };
        LeftOut: {
            chunk: string;
            document: string;
            title: string;
            /**
             * @description `copy`: a better one says the same. `score`: below the spec's `min_score`. `room`: the limit or the token
             *     budget was reached. `irrelevant`: the evidence is below the threshold.
             */
            reason: string;
            scores: components["schemas"]["HitScores"];
        };
        /** @description A limit, and how it stands. */
        LimitView: {
            id: string;
            /** @description `project`, `key`, `principal`, `user` or `model`. */
            kind: string;
            /** @description A key's id, a member's name, an end user or a model; `*` for each there is. */
            subject: string;
            /** @description `requests_per_minute`, `tokens_per_minute`, `concurrent`, `usd_per_day` or `usd_per_month`. */
            metric: string;
            amount: string;
            /** @description Of a budget with one subject: spent since it began anew. */
            spent?: string | null;
            /** @description When a budget begins anew. */
            resets_at?: string | null;
            /**
             * Format: int64
             * @description Of a limit that is no budget, with one subject: how many of its requests, tokens or calls are left at this moment.
             */
            left?: number | null;
            created_at: string;
            created_by: string;
        };
        /** @description A link of a document. */
        LinkView: {
            text: string;
            /** @description As the document says it: on a page it may be relative to the page's address. */
            target: string;
            /**
             * Format: int64
             * @description Where its words stand in the text; absent where the document was parsed before this was kept.
             */
            start?: number | null;
            /** Format: int64 */
            end?: number | null;
        };
        /** @description What happened to the project's calls: one event of `GET /api/v1/calls/live`, named as its `event` says. */
        LiveCall: (components["schemas"]["OpenCalls"] & {
            /** @enum {string} */
            event: "open";
        }) | (components["schemas"]["StartedCall"] & {
            /** @enum {string} */
            event: "started";
        }) | (components["schemas"]["AnsweringCall"] & {
            /** @enum {string} */
            event: "answering";
        }) | (components["schemas"]["CallView"] & {
            /** @enum {string} */
            event: "settled";
        }) | (components["schemas"]["MissedCalls"] & {
            /** @enum {string} */
            event: "missed";
        });
        /** @description A log record. It is a span that takes no time, which `GET /api/v1/traces/{id}/spans/{span}` shows as one. */
        LogRecord: {
            /** @description One by itself where it was written in no trace. */
            trace_id: string;
            /** @description Its own id. */
            span: string;
            /** @description The span it was written in. */
            parent?: string | null;
            time: string;
            /** @description Which event it is; `log` where its sender does not say. */
            name: string;
            /** @description `trace`, `debug`, `info`, `warn`, `error` or `fatal`; absent where its sender does not say. */
            severity?: string | null;
            /** @description The severity in its sender's word. */
            severity_text?: string | null;
            service?: string | null;
            /** @description What it says; of a large value how it begins, and where the whole of it is. */
            body?: unknown;
            attributes: {
                [key: string]: unknown;
            };
        };
        /** @description What is absent stays as it is. */
        MemberChange: {
            role?: string | null;
            labels?: components["schemas"]["LabelsView"] | null;
        };
        MemberView: {
            id: string;
            name: string;
            /** @description `person`, `service`, or `local`: whoever sits at the machine. */
            kind: string;
            role: string;
            labels: components["schemas"]["LabelsView"];
            since: string;
        };
        MessagePart: {
            content: string;
            /** @enum {string} */
            type: "text";
        } | {
            content: string;
            /** @enum {string} */
            type: "reasoning";
        } | {
            id?: string | null;
            name: string;
            arguments: Record<string, never>;
            /** @enum {string} */
            type: "tool_call";
        } | {
            id?: string | null;
            result: Record<string, never>;
            /** @enum {string} */
            type: "tool_call_response";
        } | {
            uri: string;
            mime_type?: string | null;
            /** @enum {string} */
            type: "uri";
        } | {
            content: string;
            mime_type?: string | null;
            /** @enum {string} */
            type: "blob";
        } | {
            file_id: string;
            /** @enum {string} */
            type: "file";
        } | {
            value: Record<string, never>;
            /** @enum {string} */
            type: "other";
        };
        /** @description What points of a metric are. */
        MetricFormView: {
            /** @description `gauge`, `sum`, `histogram`, `exponential_histogram` or `summary`. */
            kind: string;
            unit: string;
            /** @description `delta`: each point counts since the one before. `cumulative`: since its program began. */
            temporality?: string | null;
            /** @description Of a sum: it never falls. */
            monotonic?: boolean | null;
        };
        MetricGroupView: {
            /** @description The attribute's value; nothing where points have none, or where nothing is told apart. */
            value?: string | null;
            /** @description By time. One of which nothing is known is not there. */
            steps: components["schemas"]["MetricStepView"][];
        };
        MetricPointView: {
            /** @description The same for all points of a series: one metric of one sender with the same attributes. */
            series: string;
            time: string;
            /** @description Since when it counts, where it does. */
            since?: string | null;
            name: string;
            unit: string;
            /** @description `gauge`, `sum`, `histogram`, `exponential_histogram` or `summary`. */
            kind: string;
            /** @description `delta`: since the point before. `cumulative`: since `since`. */
            temporality?: string | null;
            /** @description Of a sum: it never falls. */
            monotonic?: boolean | null;
            attributes: {
                [key: string]: unknown;
            };
            /**
             * Format: double
             * @description Of gauges and sums.
             */
            value?: number | null;
            /**
             * Format: int64
             * @description Of histograms and summaries.
             */
            count?: number | null;
            /** Format: double */
            sum?: number | null;
            /** Format: double */
            min?: number | null;
            /** Format: double */
            max?: number | null;
            /** @description Of histograms bounds and counts, of summaries quantiles. */
            buckets?: Record<string, never> | null;
        };
        /** @description What a metric came to over time. */
        MetricSeriesView: {
            name: string;
            form?: components["schemas"]["MetricFormView"] | null;
            /**
             * @description What else was sent under this name, those first that were sent last, about 20 at most: `kind`, `unit`, `monotonic` and
             *     `temporality` ask about it.
             */
            others?: components["schemas"]["MetricFormView"][];
            /**
             * Format: int64
             * @description How many more there are of these, about.
             */
            more_forms?: number;
            from: string;
            to: string;
            /** Format: int64 */
            step_ms: number;
            /** @description The attribute whose values are told apart. */
            by?: string | null;
            /**
             * @description What each step says, in the order of its `values`. Of gauges `mean`, `min`, `max`, `last`; of sums that only grow
             *     `increase` and `rate`, by the second; of other sums `last`; of histograms `count`, `mean`, `p50`, `p95`, `p99`; of
             *     summaries `count`, `mean` and the quantiles they name.
             */
            measures: string[];
            /** @description How these were found, where they are not exact. */
            note?: string | null;
            /** @description The largest first: 50 at most. */
            groups: components["schemas"]["MetricGroupView"][];
            /** @description Whether there are more groups. */
            more: boolean;
            /** @description Attributes of the newest points, by which groups can be told apart. */
            attributes: string[];
            /**
             * Format: int64
             * @description Points that were looked at.
             */
            points: number;
        };
        MetricStepView: {
            /** @description What is after this moment, up to the next step's. */
            start: string;
            /** @description In the order of the measures; null where there is nothing to say. */
            values: (number | null)[];
        };
        /** @description What programs send under one name. */
        MetricView: {
            name: string;
            /** @description Of its newest point. */
            form: components["schemas"]["MetricFormView"];
            /** @description What else is sent under this name, those first that were sent last: 19 at most. */
            others?: components["schemas"]["MetricFormView"][];
            /**
             * Format: int64
             * @description How many more there are of these, about.
             */
            more_forms?: number;
            /** @description Those that send it, by name: 20 at most. */
            services: string[];
            /** @description Whether there are more services. */
            more_services: boolean;
            /**
             * Format: int64
             * @description Series that sent points in this time, about.
             */
            series: number;
            last_seen: string;
            /**
             * Format: double
             * @description Of the points of that moment: the mean of a gauge, a sum together, the mean of what a histogram or a summary counted.
             */
            last_value?: number | null;
        };
        /** @description The reader was too slow. */
        MissedCalls: {
            /**
             * Format: int64
             * @description So many of the events were not told.
             */
            events: number;
        };
        /** @description This reader was too slow for so many spans, or more. */
        MissedSpans: {
            /** Format: int64 */
            spans: number;
        };
        ModelView: {
            name: string;
            /** @description `chat`, `embed` or `rerank`. */
            role: string;
            /** @description `loaded`, `installed` or `missing`. */
            state: string;
            digest?: string | null;
            /** Format: int64 */
            bytes?: number | null;
            dimensions?: number | null;
            context_window?: number | null;
            licence?: string | null;
            detail?: string | null;
        };
        /** @description An alert of a monitor that goes on. */
        MonitorAlert: {
            fingerprint: string;
            slice?: string | null;
            /** @description It is that nothing comes. */
            missing: boolean;
            /** @description The incident that it is part of; absent where nobody was told. */
            incident?: string | null;
        };
        /** @description A monitor with its spec, its slices and its alerts. */
        MonitorDetail: {
            monitor: components["schemas"]["MonitorView"];
            /** @description As it was applied, with every default; absent where this version cannot read it. */
            spec?: Record<string, never> | null;
            slices: components["schemas"]["MonitorSlice"][];
            alerts: components["schemas"]["MonitorAlert"][];
        };
        /** @description What one look found. */
        MonitorEvaluation: {
            at: string;
            /** Format: int32 */
            version: number;
            state: string;
            slices: components["schemas"]["MonitorSlice"][];
        };
        /** @description What a look that somebody asked for found. */
        MonitorLook: {
            name: string;
            evaluation: components["schemas"]["MonitorEvaluation"];
            /** @description Whether it was remembered and told. */
            raised: boolean;
            /** @description The alerts that go on by it, or would. */
            alerts: components["schemas"]["MonitorAlert"][];
        };
        /** @description How to look at a monitor now. */
        MonitorLookRequest: {
            /** @description Whether it is remembered, and alerts are raised and resolved. Otherwise it only says what would be. */
            raise?: boolean;
        };
        /** @description A part of a distribution that moved. */
        MonitorMoved: {
            /** @description In words: a category, the words that tell a topic from others, or a range of numbers. */
            what: string;
            /**
             * Format: double
             * @description Shares of all that was measured.
             */
            before: number;
            /** Format: double */
            after: number;
        };
        /** @description What a look saw of one slice. */
        MonitorSlice: {
            /** @description The value of the field; absent where everything is watched together. */
            slice?: string | null;
            state: string;
            /** @description Before this look. */
            was?: string | null;
            /** @description Since when it is in this state. */
            since: string;
            /** @description As a sentence; absent for what an earlier version of the spec found. */
            says?: string | null;
            /**
             * Format: int64
             * @description How much was measured; of a sample, how much that is worth to a test.
             */
            count: number;
            /** @description Whether some of it stands for what was not kept: the value is an estimate. */
            estimated?: boolean;
            /** Format: double */
            value?: number | null;
            /**
             * Format: double
             * @description Where the value surely lies, or where there is a reference its difference from that.
             */
            low?: number | null;
            /** Format: double */
            high?: number | null;
            /**
             * Format: double
             * @description Where the value itself surely lies, where `low` and `high` are of a difference: of the rate of a slice beside all others.
             */
            value_low?: number | null;
            /** Format: double */
            value_high?: number | null;
            /**
             * Format: double
             * @description What it may not pass.
             */
            limit?: number | null;
            /** Format: double */
            reference?: number | null;
            /** Format: int64 */
            reference_count?: number | null;
            /** Format: double */
            p?: number | null;
            /**
             * Format: double
             * @description Of a sequential test: how much speaks against its limit, as a logarithm, and how much it takes to fire.
             */
            evidence?: number | null;
            /** Format: double */
            evidence_needed?: number | null;
            /** @description The releases that were compared. */
            newest?: string | null;
            baseline?: string | null;
            /** @description How a distribution moved. */
            drift?: Record<string, never> | null;
            /** @description The parts of a distribution that moved, those that moved most first. */
            moved?: components["schemas"]["MonitorMoved"][];
        };
        MonitorSlices: {
            /** Format: int64 */
            ok: number;
            /** Format: int64 */
            warming: number;
            /** Format: int64 */
            missing: number;
            /** Format: int64 */
            firing: number;
        };
        /** @description A monitor and where it stood at its last look. */
        MonitorView: {
            name: string;
            /** Format: int32 */
            version: number;
            description?: string | null;
            /** @description Whether it is looked at by itself. */
            enabled: boolean;
            /**
             * @description `ok`, `warming` (too little came, or too little to compare it with), `missing` (nothing came, or the last look found
             *     nothing out) or `firing`: that of its worst slice. Absent where nobody has looked yet, and where it is hidden.
             */
            state?: string | null;
            /** @description Of its worst slice, as a sentence. */
            says?: string | null;
            /** @description `info`, `warning`, `error` or `critical`; absent where this version cannot read its spec. */
            severity?: string | null;
            /** @description How many slices are in each state. */
            slices: components["schemas"]["MonitorSlices"];
            looked_at?: string | null;
            /**
             * Format: int32
             * @description The version that was looked at.
             */
            looked_version?: number | null;
            next_look_at?: string | null;
            /** @description Why the last look found nothing out. */
            trouble?: string | null;
            /** @description Incidents that its alerts are part of. */
            incidents: string[];
            /** @description What it found is of every trace of the project and not told to this caller, who may not see them all. */
            hidden?: boolean;
        };
        MoveAlias: {
            /** @description `v3`, `latest`, another alias, or a digest. */
            to: string;
            /**
             * Format: int32
             * @description The version the alias points to now; refused when it moved meanwhile. 0: the alias does not exist.
             */
            expected?: number | null;
        };
        /** @description Exactly one of these. */
        NewErasure: {
            user?: string | null;
            session?: string | null;
            trace?: string | null;
            /** @description `knowledge/doc_…`, or the whole name it has or had there: it is forgotten by its knowledge too. */
            document?: string | null;
        };
        NewKey: {
            name: string;
            role: string;
            labels?: components["schemas"]["LabelsView"] | null;
            /** @description What it may name as `model`: apps, prompts, routes and models; a name may end in `*`. Absent: everything. */
            models?: string[] | null;
            expires_at?: string | null;
            /** @description The member whom the key acts for, by name; absent: whoever makes it. It never allows more than the member may. */
            member?: string | null;
        };
        /** @description A limit to be set. It takes the place of one with the same subject and metric. */
        NewLimit: {
            /** @description `project`, `key`, `principal`, `user` or `model`. */
            kind: string;
            /** @description A key's id, a member's name, an end user or a model. Absent: each there is. */
            subject?: string | null;
            metric: string;
            /** @description A whole number, or dollars for budgets: `60`, `12.50`. */
            amount: string;
        };
        NewMember: {
            /** @description A user name or an address: one for the whole installation. */
            name: string;
            role: string;
            /** @description `person` or `service`; absent: `person`. */
            kind?: string | null;
            labels?: components["schemas"]["LabelsView"] | null;
        };
        NewProject: {
            name: string;
            description?: string | null;
        };
        /** @description A score to be written. One under an id that is there takes its place. */
        NewScore: {
            /** @description Whoever repeats the request repeats it; made by the server where it is absent. */
            id?: string | null;
            name: string;
            /** @description `numeric`, `boolean`, `categorical` or `text`; told by the value where it is absent. */
            kind?: string | null;
            /** @description A number, true or false, or a text. */
            value: unknown;
            comment?: string | null;
            /** @description `api` (the default), `annotation`, `user_feedback` or `evaluation`. */
            source?: string | null;
            /** @description A score is about a trace, a span of it, or a session. */
            trace?: string | null;
            span?: string | null;
            session?: string | null;
            author?: string | null;
            config?: string | null;
            metadata?: unknown;
            /** @description RFC 3339; the present where it is absent. */
            time?: string | null;
        };
        /** @description One score, or up to a thousand. */
        NewScores: components["schemas"]["NewScore"] | components["schemas"]["NewScore"][];
        /** @description The value of a secret: one line of visible characters. */
        NewSecret: {
            /** Format: password */
            value: string;
        };
        /** @description A silence to be made: `ends_at` or `for` is given. */
        NewSilence: {
            matchers: string[];
            /** @description Absent: now. */
            starts_at?: string | null;
            ends_at?: string | null;
            /** @description How long it lasts: `30m`, `2h`, `7d`. */
            for?: string | null;
            comment?: string;
        };
        OpenCalls: {
            /** @description In the order in which they began. */
            calls: components["schemas"]["StartedCall"][];
            /** @description There are more than these, which are the newest. */
            more: boolean;
        };
        Overview: {
            version: string;
            /** @description The project that all of this is of. */
            project: string;
            /** @description The projects that the caller may be in. */
            projects: components["schemas"]["ProjectSummary"][];
            apps: components["schemas"]["AppSummary"][];
            knowledge: components["schemas"]["KnowledgeSummary"][];
            /** @description The last 24 hours, an hour each, oldest first. */
            activity: components["schemas"]["ActivityBucket"][];
            health: components["schemas"]["HealthItem"][];
        };
        /** @description One page of a list. */
        Page_AppSummary: {
            items: {
                name: string;
                title?: string | null;
                description?: string | null;
                /** Format: int32 */
                version: number;
                digest: string;
                chain?: string | null;
                prompt?: string | null;
                model?: string | null;
                /** @description The model that compares, where the app answers with quotes and none writes. */
                quotes?: string | null;
                knowledge: string[];
                examples: string[];
                /** Format: int64 */
                requests_24h?: number | null;
                /** Format: int64 */
                errors_24h?: number | null;
                /** Format: double */
                p50_ms?: number | null;
                /** Format: double */
                p95_ms?: number | null;
                /** @description Whether some requests stand for others that were not kept: the numbers are estimates. */
                estimated?: boolean;
                last_request_at?: string | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_AssetSummary: {
            items: {
                kind: string;
                name: string;
                description?: string | null;
                /** Format: int32 */
                version: number;
                digest: string;
                aliases: components["schemas"]["AliasView"][];
                updated_at?: string | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_AssetVersion: {
            items: {
                /** Format: int32 */
                version: number;
                digest: string;
                author?: string | null;
                message?: string | null;
                created_at: string;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_AuditEntry: {
            items: {
                /** Format: int64 */
                sequence: number;
                at: string;
                actor: string;
                action: string;
                target: string;
                detail: unknown;
                hash: string;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_BatchResult: {
            items: {
                id: string;
                custom_id: string;
                response?: components["schemas"]["BatchResponse"] | null;
                error?: components["schemas"]["BatchError"] | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_BatchView: {
            items: {
                id: string;
                /** @description Where its lines go: `/v1/chat/completions`, and others of OpenAI's dialect. */
                endpoint: string;
                /**
                 * @description `validating`, `in_progress`, `finalizing`, `cancelling`; or how it ended: `completed`, `failed`, `expired`,
                 *     `cancelled`.
                 */
                status: string;
                input_file: string;
                /** @description What lines gave that went well, once the batch has ended. */
                output_file?: string | null;
                /** @description What the other lines gave, once the batch has ended. */
                error_file?: string | null;
                /**
                 * Format: int64
                 * @description Lines; nothing while the file is looked at.
                 */
                total: number;
                /** Format: int64 */
                completed: number;
                /** Format: int64 */
                failed: number;
                /** @description Why it failed as a whole. */
                errors?: components["schemas"]["BatchError"][];
                metadata?: {
                    [key: string]: string;
                };
                /** @description The key that made it; its lines are made with what that key may do. */
                key?: string | null;
                /** @description No line is begun before this: a limit has no room. Told where one batch is shown. */
                waits_until?: string | null;
                /** @description What the limit says. */
                waits_for?: string | null;
                created_by: string;
                created_at: string;
                /** @description No line is begun after this. */
                expires_at: string;
                in_progress_at?: string | null;
                cancelling_at?: string | null;
                finalizing_at?: string | null;
                ended_at?: string | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_CallView: {
            items: {
                id: string;
                started_at: string;
                ended_at: string;
                /** Format: int32 */
                took_ms: number;
                /** Format: int32 */
                first_ms?: number | null;
                key?: string | null;
                /** @description The member whose key it was. */
                principal: string;
                /** @description The end user, as the client named them. */
                user?: string | null;
                app?: string | null;
                /** @description As the client named it. */
                model: string;
                route?: string | null;
                provider?: string | null;
                /** @description The model, as the provider names it. */
                target?: string | null;
                operation: string;
                /** @description `ok`, `failed`, `cancelled` or `interrupted`. */
                status: string;
                /** @description Why it failed. */
                class?: string | null;
                /** Format: int32 */
                attempts: number;
                usage: components["schemas"]["CallUsage"];
                cost: string;
                price?: components["schemas"]["CallPrice"] | null;
                /**
                 * @description What each attempt that was paid used, where that says more than the call's own fields: several were, or another target
                 *     than the one that is shown. Together they are `usage` and `cost`.
                 */
                charges?: components["schemas"]["AttemptCharge"][];
                /** @description Answered from the cache. */
                cached: boolean;
                /** @description Priced as calls in a batch are. */
                batch: boolean;
                /** @description The batch of which a line made it. */
                batch_id?: string | null;
                trace_id: string;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_ChunkView: {
            items: {
                id: string;
                /** Format: int32 */
                ordinal: number;
                /** Format: int64 */
                start: number;
                /** Format: int64 */
                end: number;
                /** Format: int32 */
                tokens: number;
                heading_path: string[];
                /** Format: int32 */
                page?: number | null;
                header?: string | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_DashboardSummary: {
            items: {
                name: string;
                description?: string | null;
                /** @description Whether nobody wrote it. */
                built_in: boolean;
                /**
                 * Format: int32
                 * @description None of what is built in.
                 */
                version?: number | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_DeliveryView: {
            items: {
                id: string;
                incident: string;
                receiver: string;
                /** @description `opened`, `updated`, `escalated`, `reopened`, `reminder`, `acknowledged` or `resolved`. */
                what: string;
                /** @description `pending`, `delivered`, `skipped` (the receiver does not want it) or `failed` (given up). */
                state: string;
                /** Format: int32 */
                attempts: number;
                /** @description A pending one is not tried before this. */
                due_at: string;
                /**
                 * Format: int32
                 * @description What the receiver answered last, of HTTP or SMTP.
                 */
                status?: number | null;
                /** @description Why it did not arrive the last time, or was not sent. */
                error?: string | null;
                created_at: string;
                attempted_at?: string | null;
                ended_at?: string | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_DocumentView: {
            items: {
                id: string;
                title: string;
                uri: string;
                source?: string | null;
                media_type: string;
                /** @description `ready`, `failed`, `skipped` or `forgotten`. */
                status: string;
                reason?: string | null;
                reason_code?: string | null;
                /** @description What could not be read of it as it stands, a page without a text layer for one. */
                warnings?: components["schemas"]["DocumentWarning"][];
                origin?: components["schemas"]["DocumentOrigin"] | null;
                /** Format: int64 */
                bytes?: number | null;
                /** Format: int64 */
                pages?: number | null;
                /** Format: int64 */
                chunks: number;
                /** Format: int64 */
                tokens?: number | null;
                labels: string[];
                metadata: {
                    [key: string]: string;
                };
                digest?: string | null;
                ingested_at?: string | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_ErasureView: {
            items: {
                id: string;
                /** @description `user`, `session`, `trace` or `document`. */
                kind: string;
                /** @description Until it is done; then nothing says any longer whose it was. */
                subject?: string | null;
                /** @description A digest of the project, the kind and the subject. */
                fingerprint: string;
                /** @description `waiting`, `running`, `done` (no file holds any of it) or `failed`. */
                state: string;
                asked_at: string;
                asked_by: string;
                ended_at?: string | null;
                /**
                 * Format: int64
                 * @description With log records.
                 */
                spans: number;
                /** Format: int64 */
                points: number;
                /**
                 * Format: int64
                 * @description What the files took that went.
                 */
                bytes: number;
                /**
                 * Format: int64
                 * @description Large values that went, since no span names them any longer.
                 */
                values: number;
                /**
                 * @description What it is at: `asking` servers for what they hold, `looking` for whose rows are, `deleting`, `rewriting` files, `sweeping`
                 *     large values.
                 */
                step?: string | null;
                /**
                 * Format: double
                 * @description How much of the time that rows are of was looked through, 0 to 1; a server that is killed goes on from there.
                 */
                looked?: number | null;
                /** @description Why it waits or has failed. */
                trouble?: string | null;
                /** @description While it is under way: servers that have not said yet that their own disk holds none of it. */
                waiting_for?: components["schemas"]["ErasureServer"][];
                /**
                 * @description When it is done: servers that had not been heard of for a week. They carry it out when they are back, before they bring
                 *     anything.
                 */
                without?: components["schemas"]["ErasureServer"][];
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_ForgetReceipt: {
            items: {
                id: string;
                knowledge: string;
                /** @description Whoever asked for it. */
                by: string;
                started: string;
                finished: string;
                documents: string[];
                /** @description Ids that these had before they were moved: what was theirs is gone too. */
                former?: string[];
                /** @description Asked for, and not there. */
                not_found: string[];
                rows: components["schemas"]["RemovedRows"][];
                /**
                 * Format: int64
                 * @description Texts removed; one that another document shares stays, and is counted in `shared_texts`.
                 */
                texts: number;
                /** Format: int64 */
                shared_texts: number;
                /** @description Answers that read one of these cannot be replayed. */
                dropped_states: components["schemas"]["DroppedState"][];
                /** @description The next ingestion keeps the documents out. */
                tombstones: boolean;
                /**
                 * Format: int64
                 * @description Spans of traces that lost what they showed of the documents, counted when the receipt was made. Absent where
                 *     nobody could count them then.
                 */
                removed_spans?: number | null;
                /** @description Only when it is made: spans were still on their way then; upkeep takes out of them what they show. */
                traces_pending?: boolean | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_HealthItem: {
            items: {
                component: string;
                /** @description `ok`, `busy`, `degraded`, `down` or `off`. */
                state: string;
                detail?: string | null;
                facts: {
                    [key: string]: unknown;
                };
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_IncidentView: {
            items: {
                id: string;
                /** @description `open`, `acknowledged` or `resolved`. */
                state: string;
                /** @description The worst of its alerts: `info`, `warning`, `error` or `critical`. */
                severity: string;
                /** @description The monitor and what the worst alert that goes on says now: `latency: answers are slow`. */
                title: string;
                /** @description Those that all of its alerts have. */
                labels: {
                    [key: string]: string;
                };
                /** @description What its alerts have in common: `app=desk,name=latency`. */
                group: string;
                /** @description Who is told; absent: every receiver that matches. */
                receivers?: string[] | null;
                /** @description The silence that hides it now. */
                silence?: string | null;
                opened_at: string;
                updated_at: string;
                acknowledged_at?: string | null;
                acknowledged_by?: string | null;
                resolved_at?: string | null;
                /** @description Absent where it ended by itself. */
                resolved_by?: string | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_JobView: {
            items: {
                id: string;
                /** @description `ingest`; more kinds may come. */
                kind: string;
                /** @description `queued`, `running`, `done`, `failed` or `cancelled`. */
                state: string;
                /** @description What is to be done, in the words of its kind. */
                payload: Record<string, never>;
                /**
                 * Format: int32
                 * @description How many times a process has taken it up.
                 */
                attempt: number;
                /** Format: int32 */
                max_attempts: number;
                /** @description Not before this moment. */
                due_at: string;
                /** @description The process that is at it. */
                owner?: string | null;
                result?: Record<string, never> | null;
                /** @description Why the last attempt failed. */
                error?: string | null;
                created_at: string;
                started_at?: string | null;
                ended_at?: string | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_KeyView: {
            items: {
                id: string;
                name: string;
                role: string;
                labels: components["schemas"]["LabelsView"];
                /** @description What it may name as `model`, where that is not everything; a name may end in `*`. */
                models?: string[] | null;
                /** @description The member whom the key acts for. */
                member?: string | null;
                hint?: string | null;
                created_at: string;
                expires_at?: string | null;
                /** @description After a rotation: until when the secret before works as well. */
                old_secret_until?: string | null;
                last_used_at?: string | null;
                revoked_at?: string | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_KnowledgeSummary: {
            items: {
                name: string;
                description?: string | null;
                /** Format: int32 */
                version: number;
                digest: string;
                embedder?: string | null;
                /** Format: int64 */
                documents: number;
                /** Format: int64 */
                failed: number;
                /** Format: int64 */
                chunks: number;
                /** Format: int64 */
                tokens?: number | null;
                /** @description When the last ingestion that succeeded ended. */
                fresh_at?: string | null;
                /** @description `ready`, `ingesting` or `empty`. */
                state?: string | null;
                last_run?: components["schemas"]["RunView"] | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_LimitView: {
            items: {
                id: string;
                /** @description `project`, `key`, `principal`, `user` or `model`. */
                kind: string;
                /** @description A key's id, a member's name, an end user or a model; `*` for each there is. */
                subject: string;
                /** @description `requests_per_minute`, `tokens_per_minute`, `concurrent`, `usd_per_day` or `usd_per_month`. */
                metric: string;
                amount: string;
                /** @description Of a budget with one subject: spent since it began anew. */
                spent?: string | null;
                /** @description When a budget begins anew. */
                resets_at?: string | null;
                /**
                 * Format: int64
                 * @description Of a limit that is no budget, with one subject: how many of its requests, tokens or calls are left at this moment.
                 */
                left?: number | null;
                created_at: string;
                created_by: string;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_LogRecord: {
            items: {
                /** @description One by itself where it was written in no trace. */
                trace_id: string;
                /** @description Its own id. */
                span: string;
                /** @description The span it was written in. */
                parent?: string | null;
                time: string;
                /** @description Which event it is; `log` where its sender does not say. */
                name: string;
                /** @description `trace`, `debug`, `info`, `warn`, `error` or `fatal`; absent where its sender does not say. */
                severity?: string | null;
                /** @description The severity in its sender's word. */
                severity_text?: string | null;
                service?: string | null;
                /** @description What it says; of a large value how it begins, and where the whole of it is. */
                body?: unknown;
                attributes: {
                    [key: string]: unknown;
                };
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_MemberView: {
            items: {
                id: string;
                name: string;
                /** @description `person`, `service`, or `local`: whoever sits at the machine. */
                kind: string;
                role: string;
                labels: components["schemas"]["LabelsView"];
                since: string;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_MetricPointView: {
            items: {
                /** @description The same for all points of a series: one metric of one sender with the same attributes. */
                series: string;
                time: string;
                /** @description Since when it counts, where it does. */
                since?: string | null;
                name: string;
                unit: string;
                /** @description `gauge`, `sum`, `histogram`, `exponential_histogram` or `summary`. */
                kind: string;
                /** @description `delta`: since the point before. `cumulative`: since `since`. */
                temporality?: string | null;
                /** @description Of a sum: it never falls. */
                monotonic?: boolean | null;
                attributes: {
                    [key: string]: unknown;
                };
                /**
                 * Format: double
                 * @description Of gauges and sums.
                 */
                value?: number | null;
                /**
                 * Format: int64
                 * @description Of histograms and summaries.
                 */
                count?: number | null;
                /** Format: double */
                sum?: number | null;
                /** Format: double */
                min?: number | null;
                /** Format: double */
                max?: number | null;
                /** @description Of histograms bounds and counts, of summaries quantiles. */
                buckets?: Record<string, never> | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_MetricView: {
            items: {
                name: string;
                /** @description Of its newest point. */
                form: components["schemas"]["MetricFormView"];
                /** @description What else is sent under this name, those first that were sent last: 19 at most. */
                others?: components["schemas"]["MetricFormView"][];
                /**
                 * Format: int64
                 * @description How many more there are of these, about.
                 */
                more_forms?: number;
                /** @description Those that send it, by name: 20 at most. */
                services: string[];
                /** @description Whether there are more services. */
                more_services: boolean;
                /**
                 * Format: int64
                 * @description Series that sent points in this time, about.
                 */
                series: number;
                last_seen: string;
                /**
                 * Format: double
                 * @description Of the points of that moment: the mean of a gauge, a sum together, the mean of what a histogram or a summary counted.
                 */
                last_value?: number | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_ModelView: {
            items: {
                name: string;
                /** @description `chat`, `embed` or `rerank`. */
                role: string;
                /** @description `loaded`, `installed` or `missing`. */
                state: string;
                digest?: string | null;
                /** Format: int64 */
                bytes?: number | null;
                dimensions?: number | null;
                context_window?: number | null;
                licence?: string | null;
                detail?: string | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_MonitorEvaluation: {
            items: {
                at: string;
                /** Format: int32 */
                version: number;
                state: string;
                slices: components["schemas"]["MonitorSlice"][];
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_MonitorView: {
            items: {
                name: string;
                /** Format: int32 */
                version: number;
                description?: string | null;
                /** @description Whether it is looked at by itself. */
                enabled: boolean;
                /**
                 * @description `ok`, `warming` (too little came, or too little to compare it with), `missing` (nothing came, or the last look found
                 *     nothing out) or `firing`: that of its worst slice. Absent where nobody has looked yet, and where it is hidden.
                 */
                state?: string | null;
                /** @description Of its worst slice, as a sentence. */
                says?: string | null;
                /** @description `info`, `warning`, `error` or `critical`; absent where this version cannot read its spec. */
                severity?: string | null;
                /** @description How many slices are in each state. */
                slices: components["schemas"]["MonitorSlices"];
                looked_at?: string | null;
                /**
                 * Format: int32
                 * @description The version that was looked at.
                 */
                looked_version?: number | null;
                next_look_at?: string | null;
                /** @description Why the last look found nothing out. */
                trouble?: string | null;
                /** @description Incidents that its alerts are part of. */
                incidents: string[];
                /** @description What it found is of every trace of the project and not told to this caller, who may not see them all. */
                hidden?: boolean;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_ProcessView: {
            items: {
                /** @description The same again after a restart over the same data folder. */
                id: string;
                /** @description The one that answers. */
                here: boolean;
                seen_at: string;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_ProjectView: {
            items: {
                id: string;
                name: string;
                description?: string | null;
                /** @description The caller's role in it. */
                role: string;
                created_at: string;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_ReceiverView: {
            items: {
                name: string;
                /** Format: int32 */
                version: number;
                /** @description `webhook`, `slack`, `email` or `pagerduty`; absent where this version cannot read its spec. */
                way?: string | null;
                /** Format: int64 */
                pending: number;
                /**
                 * Format: int64
                 * @description Deliveries that were given up.
                 */
                failed: number;
                delivered_at?: string | null;
                /** @description Why the newest that has not arrived has not. */
                error?: string | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_RunView: {
            items: {
                id: string;
                kind: string;
                knowledge?: string | null;
                /** @description `queued`, `running`, `succeeded`, `failed` or `cancelled`. */
                status: string;
                created_at?: string | null;
                started_at?: string | null;
                finished_at?: string | null;
                progress?: components["schemas"]["IngestProgress"] | null;
                report?: components["schemas"]["IngestReport"] | null;
                error?: components["schemas"]["RunError"] | null;
                trace_id?: string | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_ScoreView: {
            items: {
                id: string;
                name: string;
                /** @description `numeric`, `boolean`, `categorical` or `text`. */
                kind: string;
                /** @description A number, true or false, or a text. */
                value: unknown;
                comment?: string | null;
                /** @description `api`, `annotation`, `user_feedback` or `evaluation`. */
                source: string;
                trace?: string | null;
                span?: string | null;
                session?: string | null;
                author?: string | null;
                /** @description What made it, with its version: `judge@3`. */
                config?: string | null;
                metadata?: unknown;
                time: string;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_SecretView: {
            items: {
                name: string;
                /** @description The same for the same value in the project, and for no other. */
                fingerprint: string;
                created_at: string;
                created_by: string;
                changed_at: string;
                changed_by: string;
                /** @description When a provider last had it, within an hour. */
                last_used_at?: string | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_SessionSummary: {
            items: (components["schemas"]["GatheredTraces"] & {
                session: string;
                /** @description The last that was named. */
                user?: string | null;
            })[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_SilenceView: {
            items: {
                id: string;
                /** @description All of them hold for an alert that is silenced: `app=desk`, `severity!=critical`, `name=drift-*`. */
                matchers: string[];
                starts_at: string;
                ends_at: string;
                comment: string;
                created_at: string;
                created_by: string;
                /** @description Whether it covers anything at this moment. */
                active: boolean;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_SpanSummary: {
            items: {
                trace_id: string;
                span: string;
                parent?: string | null;
                name: string;
                /** @description `chat`, `embedding`, `tool`, `retriever`, `agent`, `chain`, … */
                kind?: string | null;
                operation?: string | null;
                /** @description A trace is entered by it. */
                entry: boolean;
                app?: string | null;
                model?: string | null;
                provider?: string | null;
                service?: string | null;
                environment?: string | null;
                release?: string | null;
                prompt?: string | null;
                user?: string | null;
                session?: string | null;
                tags?: string[];
                /** @description `ok`, `error` or `unset`. */
                status: string;
                error?: string | null;
                error_type?: string | null;
                start: string;
                /** Format: double */
                duration_ms: number;
                /** Format: double */
                first_token_ms?: number | null;
                /** Format: int64 */
                input_tokens?: number | null;
                /** Format: int64 */
                output_tokens?: number | null;
                /** Format: int64 */
                cache_read_tokens?: number | null;
                /** Format: int64 */
                reasoning_tokens?: number | null;
                /** @description In dollars. */
                cost?: string | null;
                preview?: string | null;
                /** @description Of the span itself, by name. */
                scores?: components["schemas"]["ScoreSummary"][];
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_TargetHistory: {
            items: {
                /** @description Absent for calls of `provider/model`. */
                route?: string | null;
                provider: string;
                /** @description `*`: as the client names it. */
                model: string;
                /** @description The oldest first. */
                minutes: components["schemas"]["TargetMinute"][];
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_TargetView: {
            items: {
                /** @description Absent for calls of `provider/model`. */
                route?: string | null;
                provider: string;
                /** @description `*`: as the client names it. */
                model: string;
                /** @description `closed`: it is asked; `open`: it is left alone; `half_open`: it is being tried. */
                breaker: string;
                /**
                 * Format: int64
                 * @description How long an open breaker stays so.
                 */
                wait_ms?: number | null;
                /** Format: int32 */
                in_flight: number;
                /**
                 * Format: int32
                 * @description Attempts that are remembered one by one, and how many of them failed, by class.
                 */
                recent: number;
                failed: {
                    [key: string]: number;
                };
                /**
                 * Format: int32
                 * @description Until a stream begins, over the recent ones that did.
                 */
                begin_p50_ms?: number | null;
                /** Format: int32 */
                begin_p95_ms?: number | null;
                /** Format: int32 */
                begin_p99_ms?: number | null;
                /**
                 * Format: int32
                 * @description Until an answer is complete, over the recent ones that were.
                 */
                whole_p50_ms?: number | null;
                /** Format: int32 */
                whole_p95_ms?: number | null;
                /** Format: float */
                tokens_per_second?: number | null;
                /**
                 * Format: int64
                 * @description Since this process started.
                 */
                attempts: number;
                /** Format: int64 */
                input_tokens: number;
                /** Format: int64 */
                output_tokens: number;
                /** @description In dollars; what nobody has a price for is not in it. */
                spend: string;
                /** @description Whether there is a price for it now; absent where the client names the model. */
                priced?: boolean | null;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_TombstoneView: {
            items: {
                /** @description The id it had; a digest. */
                document: string;
                source: string;
                labels: string[];
                forgotten_at: string;
            }[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        /** @description One page of a list. */
        Page_UserSummary: {
            items: (components["schemas"]["GatheredTraces"] & {
                user: string;
            })[];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
        };
        PanelData: {
            title: string;
            description?: string | null;
            /** @description `line`, `bar`, `number` or `table`. */
            chart: string;
            /** @description `count`, `share`, `milliseconds` or `dollars`. */
            unit: string;
            /** @description `data`, `nothing` (there is none in that time) or `failed`. */
            state: string;
            measures: string[];
            /** @description The field, or the attribute, whose values are told apart. */
            by?: string | null;
            /** @description Which spans are measured; empty: all of them. */
            filter: string;
            metric?: components["schemas"]["PanelMetricView"] | null;
            /**
             * Format: int64
             * @description How long its buckets of time are, where they are not as long as those of the other panels.
             */
            bucket_ms?: number | null;
            /** @description Of a panel that measures. A bucket in which nothing happened is not there. */
            rows: components["schemas"]["TraceMetricsRow"][];
            table?: components["schemas"]["SqlAnswer"] | null;
            /** @description Whether there are more values, or rows, than are told. */
            more: boolean;
            /**
             * @description Whether its numbers are estimates: some of the spans stand for others that were not kept. A panel that asks in SQL does
             *     not say.
             */
            estimated?: boolean;
            problem?: components["schemas"]["PanelProblem"] | null;
        };
        /** @description The metric that a panel shows. */
        PanelMetricView: {
            name: string;
            form?: components["schemas"]["MetricFormView"] | null;
            /** @description What is to be said of the numbers: that percentiles are estimates. */
            note?: string | null;
        };
        PanelProblem: {
            /** @description Stable; branch on this. */
            code: string;
            detail: string;
            hint?: string | null;
        };
        Passage: {
            chunk: string;
            document: string;
            title: string;
            uri: string;
            media_type: string;
            heading_path: string[];
            /** Format: int32 */
            page?: number | null;
            /** Format: int64 */
            start: number;
            /** Format: int64 */
            end: number;
            text: string;
            /** @description Of a later piece of a table, the table's first row: the names of its columns. The offsets do not count it. */
            table_head?: string | null;
            /** Format: int32 */
            tokens: number;
            labels: string[];
            metadata: {
                [key: string]: string;
            };
            scores: components["schemas"]["HitScores"];
            document_digest: string;
        };
        PlannedAlias: {
            alias: string;
            /**
             * Format: int32
             * @description Absent when the alias is new.
             */
            from?: number | null;
            /** Format: int32 */
            to: number;
        };
        PlannedChange: {
            kind: string;
            name: string;
            /** @description `create`, `update` or `unchanged`. */
            action: string;
            /** Format: int32 */
            from_version?: number | null;
            /** Format: int32 */
            to_version?: number | null;
            digest: string;
            /** @description Aliases that come to name this version. */
            aliases?: components["schemas"]["PlannedAlias"][];
            /** @description What changes, as a unified diff of YAML. */
            diff?: string | null;
            /**
             * @description What may be meant otherwise, and keeps nothing from being applied: a monitor that tells a receiver which does not exist,
             *     a provider whose key is not where its spec says.
             */
            warnings?: string[];
        };
        /** @description A text to try, under the project's policy or one that is not set. */
        PreviewCapture: {
            text: string;
            policy?: components["schemas"]["SetCapture"] | null;
        };
        /** @description The body of an error answer. */
        ProblemBody: {
            /** @description A page that explains the code; this server has it. */
            type: string;
            title: string;
            /** Format: int32 */
            status: number;
            /** @description Stable; branch on this. */
            code: string;
            detail: string;
            /** @description What to do about it. */
            hint?: string | null;
            request_id?: string;
        };
        /** @description A process that serves calls. How targets stand, and which calls are under way, each knows of itself only. */
        ProcessView: {
            /** @description The same again after a restart over the same data folder. */
            id: string;
            /** @description The one that answers. */
            here: boolean;
            seen_at: string;
        };
        ProjectSummary: {
            id: string;
            name: string;
            /** @description The caller's role in it. */
            role: string;
        };
        ProjectView: {
            id: string;
            name: string;
            description?: string | null;
            /** @description The caller's role in it. */
            role: string;
            created_at: string;
        };
        /** @description As Prometheus writes an answer: `data` by what was asked. */
        PromReply: {
            /** @description `success`. */
            status: string;
            data: unknown;
            /** @description What is to be said of the answer: that it is an estimate, or does not have everything. */
            infos?: string[];
        };
        /** @enum {string} */
        Provenance: "reported" | "counted" | "instrumented" | "estimated";
        /** @description Documents that were read, of those that the sources hold. */
        ReadSoFar: {
            /** Format: int64 */
            read: number;
            /** Format: int64 */
            found: number;
        };
        /** @description What became of a test notice. */
        ReceiverTest: {
            arrived: boolean;
            /**
             * Format: int32
             * @description What the receiver answered, of HTTP or SMTP.
             */
            status?: number | null;
            /** @description Why it did not arrive, or what is to be said of it all the same. */
            message?: string | null;
            /** Format: int64 */
            took_ms: number;
        };
        /** @description A receiver and how its deliveries stand. */
        ReceiverView: {
            name: string;
            /** Format: int32 */
            version: number;
            /** @description `webhook`, `slack`, `email` or `pagerduty`; absent where this version cannot read its spec. */
            way?: string | null;
            /** Format: int64 */
            pending: number;
            /**
             * Format: int64
             * @description Deliveries that were given up.
             */
            failed: number;
            delivered_at?: string | null;
            /** @description Why the newest that has not arrived has not. */
            error?: string | null;
        };
        RemovalView: {
            at: string;
            /** Format: int64 */
            rows: number;
            /** Format: int64 */
            bytes: number;
            /**
             * Format: int64
             * @description Of all runs together.
             */
            all_rows: number;
            /** Format: int64 */
            all_bytes: number;
        };
        RemovedAlias: {
            /** @description The alias that is no more. */
            removed: string;
        };
        RemovedRows: {
            table: string;
            /** Format: int64 */
            rows: number;
            /**
             * Format: int64
             * @description States, tagged or not, that were cleaned up with it.
             */
            pruned_versions: number;
            /** Format: int64 */
            freed_bytes: number;
            /**
             * Format: int64
             * @description Rows of these documents that are still there: none, or something is wrong.
             */
            left: number;
        };
        Replay: {
            trace_id: string;
            replay_trace_id: string;
            same: boolean;
            original: string;
            replayed: string;
            versions: components["schemas"]["ReplayVersion"][];
            sources: components["schemas"]["ReplaySources"];
            tables: components["schemas"]["TablePin"][];
            notes: string[];
        };
        /** @description Where a passage stands; only its chunk is known of one whose search was not kept. */
        ReplayPassage: {
            /** @default  */
            chunk: string;
            /** @default  */
            title: string;
            /** @default  */
            uri: string;
            /** @default [] */
            heading_path: string[];
            /**
             * Format: int32
             * @default null
             */
            page: number | null;
        };
        ReplayRequest: {
            /**
             * @description Swaps: `{"prompt": "answer@candidate"}`; kinds are app, chain, prompt, knowledge and model.
             *     `{"knowledge/handbook": "drafts"}` says which of several gives way.
             * @default {}
             */
            with: {
                [key: string]: string;
            };
            /**
             * @description The answer that is meant, by its span, where the trace holds several.
             * @default null
             */
            span: string | null;
        };
        ReplaySources: {
            original: string[];
            replayed: string[];
            /** @description Passages of then that the replay did not find. */
            gone?: components["schemas"]["ReplayPassage"][];
            /** @description Passages that the replay found beside those of then. */
            new?: components["schemas"]["ReplayPassage"][];
        };
        ReplayVersion: {
            what: string;
            original?: string | null;
            replayed?: string | null;
        };
        RepricedRow: {
            /** @description Empty for calls that had none: no key, no user, no route. */
            name: string;
            /** @description What a key is called, whose id is the `name`. */
            key_name?: string | null;
            /** Format: int64 */
            calls: number;
            /** Format: int64 */
            input_tokens: number;
            /** Format: int64 */
            output_tokens: number;
            /** @description As it was recorded. */
            cost: string;
            /** @description At the other prices. */
            repriced: string;
            /**
             * Format: int64
             * @description Calls whose cost nobody knew when they were made: `cost` is without them.
             */
            unpriced: number;
            /**
             * Format: int64
             * @description Calls nobody knows the other cost of: `repriced` is without them.
             */
            still_unpriced: number;
        };
        /** @description What calls would have cost otherwise. */
        RepricedView: {
            /** @description What the rows stand for. */
            by: string;
            since: string;
            until: string;
            total: components["schemas"]["RepricedRow"];
            /** @description In the order of their names. */
            rows: components["schemas"]["RepricedRow"][];
            /** @description There are more rows than these, which are the dearest; the total is of all. */
            cut: boolean;
            /**
             * Format: int64
             * @description Calls that the other model could not take, such as embeddings, and what they cost: in no row and in no sum.
             */
            apart_calls?: number;
            apart_cost?: string;
        };
        ResealedSecrets: {
            /** @description How many secrets, of all projects, were sealed anew. */
            secrets: number;
            /** @description The name of the master key that seals them now. */
            master_key: string;
        };
        RetentionList: {
            items: components["schemas"]["RetentionView"][];
        };
        /** @description What a project holds of one kind of telemetry, and how long it stays. */
        RetentionView: {
            /** @description `spans`, `logs` or `points`. */
            kind: string;
            /** Format: int64 */
            rows: number;
            /**
             * Format: int64
             * @description About: what a row of the table takes on the average, and the large values of these.
             */
            bytes: number;
            oldest?: string | null;
            /** @description In force now: `30d`. */
            keep_for: string;
            /** @description The project has not said so itself; it is the setting `traces.keep_for`. */
            by_default: boolean;
            /**
             * Format: int64
             * @description Beyond this the oldest go first.
             */
            max_bytes?: number | null;
            last?: components["schemas"]["RemovalView"] | null;
        };
        RetriedDeliveries: {
            /**
             * Format: int64
             * @description How many deliveries that were given up are tried again.
             */
            deliveries: number;
        };
        Retrieved: {
            passages: components["schemas"]["Passage"][];
            mode: string;
            reranked: boolean;
            pin: components["schemas"]["TablePin"];
            knowledge: string;
            knowledge_digest: string;
            embedder?: string | null;
            /** @description Milliseconds by stage. */
            timings: [
                string,
                number
            ][];
            /**
             * Format: float
             * @description Cosine similarity of the nearest chunk, whether or not it came back.
             */
            best_similarity?: number | null;
            evidence?: components["schemas"]["Evidence"] | null;
            /**
             * Format: double
             * @description Passages are given where the evidence reaches this; 0 gives them always.
             */
            threshold?: number;
            /** @description Found and not given, best first. */
            left_out?: components["schemas"]["LeftOut"][];
            unread?: components["schemas"]["Unread"] | null;
        };
        RotateKey: {
            /**
             * Format: int64
             * @description How long the old secret works beside the new one, thirty days at most; absent: not at all.
             */
            overlap_seconds?: number | null;
        };
        /** @description Which target a call would take now, and why. */
        RouteExplanation: {
            model: string;
            /** @description Which version of which route, or `provider/model`. */
            route: string;
            choose: string;
            /** @description In the order in which they would be asked, then those left out. */
            targets: components["schemas"]["ExplainedTargetView"][];
            cached: boolean;
            /** @description Which calls' answers are kept, where the route keeps any. */
            cache?: string | null;
            /** Format: int32 */
            retries: number;
            hedged: boolean;
        };
        RunError: {
            code?: string | null;
            detail?: string | null;
        };
        RunView: {
            id: string;
            kind: string;
            knowledge?: string | null;
            /** @description `queued`, `running`, `succeeded`, `failed` or `cancelled`. */
            status: string;
            created_at?: string | null;
            started_at?: string | null;
            finished_at?: string | null;
            progress?: components["schemas"]["IngestProgress"] | null;
            report?: components["schemas"]["IngestReport"] | null;
            error?: components["schemas"]["RunError"] | null;
            trace_id?: string | null;
        };
        /** @description The scores of one name. */
        ScoreSummary: {
            name: string;
            /** Format: int64 */
            count: number;
            /**
             * Format: double
             * @description Of numbers; true is 1.
             */
            mean?: number | null;
            /** @description The last word, where it is a category. */
            label?: string | null;
        };
        /** @description What somebody or something says of a trace, a span or a session. */
        ScoreView: {
            id: string;
            name: string;
            /** @description `numeric`, `boolean`, `categorical` or `text`. */
            kind: string;
            /** @description A number, true or false, or a text. */
            value: unknown;
            comment?: string | null;
            /** @description `api`, `annotation`, `user_feedback` or `evaluation`. */
            source: string;
            trace?: string | null;
            span?: string | null;
            session?: string | null;
            author?: string | null;
            /** @description What made it, with its version: `judge@3`. */
            config?: string | null;
            metadata?: unknown;
            time: string;
        };
        /** @description Either is there. */
        ScoreWritten: {
            id?: string | null;
            /** @description Why it was not written. */
            error?: string | null;
        };
        /** @description What became of each score, in the order in which they came. */
        ScoresWritten: {
            /** Format: int64 */
            accepted: number;
            /** Format: int64 */
            rejected: number;
            results: components["schemas"]["ScoreWritten"][];
        };
        SearchRequest: {
            query: string;
            /** @description `hybrid` (default), `vector` or `text`. */
            mode?: string | null;
            limit?: number | null;
            rerank?: boolean | null;
            metadata?: {
                [key: string]: string[];
            } | null;
            documents?: string[] | null;
            token_budget?: number | null;
            at?: components["schemas"]["TablePin"] | null;
        };
        /** @description A secret as lists show it. Its value never comes back. */
        SecretView: {
            name: string;
            /** @description The same for the same value in the project, and for no other. */
            fingerprint: string;
            created_at: string;
            created_by: string;
            changed_at: string;
            changed_by: string;
            /** @description When a provider last had it, within an hour. */
            last_used_at?: string | null;
        };
        ServiceConventions: {
            service: string;
            /**
             * Format: int64
             * @description Of those that were looked at.
             */
            spans: number;
            last: string;
            /** @description In how many spans each convention is spoken. */
            conventions: {
                [key: string]: number;
            };
            /** @description Versions of OpenTelemetry's conventions that its spans name. */
            versions: string[];
            /** @description What made its spans: name and version. */
            instrumentations: string[];
        };
        /** @description What the traces of a session have and used. */
        SessionSummary: components["schemas"]["GatheredTraces"] & {
            session: string;
            /** @description The last that was named. */
            user?: string | null;
        };
        SessionView: {
            session: components["schemas"]["SessionSummary"];
            /** @description In the order in which they began. */
            items: components["schemas"]["TraceSummary"][];
            /** @description Give this as `cursor` for the traces after; absent on the last page. */
            next?: string | null;
        };
        /** @description The whole policy: what is left out is as it is where there is no policy. */
        SetCapture: {
            /** @description `none`, `metadata`, `redacted` or `full`, and no more than the server keeps; absent: what the server keeps. */
            capture?: string | null;
            patterns?: components["schemas"]["CapturePattern"][];
            /**
             * Format: double
             * @description The share of traces that is kept whatever happens in them, from 0 to 1; absent: all.
             */
            share?: number | null;
            /** @description Whether traces with an error are kept beside the share; absent: they are. */
            keep_errors?: boolean | null;
            /**
             * Format: int64
             * @description Traces with a span that took so long are kept beside the share.
             */
            keep_slower_than_ms?: number | null;
            /**
             * Format: int32
             * @description How long spans wait for an error or a slow span of their trace, up to 300; absent: 30.
             */
            hold_seconds?: number | null;
            /**
             * Format: int64
             * @description Refuse unless the policy is at this revision now (0: there is none).
             */
            expected?: number | null;
        };
        /** @description What is left out is as the settings have it. */
        SetRetention: {
            /** @description `12h`, `30d`. */
            keep_for?: string | null;
            /** Format: int64 */
            max_bytes?: number | null;
        };
        SilenceView: {
            id: string;
            /** @description All of them hold for an alert that is silenced: `app=desk`, `severity!=critical`, `name=drift-*`. */
            matchers: string[];
            starts_at: string;
            ends_at: string;
            comment: string;
            created_at: string;
            created_by: string;
            /** @description Whether it covers anything at this moment. */
            active: boolean;
        };
        SourceView: {
            name?: string | null;
            kind: string;
            location: string;
            include: string[];
            exclude: string[];
            labels: string[];
            /** Format: int64 */
            documents?: number | null;
            /** Format: int64 */
            failed?: number | null;
            synced_at?: string | null;
        };
        SpanEventView: {
            name: string;
            at: string;
            /** @description By the names of the OpenTelemetry conventions; ours begin with `mainspring.`. */
            attributes: {
                [key: string]: unknown;
            };
        };
        /** @description What a span points to beside its parent. */
        SpanLinkView: {
            trace: string;
            span: string;
            attributes: {
                [key: string]: unknown;
            };
        };
        SpanMessage: {
            role: string;
            name?: string | null;
            parts: components["schemas"]["MessagePart"][];
            finish_reason?: string | null;
        };
        SpanReading: {
            trace_id: string;
            span: string;
            /** @description `chat`, `embedding`, `rerank`, `tool`, `retriever`, `agent`, `chain`, `guardrail`, `evaluator`, `event` or `span`. */
            type: string;
            operation?: string | null;
            provider?: string | null;
            model?: string | null;
            response_model?: string | null;
            /**
             * Format: int64
             * @description Everything that was read; the next two are parts of it.
             */
            input_tokens?: number | null;
            /** Format: int64 */
            cache_read_tokens?: number | null;
            /** Format: int64 */
            cache_write_tokens?: number | null;
            /**
             * Format: int64
             * @description Everything that was written; the next is a part of it.
             */
            output_tokens?: number | null;
            /** Format: int64 */
            reasoning_tokens?: number | null;
            /** @description US dollars. */
            cost?: string | null;
            /** Format: double */
            first_token_ms?: number | null;
            user?: string | null;
            session?: string | null;
            service?: string | null;
            environment?: string | null;
            release?: string | null;
            prompt?: string | null;
            tags?: string[];
            /** @description Why its times are doubtful: `skew`, `far-off`, `ends-before-start`. */
            marks?: string[];
            system?: components["schemas"]["MessagePart"][];
            input: components["schemas"]["SpanMessage"][];
            output: components["schemas"]["SpanMessage"][];
            /** @description Tools the model was told of, as it was told. */
            tools?: Record<string, never>[];
            tool?: components["schemas"]["ToolCalled"] | null;
            query?: string | null;
            documents?: components["schemas"]["DocumentFound"][];
        };
        SpanStatus: {
            code: string;
            message?: string | null;
        };
        /** @description A span without what was written and read. */
        SpanSummary: {
            trace_id: string;
            span: string;
            parent?: string | null;
            name: string;
            /** @description `chat`, `embedding`, `tool`, `retriever`, `agent`, `chain`, … */
            kind?: string | null;
            operation?: string | null;
            /** @description A trace is entered by it. */
            entry: boolean;
            app?: string | null;
            model?: string | null;
            provider?: string | null;
            service?: string | null;
            environment?: string | null;
            release?: string | null;
            prompt?: string | null;
            user?: string | null;
            session?: string | null;
            tags?: string[];
            /** @description `ok`, `error` or `unset`. */
            status: string;
            error?: string | null;
            error_type?: string | null;
            start: string;
            /** Format: double */
            duration_ms: number;
            /** Format: double */
            first_token_ms?: number | null;
            /** Format: int64 */
            input_tokens?: number | null;
            /** Format: int64 */
            output_tokens?: number | null;
            /** Format: int64 */
            cache_read_tokens?: number | null;
            /** Format: int64 */
            reasoning_tokens?: number | null;
            /** @description In dollars. */
            cost?: string | null;
            preview?: string | null;
            /** @description Of the span itself, by name. */
            scores?: components["schemas"]["ScoreSummary"][];
        };
        SpanView: {
            span: string;
            trace: string;
            parent?: string | null;
            name: string;
            kind: string;
            start: string;
            end: string;
            status: components["schemas"]["SpanStatus"];
            /** @description By the names of the OpenTelemetry conventions; ours begin with `mainspring.`. */
            attributes: {
                [key: string]: unknown;
            };
            events: components["schemas"]["SpanEventView"][];
            links?: components["schemas"]["SpanLinkView"][];
            /** @description In exports: of the span, and of its trace where the trace is entered by it. */
            scores?: components["schemas"]["ScoreView"][];
        };
        SqlAnswer: {
            columns: components["schemas"]["SqlColumnView"][];
            /** @description Values in the order of the columns; times are RFC 3339. */
            rows: unknown[][];
            /** @description Whether the limits of rows and bytes cut the answer. */
            more: boolean;
        };
        SqlColumnView: {
            name: string;
            /** @description As SQL calls it: `BIGINT`, `DOUBLE`, `TEXT`, `TIMESTAMP`. */
            type: string;
        };
        SqlRequest: {
            /**
             * @description One `SELECT`, in the dialect of PostgreSQL.
             * @default
             */
            query: string;
            /**
             * @description Only rows from this moment on, RFC 3339, and before that one.
             * @default null
             */
            from: string | null;
            /** @default null */
            to: string | null;
            /**
             * @description Rows at most: 1,000 unless it is said, and never more than 10,000.
             * @default null
             */
            limit: number | null;
        };
        /** @description What can be asked. */
        SqlSchema: {
            tables: components["schemas"]["SqlTableView"][];
        };
        SqlTableView: {
            name: string;
            description: string;
            columns: components["schemas"]["SqlColumnView"][];
        };
        /** @description A call that was let in and has not ended. */
        StartedCall: {
            id: string;
            started_at: string;
            key?: string | null;
            /** @description The member whose key it is. */
            principal: string;
            user?: string | null;
            app?: string | null;
            /** @description As the client named it. */
            model: string;
            route?: string | null;
            operation: string;
            /** @description Absent where it is not known any more: for calls that were under way before anyone looked. */
            stream?: boolean | null;
            /** @description Priced as calls in a batch are. */
            batch: boolean;
            /** @description The batch of which a line made it. */
            batch_id?: string | null;
            trace_id: string;
        };
        TablePin: {
            table: string;
            /** Format: int64 */
            version: number;
            transaction: string;
        };
        /** @description What a live tail tells. */
        TailEvent: (components["schemas"]["TailOpen"] & {
            /** @enum {string} */
            event: "open";
        }) | (components["schemas"]["SpanSummary"] & {
            /** @enum {string} */
            event: "span";
        }) | (components["schemas"]["MissedSpans"] & {
            /** @enum {string} */
            event: "missed";
        });
        TailOpen: {
            at: string;
            /** @description The filter, as it was understood. */
            filter: string;
        };
        /** @description What a target did in the last hour, as this process saw it. Minutes without an attempt are left out. */
        TargetHistory: {
            /** @description Absent for calls of `provider/model`. */
            route?: string | null;
            provider: string;
            /** @description `*`: as the client names it. */
            model: string;
            /** @description The oldest first. */
            minutes: components["schemas"]["TargetMinute"][];
        };
        TargetMinute: {
            /** @description Its beginning, a whole minute. */
            at: string;
            /** Format: int32 */
            attempts: number;
            /** @description By class. A stream that broke off counts although its attempt began well. */
            failed: {
                [key: string]: number;
            };
        };
        /** @description How a target stands, and what it lately did. */
        TargetView: {
            /** @description Absent for calls of `provider/model`. */
            route?: string | null;
            provider: string;
            /** @description `*`: as the client names it. */
            model: string;
            /** @description `closed`: it is asked; `open`: it is left alone; `half_open`: it is being tried. */
            breaker: string;
            /**
             * Format: int64
             * @description How long an open breaker stays so.
             */
            wait_ms?: number | null;
            /** Format: int32 */
            in_flight: number;
            /**
             * Format: int32
             * @description Attempts that are remembered one by one, and how many of them failed, by class.
             */
            recent: number;
            failed: {
                [key: string]: number;
            };
            /**
             * Format: int32
             * @description Until a stream begins, over the recent ones that did.
             */
            begin_p50_ms?: number | null;
            /** Format: int32 */
            begin_p95_ms?: number | null;
            /** Format: int32 */
            begin_p99_ms?: number | null;
            /**
             * Format: int32
             * @description Until an answer is complete, over the recent ones that were.
             */
            whole_p50_ms?: number | null;
            /** Format: int32 */
            whole_p95_ms?: number | null;
            /** Format: float */
            tokens_per_second?: number | null;
            /**
             * Format: int64
             * @description Since this process started.
             */
            attempts: number;
            /** Format: int64 */
            input_tokens: number;
            /** Format: int64 */
            output_tokens: number;
            /** @description In dollars; what nobody has a price for is not in it. */
            spend: string;
            /** @description Whether there is a price for it now; absent where the client names the model. */
            priced?: boolean | null;
        };
        /** @description What is left of a forgotten document, so that no ingestion brings it back. */
        TombstoneView: {
            /** @description The id it had; a digest. */
            document: string;
            source: string;
            labels: string[];
            forgotten_at: string;
        };
        ToolCalled: {
            id?: string | null;
            name?: string | null;
            arguments: Record<string, never>;
            result: Record<string, never>;
        };
        /** @description How what texts are about moved. */
        TopicDriftView: {
            /** @description `measured`, `too_few` or `missing`. */
            state: string;
            /**
             * Format: int64
             * @description Texts on each side.
             */
            reference: number;
            /** Format: int64 */
            current: number;
            /**
             * Format: double
             * @description The maximum mean discrepancy, squared: about 0 where nothing changed, 2 at most.
             */
            mmd_squared?: number | null;
            /** Format: double */
            p?: number | null;
            /**
             * Format: double
             * @description Over the shares of topics.
             */
            psi?: number | null;
            /** @description What grew most comes first. */
            topics: components["schemas"]["DriftTopicView"][];
            /** @description Which topics these are. */
            version: components["schemas"]["TopicsVersionView"];
        };
        /** @description Topics are learnt anew when they no longer fit; what is counted in others is not compared with them. */
        TopicsVersionView: {
            /** Format: int32 */
            number: number;
            /** @description The same topics have the same one. */
            digest: string;
            /** @description Absent of those of before this was written down. */
            learnt_at?: string | null;
            /**
             * @description `first`: there were none. `embedder`: another model embeds. `release`: a release came of which those of before had heard
             *     nothing. `unlike`: too much was unlike all of them. `reference`: a monitor compares with another time than before. `age`:
             *     nothing was left of the time that those of before were made of.
             */
            why: string;
            /** @description Why others are to take their place, in the same words; they do when their hours are made. */
            next?: string | null;
        };
        TraceCount: {
            /** Format: int64 */
            count: number;
            /** @description Otherwise it is within about two percent, or of less than was stored. */
            exact: boolean;
            /**
             * Format: int64
             * @description So many spans at least were stored at this server, of any project, and are in no answer yet: the lake does not take them.
             */
            waiting?: number | null;
            /** @description How to count what is meant, where there is nothing as it was asked for. */
            hint?: string | null;
        };
        /** @description Measures over spans, in groups and over time. */
        TraceMetrics: {
            from: string;
            to: string;
            by: string[];
            measures: string[];
            /** @description A bucket in which nothing happened is not there. */
            rows: components["schemas"]["TraceMetricsRow"][];
            /** @description Whether there are more rows than were asked for. */
            more: boolean;
            /** @description Whether numbers of some rows are estimates. */
            estimated?: boolean;
        };
        TraceMetricsRow: {
            /** @description Where its bucket of time begins. */
            start?: string | null;
            /** @description By the fields that were asked for; null where spans have no such value. */
            keys: {
                [key: string]: string | null;
            };
            /** @description Counts, shares between 0 and 1, milliseconds and dollars; null where there is nothing to measure. */
            values: {
                [key: string]: number | null;
            };
            /**
             * @description Whether some of its spans stand for others that were not kept: then counts, sums, shares, means and percentiles are
             *     estimates.
             */
            estimated?: boolean;
        };
        /** @description One page of a list of traces. */
        TracePage: {
            items: components["schemas"]["TraceSummary"][];
            /** @description Give this as `cursor` for the page after; absent on the last. */
            next?: string | null;
            /** @description How to find what is meant, where nothing was found as it was asked for. */
            hint?: string | null;
        };
        TraceSummary: {
            trace_id: string;
            name: string;
            app?: string | null;
            model?: string | null;
            /** @description `ok`, `error` or `unset`. */
            status: string;
            error?: string | null;
            start: string;
            /** Format: double */
            duration_ms: number;
            /** Format: int64 */
            input_tokens?: number | null;
            /** Format: int64 */
            output_tokens?: number | null;
            preview?: string | null;
            service?: string | null;
            user?: string | null;
            session?: string | null;
            /** @description Of the whole trace, in dollars. */
            cost?: string | null;
            /**
             * Format: int64
             * @description Of the whole trace, as the tokens are.
             */
            spans?: number;
            /**
             * Format: int64
             * @description Spans that failed.
             */
            errors?: number;
            /** @description Of the trace and of its spans, by name. */
            scores?: components["schemas"]["ScoreSummary"][];
        };
        /** @description What a whole trace has and used. */
        TraceTotals: {
            /** Format: int64 */
            spans: number;
            /**
             * Format: int64
             * @description Spans that failed.
             */
            errors: number;
            /** Format: int64 */
            input_tokens?: number | null;
            /** Format: int64 */
            output_tokens?: number | null;
            /** @description In dollars. */
            cost?: string | null;
            start: string;
            /**
             * Format: double
             * @description From the first start to the last end.
             */
            duration_ms: number;
            /** @description As `kind/name@vN#digest`. */
            versions: string[];
            /** @description Whether there may be more of them: the trace is entered by more spans than were asked. */
            more_versions?: boolean;
            /** @description Whether a question was kept that can be asked again. */
            replayable: boolean;
            /** @description Of the trace and of its spans, by name. */
            scores?: components["schemas"]["ScoreSummary"][];
        };
        TraceTree: {
            trace_id: string;
            totals?: components["schemas"]["TraceTotals"] | null;
            /** @description In the order in which they began. */
            spans: components["schemas"]["TreeSpan"][];
            /** @description Give this as `cursor` for the spans after; absent on the last page. */
            next?: string | null;
        };
        TraceView: {
            trace_id: string;
            /**
             * Format: int64
             * @description How many spans the trace has, of which this page has some. One that its sender repeated may be counted twice.
             */
            total_spans?: number;
            /** @description In the order in which they began. */
            spans: components["schemas"]["SpanView"][];
            /** @description Give this as `cursor` for the spans after; absent on the last page. `/tree` shows all of them in fewer bytes. */
            next?: string | null;
            /** @description Of the trace and of its spans, newest first; with the first page only. */
            scores?: components["schemas"]["ScoreView"][];
            /** @description Whether there are more of them, which the list of scores has. */
            more_scores?: boolean;
        };
        /** @description What of a span is drawn; the rest of it comes when it is opened. */
        TreeSpan: {
            span: string;
            parent?: string | null;
            name: string;
            /** @description `chat`, `embedding`, `tool`, `retriever`, `agent`, `chain`, … */
            kind?: string | null;
            app?: string | null;
            model?: string | null;
            service?: string | null;
            session?: string | null;
            /** @description `ok`, `error` or `unset`. */
            status: string;
            error?: string | null;
            start: string;
            /** Format: double */
            duration_ms: number;
            /** Format: double */
            first_token_ms?: number | null;
            /** Format: int64 */
            input_tokens?: number | null;
            /** Format: int64 */
            output_tokens?: number | null;
            /** @description In dollars. */
            cost?: string | null;
            /** @description The first words of what was asked. */
            preview?: string | null;
        };
        UnknownAttribute: {
            name: string;
            /** Format: int64 */
            spans: number;
            services: string[];
            /** @description A name that is understood and written almost so. */
            like?: string | null;
        };
        /** @description A knowledge whose documents were never all read, or those of one of its sources. */
        Unread: {
            knowledge: string;
            /**
             * @description `not_begun`: no ingestion was begun. `under_way`: one is to read them. `broken_off`: the first one ended early.
             *     `source_unread`: ingestions came to their end, and none of them read a source that was added, or moved, or could
             *     not be reached.
             */
            state: string;
            /** @description Where the others were read: those that were not, of which the caller may know. */
            sources?: string[];
            documents?: components["schemas"]["ReadSoFar"] | null;
            /** @description Of what ended the ingestion that was to read them, or kept it from reading the sources. Told where nothing was found. */
            code?: string | null;
        };
        UsageRow: {
            /** @description Empty for calls that had none: no key, no user, no route. */
            name: string;
            /** @description What a key is called, whose id is the `name`. */
            key_name?: string | null;
            /** Format: int64 */
            calls: number;
            /** Format: int64 */
            failed: number;
            /**
             * Format: int64
             * @description Calls that used tokens nobody has a price for: `cost` is without them.
             */
            unpriced: number;
            /** Format: int64 */
            input_tokens: number;
            /** Format: int64 */
            output_tokens: number;
            /**
             * Format: int64
             * @description Parts of the input.
             */
            cache_read_tokens: number;
            /** Format: int64 */
            cache_write_tokens: number;
            /** Format: int64 */
            input_audio_tokens: number;
            /** Format: int64 */
            input_image_tokens: number;
            /**
             * Format: int64
             * @description Parts of the output.
             */
            reasoning_tokens: number;
            /** Format: int64 */
            output_audio_tokens: number;
            /** Format: int64 */
            output_image_tokens: number;
            /**
             * Format: int64
             * @description Of the input and of the output: what was guessed, since nobody said.
             */
            input_estimated_tokens?: number;
            /** Format: int64 */
            output_estimated_tokens?: number;
            cost: string;
        };
        /** @description What calls used and cost. */
        UsageView: {
            /** @description What the rows stand for. */
            by: string;
            since: string;
            until: string;
            total: components["schemas"]["UsageRow"];
            /** @description The dearest first; days and hours in their order. */
            rows: components["schemas"]["UsageRow"][];
            /** @description There are more rows than these; the total is of all. */
            cut: boolean;
        };
        /** @description What the traces of a user have and used. */
        UserSummary: components["schemas"]["GatheredTraces"] & {
            user: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    get_overview: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Overview"];
                };
            };
        };
    };
    list_health: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_HealthItem"];
                };
            };
        };
    };
    list_apps: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_AppSummary"];
                };
            };
        };
    };
    list_local_models: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_ModelView"];
                };
            };
        };
    };
    list_knowledge: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_KnowledgeSummary"];
                };
            };
        };
    };
    get_knowledge: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KnowledgeDetail"];
                };
            };
        };
    };
    list_documents: {
        parameters: {
            query?: {
                status?: string;
                source?: string;
                q?: string;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_DocumentView"];
                };
            };
        };
    };
    get_document: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DocumentView"];
                };
            };
        };
    };
    get_document_text: {
        parameters: {
            query?: {
                digest?: string;
            };
            header?: never;
            path: {
                name: string;
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DocumentText"];
                };
            };
        };
    };
    list_chunks: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path: {
                name: string;
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_ChunkView"];
                };
            };
        };
    };
    search_knowledge_by_address: {
        parameters: {
            query: {
                query: string;
                mode?: string;
                limit?: number;
                rerank?: boolean;
                token_budget?: number;
            };
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Retrieved"];
                };
            };
        };
    };
    search_knowledge: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SearchRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Retrieved"];
                };
            };
        };
    };
    forget_documents: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ForgetRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ForgetReceipt"];
                };
            };
        };
    };
    list_receipts: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_ForgetReceipt"];
                };
            };
        };
    };
    get_receipt: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ForgetReceipt"];
                };
            };
        };
    };
    list_tombstones: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_TombstoneView"];
                };
            };
        };
    };
    lift_tombstone: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TombstoneView"];
                };
            };
        };
    };
    ingest_knowledge: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["IngestRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["IngestStarted"];
                };
            };
        };
    };
    list_runs: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_RunView"];
                };
            };
        };
    };
    list_all_runs: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_RunView"];
                };
            };
        };
    };
    get_run: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunView"];
                };
            };
        };
    };
    follow_run: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["RunView"];
                };
            };
        };
    };
    list_jobs: {
        parameters: {
            query?: {
                kind?: string;
                state?: string;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_JobView"];
                };
            };
        };
    };
    cancel_job: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobView"];
                };
            };
        };
    };
    list_batches: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_BatchView"];
                };
            };
        };
    };
    get_batch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchView"];
                };
            };
        };
    };
    list_batch_results: {
        parameters: {
            query?: {
                failed?: boolean;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_BatchResult"];
                };
            };
        };
    };
    cancel_batch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchView"];
                };
            };
        };
    };
    list_incidents: {
        parameters: {
            query?: {
                state?: string;
                severity?: string;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_IncidentView"];
                };
            };
        };
    };
    get_incident: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["IncidentDetail"];
                };
            };
        };
    };
    acknowledge_incident: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["IncidentNote"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["IncidentView"];
                };
            };
        };
    };
    resolve_incident: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["IncidentNote"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["IncidentView"];
                };
            };
        };
    };
    retry_incident: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RetriedDeliveries"];
                };
            };
        };
    };
    list_deliveries: {
        parameters: {
            query?: {
                state?: string;
                receiver?: string;
                incident?: string;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_DeliveryView"];
                };
            };
        };
    };
    list_monitors: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_MonitorView"];
                };
            };
        };
    };
    get_monitor: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MonitorDetail"];
                };
            };
        };
    };
    list_monitor_evaluations: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_MonitorEvaluation"];
                };
            };
        };
    };
    evaluate_monitor: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MonitorLookRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MonitorLook"];
                };
            };
        };
    };
    list_receivers: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_ReceiverView"];
                };
            };
        };
    };
    test_receiver: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReceiverTest"];
                };
            };
        };
    };
    list_silences: {
        parameters: {
            query?: {
                ended?: boolean;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_SilenceView"];
                };
            };
        };
    };
    create_silence: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewSilence"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SilenceView"];
                };
            };
        };
    };
    end_silence: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SilenceView"];
                };
            };
        };
    };
    list_traces: {
        parameters: {
            query?: {
                filter?: string;
                from?: string;
                to?: string;
                app?: string;
                model?: string;
                status?: string;
                min_ms?: number;
                q?: string;
                operation?: string;
                user?: string;
                session?: string;
                any?: boolean;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TracePage"];
                };
            };
        };
    };
    count_traces: {
        parameters: {
            query?: {
                filter?: string;
                from?: string;
                to?: string;
                app?: string;
                model?: string;
                status?: string;
                min_ms?: number;
                q?: string;
                operation?: string;
                user?: string;
                session?: string;
                any?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TraceCount"];
                };
            };
        };
    };
    measure_traces: {
        parameters: {
            query?: {
                by?: string;
                bucket?: string;
                measures?: string;
                limit?: number;
                filter?: string;
                from?: string;
                to?: string;
                app?: string;
                model?: string;
                status?: string;
                min_ms?: number;
                q?: string;
                operation?: string;
                user?: string;
                session?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TraceMetrics"];
                };
            };
        };
    };
    export_traces: {
        parameters: {
            query?: {
                format?: string;
                filter?: string;
                from?: string;
                to?: string;
                app?: string;
                model?: string;
                status?: string;
                min_ms?: number;
                q?: string;
                operation?: string;
                user?: string;
                session?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-ndjson": string;
                };
            };
        };
    };
    tail_traces: {
        parameters: {
            query?: {
                filter?: string;
                spans?: boolean;
                follow?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["TailEvent"];
                };
            };
        };
    };
    list_spans: {
        parameters: {
            query?: {
                filter?: string;
                from?: string;
                to?: string;
                app?: string;
                model?: string;
                status?: string;
                min_ms?: number;
                q?: string;
                operation?: string;
                user?: string;
                session?: string;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_SpanSummary"];
                };
            };
        };
    };
    count_spans: {
        parameters: {
            query?: {
                filter?: string;
                from?: string;
                to?: string;
                app?: string;
                model?: string;
                status?: string;
                min_ms?: number;
                q?: string;
                operation?: string;
                user?: string;
                session?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TraceCount"];
                };
            };
        };
    };
    list_logs: {
        parameters: {
            query?: {
                filter?: string;
                from?: string;
                to?: string;
                q?: string;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_LogRecord"];
                };
            };
        };
    };
    count_logs: {
        parameters: {
            query?: {
                filter?: string;
                from?: string;
                to?: string;
                q?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TraceCount"];
                };
            };
        };
    };
    list_sessions: {
        parameters: {
            query?: {
                filter?: string;
                from?: string;
                to?: string;
                app?: string;
                user?: string;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_SessionSummary"];
                };
            };
        };
    };
    get_session: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionView"];
                };
            };
        };
    };
    list_users: {
        parameters: {
            query?: {
                filter?: string;
                from?: string;
                to?: string;
                app?: string;
                session?: string;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_UserSummary"];
                };
            };
        };
    };
    get_trace: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TraceView"];
                };
            };
        };
    };
    list_filter_fields: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FilterFields"];
                };
            };
        };
    };
    get_trace_tree: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TraceTree"];
                };
            };
        };
    };
    get_span: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
                span: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SpanView"];
                };
            };
        };
    };
    get_value: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
                span: string;
                digest: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LargeValue"];
                };
            };
        };
    };
    get_retention: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RetentionList"];
                };
            };
        };
    };
    set_retention: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                kind: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetRetention"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RetentionList"];
                };
            };
        };
    };
    list_erasures: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_ErasureView"];
                };
            };
        };
    };
    create_erasure: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewErasure"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErasureView"];
                };
            };
        };
    };
    get_erasure: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErasureView"];
                };
            };
        };
    };
    get_trace_conventions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConventionReport"];
                };
            };
        };
    };
    read_span: {
        parameters: {
            query?: {
                span?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SpanReading"];
                };
            };
        };
    };
    list_metric_points: {
        parameters: {
            query?: {
                name?: string;
                service?: string;
                model?: string;
                from?: string;
                to?: string;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_MetricPointView"];
                };
            };
        };
    };
    list_metrics: {
        parameters: {
            query?: {
                q?: string;
                service?: string;
                model?: string;
                from?: string;
                to?: string;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_MetricView"];
                };
            };
        };
    };
    metric_series: {
        parameters: {
            query?: {
                from?: string;
                to?: string;
                step?: string;
                by?: string;
                service?: string;
                model?: string;
                kind?: string;
                unit?: string;
                monotonic?: boolean;
                temporality?: string;
            };
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MetricSeriesView"];
                };
            };
        };
    };
    compare_drift: {
        parameters: {
            query?: {
                field?: string;
                from?: string;
                to?: string;
                against?: string;
                reference_from?: string;
                reference_to?: string;
                release?: string;
                reference_release?: string;
                service?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DriftView"];
                };
            };
        };
    };
    list_scores: {
        parameters: {
            query?: {
                name?: string;
                kind?: string;
                source?: string;
                trace?: string;
                span?: string;
                session?: string;
                author?: string;
                from?: string;
                to?: string;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_ScoreView"];
                };
            };
        };
    };
    write_scores: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewScores"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScoresWritten"];
                };
            };
        };
    };
    delete_score: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScoreView"];
                };
            };
        };
    };
    give_feedback: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["FeedbackRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScoreView"];
                };
            };
        };
    };
    sql: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SqlRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SqlAnswer"];
                };
            };
        };
    };
    sql_schema: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SqlSchema"];
                };
            };
        };
    };
    list_dashboards: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_DashboardSummary"];
                };
            };
        };
    };
    get_dashboard: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DashboardView"];
                };
            };
        };
    };
    dashboard_data: {
        parameters: {
            query?: {
                from?: string;
                to?: string;
                by?: string;
                filter?: string;
            };
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DashboardData"];
                };
            };
        };
    };
    prometheus_query: {
        parameters: {
            query: {
                query: string;
                time?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PromReply"];
                };
            };
        };
    };
    prometheus_query_by_form: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/x-www-form-urlencoded": string;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PromReply"];
                };
            };
        };
    };
    prometheus_query_range: {
        parameters: {
            query: {
                query: string;
                start: string;
                end: string;
                step: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PromReply"];
                };
            };
        };
    };
    prometheus_query_range_by_form: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/x-www-form-urlencoded": string;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PromReply"];
                };
            };
        };
    };
    prometheus_labels: {
        parameters: {
            query?: {
                start?: string;
                end?: string;
                "match[]"?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PromReply"];
                };
            };
        };
    };
    prometheus_labels_by_form: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/x-www-form-urlencoded": string;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PromReply"];
                };
            };
        };
    };
    prometheus_series: {
        parameters: {
            query: {
                start?: string;
                end?: string;
                "match[]": string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PromReply"];
                };
            };
        };
    };
    prometheus_series_by_form: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/x-www-form-urlencoded": string;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PromReply"];
                };
            };
        };
    };
    prometheus_label_values: {
        parameters: {
            query?: {
                start?: string;
                end?: string;
                "match[]"?: string;
            };
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PromReply"];
                };
            };
        };
    };
    prometheus_metadata: {
        parameters: {
            query?: {
                metric?: string;
                start?: string;
                end?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PromReply"];
                };
            };
        };
    };
    replay_trace: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ReplayRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Replay"];
                };
            };
        };
    };
    list_assets: {
        parameters: {
            query?: {
                kind?: string;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_AssetSummary"];
                };
            };
        };
    };
    get_asset: {
        parameters: {
            query?: {
                version?: string;
            };
            header?: never;
            path: {
                kind: string;
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AssetView"];
                };
            };
        };
    };
    list_versions: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path: {
                kind: string;
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_AssetVersion"];
                };
            };
        };
    };
    diff_versions: {
        parameters: {
            query?: {
                from?: string;
                to?: string;
            };
            header?: never;
            path: {
                kind: string;
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AssetDiff"];
                };
            };
        };
    };
    move_alias: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                kind: string;
                name: string;
                alias: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MoveAlias"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AliasView"];
                };
            };
        };
    };
    remove_alias: {
        parameters: {
            query?: {
                expected?: number;
            };
            header?: never;
            path: {
                kind: string;
                name: string;
                alias: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RemovedAlias"];
                };
            };
        };
    };
    list_routes: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_TargetView"];
                };
            };
        };
    };
    get_routes_history: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_TargetHistory"];
                };
            };
        };
    };
    list_processes: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_ProcessView"];
                };
            };
        };
    };
    explain_route: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ExplainRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RouteExplanation"];
                };
            };
        };
    };
    apply: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ApplyRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApplyReply"];
                };
            };
        };
    };
    get_schema: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                kind: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
        };
    };
    list_projects: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_ProjectView"];
                };
            };
        };
    };
    create_project: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewProject"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProjectView"];
                };
            };
        };
    };
    get_capture: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                project: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CaptureView"];
                };
            };
        };
    };
    set_capture: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                project: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetCapture"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CaptureView"];
                };
            };
        };
    };
    preview_capture: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                project: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PreviewCapture"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CapturePreview"];
                };
            };
        };
    };
    list_members: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_MemberView"];
                };
            };
        };
    };
    add_member: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewMember"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MemberView"];
                };
            };
        };
    };
    change_member: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MemberChange"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MemberView"];
                };
            };
        };
    };
    remove_member: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MemberView"];
                };
            };
        };
    };
    list_keys: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_KeyView"];
                };
            };
        };
    };
    create_key: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewKey"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedKey"];
                };
            };
        };
    };
    rotate_key: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RotateKey"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedKey"];
                };
            };
        };
    };
    revoke_key: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeyView"];
                };
            };
        };
    };
    list_audit: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_AuditEntry"];
                };
            };
        };
    };
    verify_audit: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditCheck"];
                };
            };
        };
    };
    list_secrets: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_SecretView"];
                };
            };
        };
    };
    set_secret: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewSecret"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SecretView"];
                };
            };
        };
    };
    remove_secret: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SecretView"];
                };
            };
        };
    };
    rotate_master_key: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResealedSecrets"];
                };
            };
        };
    };
    list_limits: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_LimitView"];
                };
            };
        };
    };
    set_limit: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewLimit"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LimitView"];
                };
            };
        };
    };
    remove_limit: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LimitView"];
                };
            };
        };
    };
    get_usage: {
        parameters: {
            query?: {
                by?: string;
                since?: string;
                until?: string;
                key?: string;
                user?: string;
                app?: string;
                model?: string;
                provider?: string;
                all_projects?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UsageView"];
                };
            };
        };
    };
    reprice_usage: {
        parameters: {
            query?: {
                as?: string;
                prices?: string;
                by?: string;
                since?: string;
                until?: string;
                key?: string;
                user?: string;
                app?: string;
                model?: string;
                provider?: string;
                all_projects?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RepricedView"];
                };
            };
        };
    };
    list_calls: {
        parameters: {
            query?: {
                since?: string;
                until?: string;
                key?: string;
                user?: string;
                app?: string;
                model?: string;
                provider?: string;
                status?: string;
                trace?: string;
                batch?: string;
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_CallView"];
                };
            };
        };
    };
    watch_calls: {
        parameters: {
            query?: {
                follow?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["LiveCall"];
                };
            };
        };
    };
}
