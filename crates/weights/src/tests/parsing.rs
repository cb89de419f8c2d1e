use std::io::{Cursor, Read};

use mainspring_kernel::Fault;
use proptest::prelude::*;
use url::Url;

use crate::{ModelList, Place, Role, Task, fetch::parse_content_range, wheel};

#[test]
fn the_built_in_models_are_what_the_engines_expect() {
    let list = ModelList::built_in().unwrap();
    let names: Vec<&str> = list.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["all-minilm-l6-v2", "all-minilm-l6-v2-f32", "paraphrase-minilm-l3-v2", "smollm2-135m-instruct"]);
    let minilm = list.get("all-minilm-l6-v2").unwrap();
    assert!(matches!(minilm.task, Task::Embed { dimensions: 384, max_tokens: 256, .. }));
    assert_eq!(minilm.files[&Role::Model].size, 22_928_619);
    assert!(matches!(list.get("smollm2-135m-instruct").unwrap().task, Task::Chat { context: 8192 }));
}

#[test]
fn a_users_model_is_added_or_refused_with_a_reason() {
    let spec = |task: &str, files: &str| format!("[models.mine]\ntask = {task}\n{files}");
    let file = |role: &str| {
        format!(
            "[models.mine.files.{role}]\ndigest = \"sha256:{}\"\nsize = 3\nplaces = [\"https://host.example/f\"]\n",
            "ab".repeat(32)
        )
    };
    let good = spec("{ embed = { dimensions = 8, max_tokens = 64, pooling = \"cls\" } }", &(file("model") + &file("tokenizer")));
    let list = ModelList::built_in().unwrap().with_toml(&good).unwrap();
    assert_eq!(list.iter().count(), 5);
    for (document, expected) in [
        (spec("{ chat = { context = 8 } }", ""), "missing field `files`"),
        (spec("{ embed = { dimensions = 8, max_tokens = 64 } }", &file("model")), "`files.tokenizer` is missing"),
        (spec("{ embed = { dimensions = 0, max_tokens = 64 } }", &(file("model") + &file("tokenizer"))), "`dimensions` must be"),
        (spec("{ chat = { context = 8, window = 9 } }", &file("model")), "unexpected keys in table: window"),
        (good.replace("https:", "gopher:"), "use pypi:, hf:, https:, http:, s3: or file:"),
        (good.replace("sha256:ab", "sha256:xy"), "is not a digest"),
    ] {
        let fault = ModelList::default().with_toml(&document).unwrap_err();
        assert_eq!(fault.code(), "weights-invalid-model");
        assert!(fault.to_string().contains(expected), "{fault}\nlacks {expected}");
    }
}

#[test]
fn the_identity_changes_with_the_digest_and_with_the_use() {
    let list = ModelList::built_in().unwrap();
    let spec = list.get("all-minilm-l6-v2").unwrap().clone();
    let mut other = spec.clone();
    assert_eq!(spec.identity(), other.identity());
    other.files.get_mut(&Role::Model).unwrap().digest = list.get("smollm2-135m-instruct").unwrap().files[&Role::Model].digest;
    assert_ne!(spec.identity(), other.identity());
    let mut other = spec.clone();
    other.task = Task::Embed {
        dimensions: 384,
        max_tokens: 128,
        pooling: crate::Pooling::Mean,
        query_prefix: String::new(),
        passage_prefix: String::new(),
    };
    assert_ne!(spec.identity(), other.identity());
}

#[test]
fn places_that_could_escape_are_refused() {
    for place in [
        "",
        "x",
        "pypi:",
        "pypi:a==1/../b",
        "pypi:a/b",
        "pypi:a==1/",
        "pypi:a==1/b c",
        "hf:a@main/f",
        "hf:a/b@main/../f",
        "hf:a/b/f",
        "file:relative",
        "s3:bucket",
        "s3://bucket/../key",
        "s3://bucket/a?b",
        "http://",
        "ftp://a/b",
        "pypi:../a==1/b",
    ] {
        assert!(place.parse::<Place>().is_err(), "{place}");
    }
}

#[track_caller]
fn check_range(text: &str, want: Option<(u64, Option<u64>)>) {
    assert_eq!(parse_content_range(text), want, "{text}");
}

#[test]
fn content_ranges_are_read_or_refused() {
    check_range("bytes 0-9/10", Some((0, Some(10))));
    check_range("bytes 5-9/*", Some((5, None)));
    check_range("bytes 5-10/10", None);
    check_range("bytes 9-5/10", None);
    check_range("bytes */10", None);
    check_range("items 0-9/10", None);
    check_range("bytes 0-99999999999999999999/*", None);
}

proptest! {
    #[test]
    fn a_place_reads_back_as_itself(
        place in "(pypi:[a-z][a-z0-9-]{0,8}==[0-9.]{1,4}1/[a-z]{1,5}/[a-z]{1,5}\\.onnx)|(hf:[a-z]{1,5}/[a-zA-Z]{1,5}@main/[a-z]{1,5})|(file:/[a-z]{1,5})"
    ) {
        let parsed: Place = place.parse().unwrap();
        prop_assert_eq!(parsed.to_string(), place);
    }

    #[test]
    fn any_text_is_a_place_or_a_fault(text in "\\PC{0,60}") {
        if let Ok(place) = text.parse::<Place>() {
            prop_assert_eq!(place.to_string().parse::<Place>().unwrap(), place);
        }
        let _ = parse_content_range(&text);
    }

    #[test]
    fn any_document_is_a_list_or_a_fault(text in "\\PC{0,200}") {
        let _ = ModelList::default().with_toml(&text);
    }

    #[test]
    fn any_index_page_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let page = Url::parse("https://index.example/simple/x/").unwrap();
        prop_assert!(wheel::find_wheel(&page, &body, "x", "1").is_err());
    }

    #[test]
    fn any_bytes_are_a_wheel_or_a_reason(mut bytes in prop::collection::vec(any::<u8>(), 0..400), flip in any::<(prop::sample::Index, u8)>()) {
        let read = |bytes: Vec<u8>| wheel::with_member(Cursor::new(bytes), "m", |member| {
            let mut out = Vec::new();
            member.take(1 << 20).read_to_end(&mut out).map(|_| out)
        });
        let _ = read(bytes.clone());
        bytes.truncate(200);
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("m", zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut writer, &bytes).unwrap();
        let mut whole = writer.finish().unwrap().into_inner();
        prop_assert_eq!(read(whole.clone()).unwrap().unwrap(), bytes);
        let at = flip.0.index(whole.len());
        whole[at] ^= flip.1;
        let _ = read(whole);
    }
}
