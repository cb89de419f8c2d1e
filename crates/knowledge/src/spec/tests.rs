use serde_json::{Value, json};

use super::*;

fn folder() -> Value {
    json!({ "sources": [{ "type": "folder", "path": "docs" }] })
}

#[test]
fn a_small_spec_gets_every_default_written_out() {
    let spec = KnowledgeSpec::parse(&folder()).unwrap();
    assert_eq!(spec.embedding, DEFAULT_EMBEDDING);
    assert_eq!(spec.retrieval, RetrievalSpec::default());
    let written = serde_json::to_value(&spec).unwrap();
    assert_eq!(KnowledgeSpec::parse(&written).unwrap(), spec);
    assert_eq!(written["retrieval"]["rrf_k"], 60);
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Value), at: &str) {
    let mut spec = folder();
    change(&mut spec);
    let problem = KnowledgeSpec::parse(&spec).unwrap_err();
    assert_eq!(problem.path, at, "{problem}");
}

#[test]
fn what_cannot_be_right_is_refused_with_its_place() {
    refused(|spec| spec["sources"][0]["labels"] = json!(["ok", "*"]), "sources[0].labels[1]");
    refused(|spec| spec["sources"][0]["labels"] = json!(["two words"]), "sources[0].labels[0]");
    refused(|spec| spec["sources"][0]["metadata"] = json!({ "a=b": "c" }), "sources[0].metadata.a=b");
    refused(|spec| spec["sources"][0]["metadata"] = json!({ "source": "c" }), "sources[0].metadata.source");
    refused(|spec| spec["sources"][0]["include"] = json!(["a["]), "sources[0].include[0]");
    refused(|spec| spec["sources"][0]["rules"] = json!([{ "match": "" }]), "sources[0].rules[0].match");
    refused(|spec| spec["sources"][0]["path"] = json!(""), "sources[0].path");
    refused(|spec| spec["retrieval"] = json!({ "limit": 0 }), "retrieval.limit");
    refused(|spec| spec["retrieval"] = json!({ "limit": 50, "candidates": 10 }), "retrieval.candidates");
    refused(|spec| spec["retrieval"] = json!({ "vector_weight": 0, "text_weight": 0 }), "retrieval.vector_weight");
    refused(|spec| spec["retrieval"] = json!({ "relevance": 2 }), "retrieval.relevance");
    let git = |url: &str| json!([{ "type": "git", "url": url }]);
    refused(|spec| spec["sources"] = git("https://user:secret@example.org/a.git"), "sources[0].url");
    refused(|spec| spec["sources"] = git("ext::sh -c whoami"), "sources[0].url");
    refused(|spec| spec["sources"] = git("ssh://example.org/a.git"), "sources[0].url");
    let reference = |name: &str| json!([{ "type": "git", "url": "https://example.org/a.git", "ref": name }]);
    refused(|spec| spec["sources"] = reference("--upload-pack=x"), "sources[0].ref");
    refused(|spec| spec["sources"] = reference("a..b"), "sources[0].ref");
    refused(|spec| spec["sources"] = json!([{ "type": "git", "url": "https://e.org/a", "subdir": "../x" }]), "sources[0].subdir");
    refused(|spec| spec["sources"] = json!([{ "type": "web" }]), "sources[0].urls");
    refused(|spec| spec["sources"] = json!([{ "type": "web", "urls": ["file:///etc/passwd"] }]), "sources[0].urls[0]");
    let per_host = |count: u32| json!([{ "type": "web", "urls": ["https://example.org/"], "per_host": count }]);
    refused(|spec| spec["sources"] = per_host(0), "sources[0].per_host");
    refused(|spec| spec["sources"] = per_host(17), "sources[0].per_host");
    refused(|spec| spec["sources"] = json!([{ "type": "s3", "bucket": "UPPER" }]), "sources[0].bucket");
    refused(
        |spec| spec["sources"] = json!([{ "type": "folder", "path": "a" }, { "type": "folder", "path": "a/" }]),
        "sources[1]",
    );
}

#[test]
fn an_address_for_ssh_is_refused_with_the_one_that_works() {
    let reason = |url: &str| {
        let problem = KnowledgeSpec::parse(&json!({ "sources": [{ "type": "git", "url": url }] })).unwrap_err();
        assert_eq!(problem.path, "sources[0].url");
        problem.reason
    };
    for url in ["git@github.com:a/b.git", "github.com:a/b.git", "ssh://git@github.com/a/b.git", "ssh://git@github.com:22/a/b.git"]
    {
        let reason = reason(url);
        assert!(reason.contains("write `https://github.com/a/b.git`") && reason.contains("`token_env`"), "{url}: {reason}");
    }
    for url in ["ext::sh -c whoami", "C:\\repositories\\a", "git@somewhere", "http:", "ssh://", "github.com:", "a:b c"] {
        assert!(!reason(url).contains("write `https:"), "{url}: {}", reason(url));
    }
}

#[test]
fn unknown_fields_and_kinds_are_errors() {
    let mut spec = folder();
    spec["sources"][0]["includes"] = json!([]);
    let problem = KnowledgeSpec::parse(&spec).unwrap_err();
    assert!(problem.reason.contains("unknown field `includes`"), "{problem}");
    let problem = KnowledgeSpec::parse(&json!({ "sources": [{ "type": "foldr", "path": "x" }] })).unwrap_err();
    assert!(problem.reason.contains("unknown variant `foldr`"), "{problem}");
}

#[test]
fn the_kind_publishes_a_schema_that_knows_every_source() {
    let schema = (crate::kind().schema)().to_string();
    for word in ["folder", "files", "web", "git", "s3", "sitemap", "per_host", "token_env", "relevance"] {
        assert!(schema.contains(&format!("\"{word}\"")), "{word}");
    }
    let parsed = (crate::kind().parse)(&folder()).unwrap();
    assert_eq!(parsed.canonical["embedding"], DEFAULT_EMBEDDING);
    let fault = (crate::kind().parse)(&json!({ "sources": [], "embeding": "x" })).unwrap_err();
    assert!(fault.problems[0].message.contains("did you mean `embedding`"), "{fault}");
}

#[test]
fn times_are_written_with_a_unit() {
    let check = |text: &str, seconds: Option<u64>| {
        let parsed = text.parse::<Every>().ok();
        assert_eq!(parsed.map(|every| every.as_duration().as_secs()), seconds, "{text}");
        if let Some(every) = parsed {
            assert_eq!(every.to_string().parse::<Every>().unwrap(), every);
        }
    };
    check("30s", Some(30));
    check("15m", Some(900));
    check("6h", Some(21_600));
    check("1d", Some(86_400));
    check("1s", None);
    check("400d", None);
    check("99999999999999999999d", None);
    check("-5m", None);
    check("5", None);
    check("m", None);
    check("５m", None);
    check("", None);
}

#[test]
fn only_what_shapes_rows_asks_for_another_table() {
    let spec = KnowledgeSpec::parse(&folder()).unwrap();
    let base = spec.table_config("m");
    let mut other = spec.clone();
    other.retrieval.limit = 9;
    other.sources.clear();
    assert_eq!(other.table_config("m"), base);
    assert_ne!(spec.table_config("n"), base);
    let mut other = spec;
    let mut chunking = serde_json::to_value(&other.chunking).unwrap();
    chunking["max_tokens"] = json!(100);
    other.chunking = serde_json::from_value(chunking).unwrap();
    assert_ne!(other.table_config("m"), base);
}

#[test]
fn paths_are_relative_to_the_file_a_spec_stands_in() {
    let mut spec = KnowledgeSpec::parse(&json!({ "sources": [
        { "type": "folder", "path": "docs" }, { "type": "folder", "path": "/abs" }, { "type": "files", "paths": ["a.md"] }
    ] }))
    .unwrap();
    spec.rebase(std::path::Path::new("/apps/manual"));
    let places: Vec<String> = spec.sources.iter().map(SourceSpec::location).collect();
    assert_eq!(places, ["/apps/manual/docs", "/abs", "/apps/manual/a.md"]);
}
