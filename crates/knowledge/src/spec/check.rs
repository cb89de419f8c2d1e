//! What the types of a spec cannot say.

use std::collections::{BTreeMap, BTreeSet};

use mainspring_kernel::text;
use url::Url;

use super::{GitSource, KnowledgeSpec, RetrievalSpec, S3Source, SourceSpec, WebSource};
use crate::source::globs::Globs;

/// Where in a spec something is wrong, and what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SpecProblem {
    /// `sources[0].labels[1]`; empty: the whole.
    pub path: String,
    pub reason: String,
}

type Checked = Result<(), SpecProblem>;

fn wrong(path: impl Into<String>, reason: impl Into<String>) -> SpecProblem {
    SpecProblem { path: path.into(), reason: reason.into() }
}

fn ensure(holds: bool, path: &str, reason: &str) -> Checked {
    if holds { Ok(()) } else { Err(wrong(path, reason)) }
}

pub(super) fn check(spec: &KnowledgeSpec) -> Checked {
    ensure(!spec.embedding.trim().is_empty(), "embedding", "name an embedding model")?;
    let mut keys = BTreeMap::new();
    for (index, source) in spec.sources.iter().enumerate() {
        let path = format!("sources[{index}]");
        source_is_sound(source, &path)?;
        if let Some(first) = keys.insert(source.key(), index) {
            let reason = format!("this is the same place as sources[{first}]: give one of them a `name` of its own");
            return Err(wrong(path, reason));
        }
    }
    retrieval(&spec.retrieval)?;
    spec.chunking.check().map_err(|(field, reason)| wrong(format!("chunking.{field}"), reason))
}

fn source_is_sound(source: &SourceSpec, path: &str) -> Checked {
    let common = source.common();
    labels(common.labels, &format!("{path}.labels"))?;
    metadata(common.metadata, &format!("{path}.metadata"))?;
    globs(common.include, &format!("{path}.include"))?;
    globs(common.exclude, &format!("{path}.exclude"))?;
    for (index, rule) in common.rules.iter().enumerate() {
        let path = format!("{path}.rules[{index}]");
        glob(&rule.pattern, &format!("{path}.match"))?;
        labels(rule.labels.as_deref().unwrap_or_default(), &format!("{path}.labels"))?;
        metadata(&rule.metadata, &format!("{path}.metadata"))?;
    }
    match source {
        SourceSpec::Folder(folder) => local_path(&folder.path, &format!("{path}.path")),
        SourceSpec::Files(files) => {
            ensure(!files.paths.is_empty(), &format!("{path}.paths"), "name at least one file")?;
            files.paths.iter().enumerate().try_for_each(|(i, file)| local_path(file, &format!("{path}.paths[{i}]")))
        }
        SourceSpec::Web(web) => web_is_sound(web, path),
        SourceSpec::Git(git) => git_is_sound(git, path),
        SourceSpec::S3(s3) => s3_is_sound(s3, path),
    }
}

fn local_path(given: &str, path: &str) -> Checked {
    ensure(!given.is_empty() && !given.contains('\0'), path, "this is not a path")
}

/// A label is a word: it has to survive lists, queries and people's eyes.
fn labels(labels: &[String], path: &str) -> Checked {
    for (index, label) in labels.iter().enumerate() {
        label_is_sound(label).map_err(|reason| wrong(format!("{path}[{index}]"), reason))?;
    }
    Ok(())
}

pub(crate) fn label_is_sound(label: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | '@');
    if label.is_empty() || label.chars().count() > 100 || !label.chars().all(allowed) {
        return Err(format!(
            "`{}` is not a label: use 1 to 100 letters, digits, `-`, `_`, `.`, `:`, `/` or `@`",
            text::elide(label, 60)
        ));
    }
    Ok(())
}

/// Keys that search filters answer from the document itself.
pub(crate) const RESERVED_KEYS: [&str; 5] = ["source", "title", "uri", "media_type", "kind"];

fn metadata(metadata: &BTreeMap<String, String>, path: &str) -> Checked {
    for (key, value) in metadata {
        let path = format!("{path}.{key}");
        ensure(key_is_sound(key), &path, "use 1 to 100 letters, digits, `-`, `_` and `.` in keys")?;
        ensure(!RESERVED_KEYS.contains(&key.as_str()), &path, "this key is filled in from the document itself")?;
        ensure(value.len() <= VALUE_BYTES && !value.contains('\0'), &path, "a value has at most 1000 bytes")?;
    }
    Ok(())
}

pub(crate) const VALUE_BYTES: usize = 1000;

pub(crate) fn key_is_sound(key: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    !key.is_empty() && key.len() <= 100 && key.chars().all(allowed)
}

fn globs(patterns: &[String], path: &str) -> Checked {
    for (index, pattern) in patterns.iter().enumerate() {
        glob(pattern, &format!("{path}[{index}]"))?;
    }
    Ok(())
}

fn glob(pattern: &String, path: &str) -> Checked {
    Globs::new(std::slice::from_ref(pattern)).map(drop).map_err(|reason| wrong(path, reason))
}

fn web_is_sound(web: &WebSource, path: &str) -> Checked {
    ensure(!web.urls.is_empty() || web.sitemap.is_some(), &format!("{path}.urls"), "name at least one address or a sitemap")?;
    for (index, given) in web.urls.iter().enumerate() {
        web_address(given, &format!("{path}.urls[{index}]"))?;
    }
    if let Some(sitemap) = &web.sitemap {
        web_address(sitemap, &format!("{path}.sitemap"))?;
    }
    ensure((1..=20).contains(&web.depth), &format!("{path}.depth"), "1 to 20")?;
    ensure((1..=100_000).contains(&web.max_pages), &format!("{path}.max_pages"), "1 to 100000")?;
    ensure((1..=16).contains(&web.per_host), &format!("{path}.per_host"), "1 to 16")
}

fn web_address(given: &str, path: &str) -> Checked {
    let url = Url::parse(given).map_err(|fault| wrong(path, format!("this is not an address: {fault}")))?;
    ensure(matches!(url.scheme(), "http" | "https"), path, "only http and https addresses are fetched")?;
    ensure(url.host().is_some(), path, "the address names no host")?;
    ensure(url.username().is_empty() && url.password().is_none(), path, "secrets do not belong in a spec")
}

fn git_is_sound(git: &GitSource, path: &str) -> Checked {
    let field = format!("{path}.url");
    if let Some(instead) = over_https(&git.url) {
        let reason = format!(
            "repositories are fetched over https and not over ssh: write `{instead}`, and name the variable that holds \
             a token in `token_env` where one is needed"
        );
        return Err(wrong(field, reason));
    }
    let url = Url::parse(&git.url).map_err(|fault| wrong(&field, format!("this is not an address: {fault}")))?;
    ensure(
        matches!(url.scheme(), "http" | "https" | "file"),
        &field,
        "use an https address (or file, where the server allows it)",
    )?;
    ensure(
        url.username().is_empty() && url.password().is_none(),
        &field,
        "secrets do not belong in a spec: name the variable that holds the token in `token_env`",
    )?;
    if let Some(reference) = &git.reference {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+');
        let sound = !reference.is_empty()
            && reference.len() <= 200
            && !reference.starts_with('-')
            && !reference.contains("..")
            && reference.chars().all(allowed);
        ensure(sound, &format!("{path}.ref"), "this is not a branch, tag or commit")?;
    }
    if let Some(subdir) = &git.subdir {
        let sound = !subdir.starts_with('/') && subdir.split('/').all(|part| part != "..") && !subdir.contains('\0');
        ensure(sound, &format!("{path}.subdir"), "a folder within the repository, without `..`")?;
    }
    git.token_env.as_deref().map_or(Ok(()), |name| env_name(name, &format!("{path}.token_env")))
}

/// What an ssh address, also one as `git clone` takes it (`git@host:path`), is called over https.
fn over_https(given: &str) -> Option<String> {
    let (host, path) = if given.contains("://") {
        let url = Url::parse(given).ok().filter(|url| matches!(url.scheme(), "ssh" | "git+ssh" | "ssh+git"))?;
        (url.host_str()?.to_owned(), url.path().to_owned())
    } else {
        let (place, path) = given.split_once(':')?;
        let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
        (host.to_owned(), path.to_owned())
    };
    let path = path.trim_start_matches(['/', '~']);
    let names = |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    let is_host = host.contains('.') && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    (is_host && names(path) && !path.starts_with(':')).then(|| format!("https://{host}/{path}"))
}

fn env_name(name: &str, path: &str) -> Checked {
    let sound = !name.is_empty()
        && name.len() <= 100
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    ensure(sound, path, "this is not the name of an environment variable")
}

fn s3_is_sound(s3: &S3Source, path: &str) -> Checked {
    let bucket = !s3.bucket.is_empty()
        && s3.bucket.len() <= 63
        && s3.bucket.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'));
    ensure(bucket, &format!("{path}.bucket"), "this is not a bucket name")?;
    ensure(!s3.prefix.contains('\0') && s3.prefix.len() <= 1024, &format!("{path}.prefix"), "this is not a prefix")?;
    if let Some(endpoint) = &s3.endpoint {
        web_address(endpoint, &format!("{path}.endpoint"))?;
    }
    if let Some(credentials) = &s3.credentials {
        let path = format!("{path}.credentials");
        env_name(&credentials.access_key_env, &format!("{path}.access_key_env"))?;
        env_name(&credentials.secret_key_env, &format!("{path}.secret_key_env"))?;
        if let Some(token) = &credentials.session_token_env {
            env_name(token, &format!("{path}.session_token_env"))?;
        }
    }
    Ok(())
}

fn retrieval(spec: &RetrievalSpec) -> Checked {
    let at = |field: &str| format!("retrieval.{field}");
    ensure((1..=100).contains(&spec.limit), &at("limit"), "1 to 100")?;
    ensure((1..=1000).contains(&spec.candidates), &at("candidates"), "1 to 1000")?;
    ensure(spec.candidates >= spec.limit, &at("candidates"), "at least as many as `limit`")?;
    ensure((1..=10_000).contains(&spec.rrf_k), &at("rrf_k"), "1 to 10000")?;
    ensure((1..=200).contains(&spec.rerank_candidates), &at("rerank_candidates"), "1 to 200")?;
    ensure((1..=4096).contains(&spec.probes), &at("probes"), "1 to 4096")?;
    ensure((1..=100).contains(&spec.refine), &at("refine"), "1 to 100")?;
    for (field, weight) in [("vector_weight", spec.vector_weight), ("text_weight", spec.text_weight)] {
        ensure((0.0..=100.0).contains(&weight), &at(field), "0 to 100")?;
    }
    ensure(spec.vector_weight + spec.text_weight > 0.0, &at("vector_weight"), "one of the weights must be above 0")?;
    ensure((0.0..=1.0).contains(&spec.relevance), &at("relevance"), "0 to 1")?;
    ensure((0.5..=1.0).contains(&spec.dedupe), &at("dedupe"), "0.5 to 1")?;
    ensure(spec.token_budget != Some(0), &at("token_budget"), "at least 1")?;
    ensure(spec.min_score.is_none_or(f64::is_finite), &at("min_score"), "a number")
}

/// Labels an actor asks with, checked the same way.
pub(crate) fn distinct(labels: &[String]) -> BTreeSet<&str> {
    labels.iter().map(String::as_str).collect()
}
