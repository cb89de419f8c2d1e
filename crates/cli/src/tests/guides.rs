//! What the documentation tells people to type.

use std::path::{Path, PathBuf};

use clap::{Parser as _, error::ErrorKind};

use crate::args::Args;

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        match path.is_dir() {
            // The reference is made from the commands themselves, and decisions speak of what was.
            true if path.ends_with("reference") || path.ends_with("adr") => {}
            true => pages(&path, found),
            false => found.extend(path.extension().is_some_and(|ending| ending == "md").then_some(path)),
        }
    }
}

/// The words of a command, as a shell takes them apart; what follows it on the line is left out.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    for c in line.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '#' | '&' | '|' | '<' | '>' | ';' if !quoted && word.is_none() => break,
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Every command of a page: lines of code, and code within a sentence.
fn commands(page: &str) -> Vec<Vec<String>> {
    let (mut found, mut fenced) = (Vec::new(), false);
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            let words = words(line.trim_start().trim_start_matches("$ "));
            let set = |word: &&String| word.contains('=') && word.chars().next().is_some_and(char::is_uppercase);
            let skipped = words.iter().take_while(set).count();
            found.push(words.into_iter().skip(skipped).collect());
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(words));
        }
    }
    found.retain(|words: &Vec<String>| words.first().is_some_and(|word| word == "mainspring") && words.len() > 1);
    found
}

#[test]
fn every_command_of_the_documentation_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut all = vec![root.join("README.md"), root.join("SECURITY.md")];
    pages(&root.join("docs"), &mut all);
    let (mut told, mut wrong) = (0, Vec::new());
    for page in all {
        for words in commands(&std::fs::read_to_string(&page).unwrap()) {
            told += 1;
            let Err(error) = Args::try_parse_from(&words) else { continue };
            // A sentence may name a command without what it takes.
            let named = matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                    | ErrorKind::MissingSubcommand
            );
            if !named {
                wrong.push(format!("{}: `{}`: {error}", page.display(), words.join(" ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(told > 100, "{told}");
}

#[test]
fn commands_are_found_as_people_would_copy_them() {
    let page = "Say `mainspring list` or `list`:\n\n```\nA=b mainspring ask desk \"how many? # & days\"   # streams\n$ mainspring serve &\nls\n```\n";
    let all: Vec<String> = commands(page).into_iter().map(|words| words.join("|")).collect();
    assert_eq!(all, ["mainspring|list", "mainspring|ask|desk|how many? # & days", "mainspring|serve"]);
}
