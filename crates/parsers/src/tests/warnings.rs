use std::{collections::BTreeSet, path::Path};

use serde_json::{Value, json};

use super::parse;
use crate::{ParseWarning, ParsedDocument, WarningKind};

#[test]
fn every_kind_of_warning_has_a_code_of_its_own_with_a_page() {
    let errors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    let mut codes = BTreeSet::new();
    for kind in WarningKind::ALL {
        let code = kind.code();
        assert!(code.starts_with("parse-") && codes.insert(code), "{code}");
        let page = std::fs::read_to_string(errors.join(format!("{code}.md"))).unwrap_or_default();
        assert!(page.starts_with(&format!("# {code}\n")), "{code} has no page");
    }
}

fn read(warnings: &Value) -> Vec<ParseWarning> {
    let document = json!({ "title": "", "media_type": "", "text": "", "blocks": [], "warnings": warnings });
    serde_json::from_value::<ParsedDocument>(document).unwrap().warnings
}

#[test]
fn warnings_are_read_as_they_are_and_were_and_will_be_written() {
    let now = parse("a.txt", b"Gr\xFC\xDFe aus dem Norden").unwrap();
    let written = serde_json::to_value(&now).unwrap();
    assert_eq!(written["warnings"][0]["code"], "parse-encoding-guessed");
    assert_eq!(serde_json::from_value::<ParsedDocument>(written).unwrap(), now);
    // Before there were kinds it was words; a kind that a later version tells apart is one of the others here.
    assert_eq!(read(&json!(["it is blurred"])), [ParseWarning::new(WarningKind::Other, "it is blurred")]);
    let later = json!([{ "code": "parse-yet-unknown", "detail": "it hums", "page": 3 }]);
    assert_eq!(read(&later), [ParseWarning::new(WarningKind::Other, "it hums")]);
}
