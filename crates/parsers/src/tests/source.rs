use super::{parse, shape};

#[test]
fn code_is_cut_by_item() {
    let source = "use std::fmt;\nuse std::io;\n\n/// Adds.\nfn add(a: u8) -> u8 {\n    a\n}\n\nstruct Thing {\n    x: u8,\n}\n";
    let document = parse("src/lib.rs", source).unwrap();
    let rows = shape(&document);
    assert_eq!(document.title, "lib.rs");
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert_eq!(rows[1].2, "add");
    assert!(rows[1].1.starts_with("/// Adds.") && rows[1].1.ends_with('}'));
    let python = parse("x.py", "import os\n\ndef f():\n    pass\n\nclass C:\n    pass\n").unwrap();
    assert_eq!(python.blocks.iter().map(|block| block.heading_path.join("")).collect::<Vec<_>>(), ["", "f", "C"]);
}

fn names(file: &str, source: &str) -> Vec<String> {
    let document = parse(file, source).unwrap();
    let covered: usize =
        document.blocks.iter().map(|block| document.text[block.range()].split_whitespace().map(str::len).sum::<usize>()).sum();
    assert_eq!(covered, source.split_whitespace().map(str::len).sum::<usize>(), "every sign is in a block");
    document.blocks.iter().map(|block| block.heading_path.join("::")).collect()
}

#[test]
fn cpp_is_cut_by_item_inside_its_namespaces() {
    let source = "#pragma once\n#include <vector>\n\nnamespace geo {\n\n/// A point.\nstruct Point { int x; };\n\ntemplate <typename T>\nT area(const T& shape) {\n  return shape.area();\n}\n\nnamespace {\nint hidden() { return 1; }\n}\n}  // namespace geo\n\nint& geo::Point::get() { return x; }\n\nint main() { return 0; }\n";
    assert_eq!(names("x.cpp", source), ["", "geo::Point", "geo::area", "geo::hidden", "geo::Point::get", "main"]);
    let document = parse("x.cpp", source).unwrap();
    assert_eq!(document.metadata["language"], "cpp");
    assert!(shape(&document)[1].1.starts_with("namespace geo {\n\n/// A point."));
    let header = "#ifndef A_H\n#define A_H\nclass A {\n public:\n  void run();\n};\nvoid A_free(A* a);\n#endif\n";
    assert_eq!(names("a.h", header), ["", "A", "A_free"]);
    assert_eq!(parse("a.h", header).unwrap().metadata["language"], "cpp");
}

#[test]
fn c_functions_go_by_their_own_name() {
    let source = "#include <a.h>\nstatic const char *find(const char *s, int c) { return s; }\nstruct pair { int a; };\ntypedef struct { int b; } other;\nint count = 3;\n";
    assert_eq!(names("a.c", source), ["", "find", "pair", "other", "count"]);
    assert_eq!(parse("a.h", "int add(int a, int b);\n").unwrap().metadata["language"], "c");
}

#[test]
fn scripts_are_cut_by_function_and_known_by_their_first_line() {
    let source = "#!/usr/bin/env bash\nset -e\nname=x\n\n# Says hello.\ngreet() {\n  echo \"hello $1\"\n}\n\ngreet you | cat\n";
    assert_eq!(names("run", source), ["", "greet", ""]);
    assert!(shape(&parse("run", source).unwrap())[1].1.starts_with("# Says hello."));
    assert_eq!(parse("tool", "#!/usr/bin/python3.11 -u\nx = 1\n").unwrap().metadata["language"], "python");
    assert_eq!(parse("tool", "#!/usr/bin/awk -f\nx\n").unwrap().media_type, "text/plain");
}

#[test]
fn constants_that_hold_functions_have_names_and_others_stay_together() {
    let source = "const a = 1;\nconst b = 2;\nexport const f = (x) => x;\nclass C {}\n";
    assert_eq!(names("x.js", source), ["", "f", "C"]);
    assert_eq!(names("x.go", "package p\n\ntype T struct{}\n\nfunc (t T) M() {}\n"), ["", "T", "M"]);
}

#[test]
fn a_language_without_a_grammar_is_plain_text() {
    let document = parse("x.rb", "def a\n  1\nend\n\ndef b\nend\n").unwrap();
    assert_eq!((document.media_type.as_str(), document.blocks.len()), ("text/plain", 2));
}
