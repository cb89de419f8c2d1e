//! Each rule is a function from what it read to problems; reading is apart, so rules are tested on made-up input.

mod migrations;
mod pages;

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
    /// Whether it takes the workspace's lints.
    linted: bool,
}

/// Engines that one crate alone may know.
const ALONE: [(&str, &str); 3] =
    [("lance", "mainspring-lake-lance"), ("rten", "mainspring-encoders"), ("llama-cpp-2", "mainspring-generators")];

pub(crate) fn check(root: &Path) -> io::Result<Vec<String>> {
    let crates = read_crates(&root.join("crates"))?;
    let mut problems = floors(&crates);
    problems.extend(engines(&crates));
    problems.extend(lints(&crates));
    problems.extend(migrations::twins(
        &texts(&root.join("migrations/sqlite"), ".sql")?,
        &texts(&root.join("migrations/postgres"), ".sql")?,
    ));
    let mut sources = Vec::new();
    collect_sources(&root.join("crates"), &mut sources)?;
    problems.extend(pages::check(&sources, &names(&root.join("docs/errors"))?));
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
            linted: manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool) == Some(true),
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

fn lints(crates: &BTreeMap<String, Crate>) -> Vec<String> {
    let loose = crates.iter().filter(|(_, house)| !house.linted);
    loose.map(|(name, _)| format!("`{name}` does not say `[lints] workspace = true`")).collect()
}

/// The Rust files of a folder that are part of the product.
fn collect_sources(dir: &Path, sources: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            if name != "tests" && name != "target" {
                collect_sources(&path, sources)?;
            }
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "testing.rs" {
            sources.push(fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// The files of a folder with this ending, by name.
fn texts(dir: &Path, ending: &str) -> io::Result<BTreeMap<String, String>> {
    let names = names(dir)?.into_iter().filter(|name| name.ends_with(ending));
    names.map(|name| Ok((name.clone(), fs::read_to_string(dir.join(name))?))).collect()
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
        Crate { floor, neighbours: set(neighbours), uses: set(uses), linted: true }
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
    fn every_crate_takes_the_lints() {
        let loose = Crate { linted: false, ..house(1, &[], &[]) };
        let crates = [("a", house(1, &[], &[])), ("b", loose)].map(|(name, house)| (name.to_owned(), house)).into();
        assert_eq!(lints(&crates), ["`b` does not say `[lints] workspace = true`"]);
        let manifest = |lints: &str| format!("[package]\nname = \"x\"\n{lints}").parse::<toml::Table>().unwrap();
        assert!(read_crate(&manifest("[lints]\nworkspace = true")).unwrap().1.linted);
        assert!(!read_crate(&manifest("")).unwrap().1.linted);
    }
}
