//! Each rule is a function from what it read to problems; reading is apart, so rules are tested on made-up input.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

/// One crate, as its manifest says.
#[derive(Debug, Clone, PartialEq)]
struct Crate {
    floor: i64,
    neighbours: BTreeSet<String>,
    uses: BTreeSet<String>,
}

/// Engines that one crate alone may know.
const ALONE: [(&str, &str); 3] =
    [("lance", "mainspring-lake-lance"), ("rten", "mainspring-encoders"), ("llama-cpp-2", "mainspring-generators")];

pub(crate) fn check(root: &Path) -> io::Result<Vec<String>> {
    let crates = read_crates(&root.join("crates"))?;
    let mut problems = floors(&crates);
    problems.extend(engines(&crates));
    problems.extend(twins(&names(&root.join("migrations/sqlite"))?, &names(&root.join("migrations/postgres"))?));
    let mut codes = BTreeSet::new();
    collect_codes(&root.join("crates"), &mut codes)?;
    problems.extend(pages(&codes, &names(&root.join("docs/errors"))?));
    Ok(problems)
}

fn read_crates(dir: &Path) -> io::Result<BTreeMap<String, Crate>> {
    let mut crates = BTreeMap::new();
    for name in names(dir)? {
        let Ok(text) = fs::read_to_string(dir.join(&name).join("Cargo.toml")) else { continue };
        let manifest: toml::Table = text.parse().map_err(|error| io::Error::other(format!("{name}/Cargo.toml: {error}")))?;
        if let Some((package, read)) = read_crate(&manifest) {
            crates.insert(package, read);
        }
    }
    Ok(crates)
}

fn read_crate(manifest: &toml::Table) -> Option<(String, Crate)> {
    let package = manifest.get("package")?.as_table()?;
    let name = package.get("name")?.as_str()?.to_owned();
    let house = package.get("metadata").and_then(|metadata| metadata.get("mainspring"));
    let neighbours = house.and_then(|house| house.get("neighbours")).and_then(toml::Value::as_array);
    let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
    Some((
        name,
        Crate {
            floor: house.and_then(|house| house.get("floor")).and_then(toml::Value::as_integer).unwrap_or(-1),
            neighbours: neighbours.into_iter().flatten().filter_map(toml::Value::as_str).map(str::to_owned).collect(),
            uses: dependencies.into_iter().flat_map(toml::Table::keys).cloned().collect(),
        },
    ))
}

/// A crate may use lower floors, and its own only where its manifest lists a neighbour. On floors 0 and 1
/// crates may use one another: words build on words, engines on engines.
fn floors(crates: &BTreeMap<String, Crate>) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, user) in crates {
        if user.floor < 0 {
            problems.push(format!("`{name}` declares no floor"));
        }
        for used in &user.uses {
            let Some(other) = crates.get(used) else { continue };
            let near = other.floor == user.floor && (user.floor <= 1 || user.neighbours.contains(used));
            if other.floor >= user.floor && !near {
                problems.push(format!("`{name}` (floor {}) may not use `{used}` (floor {})", user.floor, other.floor));
            }
        }
    }
    problems
}

fn engines(crates: &BTreeMap<String, Crate>) -> Vec<String> {
    let mut problems = Vec::new();
    for (engine, owner) in ALONE {
        let others =
            crates.iter().filter(|(name, user)| user.uses.contains(engine) && *name != owner && *name != "workspace-hack");
        problems.extend(others.map(|(name, _)| format!("`{name}` uses {engine}, which only `{owner}` may know")));
    }
    problems
}

fn twins(sqlite: &BTreeSet<String>, postgres: &BTreeSet<String>) -> Vec<String> {
    sqlite.symmetric_difference(postgres).map(|name| format!("migration {name} is not in both folders")).collect()
}

fn pages(codes: &BTreeSet<String>, files: &BTreeSet<String>) -> Vec<String> {
    let pages: BTreeSet<String> = files.iter().filter_map(|name| name.strip_suffix(".md")).map(str::to_owned).collect();
    codes.difference(&pages).map(|code| format!("the code `{code}` has no page in docs/errors")).collect()
}

/// Codes are the string literals in the bodies of `fn code`.
fn codes_of(source: &str) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    let mut rest = source;
    while let Some(at) = rest.find("fn code(&self) -> &'static str {") {
        let body = &rest[at..];
        let end = body.find("\n    }").unwrap_or(body.len());
        for literal in body[..end].split('"').skip(1).step_by(2) {
            if literal.contains('-') {
                codes.insert(literal.to_owned());
            }
        }
        rest = &body[end..];
    }
    codes
}

fn collect_codes(dir: &Path, codes: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            if name != "tests" && name != "target" {
                collect_codes(&path, codes)?;
            }
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "testing.rs" {
            codes.extend(codes_of(&fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

fn names(dir: &Path) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(dir)? {
        names.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn house(floor: i64, neighbours: &[&str], uses: &[&str]) -> Crate {
        Crate { floor, neighbours: set(neighbours), uses: set(uses) }
    }

    #[test]
    fn a_room_may_not_use_a_surface_nor_an_unlisted_room() {
        let crates = [
            ("a", house(2, &["b"], &["b", "c", "s"])),
            ("b", house(2, &[], &[])),
            ("c", house(2, &[], &[])),
            ("s", house(3, &[], &["a"])),
        ];
        let crates = crates.map(|(name, house)| (name.to_owned(), house)).into();
        assert_eq!(floors(&crates), ["`a` (floor 2) may not use `c` (floor 2)", "`a` (floor 2) may not use `s` (floor 3)"]);
    }

    #[test]
    fn only_one_crate_knows_an_engine() {
        let crates = [("mainspring-lake-lance", house(1, &[], &["lance"])), ("x", house(2, &[], &["lance"]))];
        let crates = crates.map(|(name, house)| (name.to_owned(), house)).into();
        assert_eq!(engines(&crates).len(), 1);
    }

    #[test]
    fn migrations_come_in_pairs_and_codes_have_pages() {
        assert_eq!(twins(&set(&["1.sql", "2.sql"]), &set(&["1.sql"])).len(), 1);
        let source = "fn code(&self) -> &'static str {\n        match self { A => \"a-b\", B => \"c-d\" }\n    }\n fn other() { \"not-a-code\" }";
        assert_eq!(codes_of(source), set(&["a-b", "c-d"]));
        assert_eq!(pages(&set(&["a-b", "c-d"]), &set(&["a-b.md"])), ["the code `c-d` has no page in docs/errors"]);
    }
}
