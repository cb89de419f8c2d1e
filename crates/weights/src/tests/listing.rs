//! Lists that users write.

use mainspring_kernel::{Digest, Fault, FaultKind};

use crate::{ModelList, Role, WeightsFault};

const LIST: &str = r#"# Models of this team.
[models.ranker]
task = { rerank = { max_tokens = 64 } }

[models.ranker.files.model]
digest = "sha256:DIGEST"
size = 3
places = ["file:/models/ranker.onnx"]

[models.ranker.files.tokenizer]
digest = "sha256:DIGEST"
size = 3
places = ["hf:team/ranker@main/tokenizer.json", "https://models.example/tokenizer.json"]
"#;

fn document() -> String {
    LIST.replace("DIGEST", &"ab".repeat(32))
}

fn written(document: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("models.toml");
    std::fs::write(&path, document).unwrap();
    (dir, path)
}

#[test]
fn a_users_list_stands_beside_the_built_in_one_and_may_replace_what_it_names() {
    let (_dir, path) = written(&document());
    let list = ModelList::built_in().unwrap().with_file(&path).unwrap();
    let from = |name: &str| list.from(&name.parse().unwrap());
    assert_eq!((from("ranker"), from("all-minilm-l6-v2")), (Some(path.as_path()), None));
    let (_dir, path) =
        written(&document().replace("ranker]", "all-minilm-l6-v2]").replace("ranker.files", "all-minilm-l6-v2.files"));
    let list = ModelList::built_in().unwrap().with_file(&path).unwrap();
    let replaced = list.get("all-minilm-l6-v2").unwrap();
    assert_eq!(replaced.files[&Role::Model].digest, format!("sha256:{}", "ab".repeat(32)).parse::<Digest>().unwrap());
    assert_eq!(list.from(&"all-minilm-l6-v2".parse().unwrap()), Some(path.as_path()));
}

#[test]
fn what_is_wrong_is_named_with_its_file_and_line() {
    let good = document();
    for (document, line, expected) in [
        (good.replace("sha256:abab", "sha256:xyab"), 6, "is not a digest"),
        (good.replace("size = 3\nplaces = [\"file", "bytes = 3\nplaces = [\"file"), 7, "unknown field `bytes`"),
        (good.replace("file:/models", "file:models"), 8, "write `file:/absolute/path`"),
        (good.replace("rerank =", "reranks ="), 3, "unknown variant `reranks`"),
        (good.replace("max_tokens = 64", "max_tokens = 2"), 2, "`max_tokens` must be at least 4"),
        (good.replace("[models.ranker]", "[models.Ranker]").replace("ranker.files", "Ranker.files"), 2, "is not a name"),
        (good.replace("files.tokenizer", "files.tokeniser"), 10, "unknown variant `tokeniser`"),
        (good.replace("size = 3", "size = "), 7, "size ="),
        (good.replace("[models.ranker", "[model.ranker"), 2, "unknown field `model`"),
    ] {
        let (_dir, path) = written(&document);
        let fault = ModelList::built_in().unwrap().with_file(&path).unwrap_err();
        assert_eq!((fault.kind(), fault.code()), (FaultKind::Invalid, "weights-invalid-list"));
        let said = fault.to_string();
        assert!(said.starts_with(&format!("{}:{line}: ", path.display())) && said.contains(expected), "{said}");
    }
}

#[test]
fn a_list_that_is_not_there_is_named() {
    let fault = ModelList::default().with_file(std::path::Path::new("/nowhere/models.toml")).unwrap_err();
    assert!(matches!(fault, WeightsFault::ListUnreadable { .. }), "{fault}");
    assert!(fault.to_string().contains("/nowhere/models.toml") && fault.code() == "weights-list-unreadable", "{fault}");
}
