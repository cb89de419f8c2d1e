//! Names of assets from names that other programs allow.

use mainspring_kernel::{Name, name::NAME_MAX};

/// The nearest name: `GPT-4o (EU)` becomes `gpt-4o-eu`.
pub(crate) fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len().min(NAME_MAX));
    for letter in text.chars() {
        let letter = letter.to_ascii_lowercase();
        let kept = letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '_' | '.');
        match (kept, slug.is_empty()) {
            (true, true) if matches!(letter, '_' | '.') => {}
            (true, _) => slug.push(letter),
            (false, true) => {}
            (false, false) if slug.ends_with('-') => {}
            (false, false) => slug.push('-'),
        }
        if slug.len() >= NAME_MAX {
            break;
        }
    }
    let end = slug.trim_end_matches(['-', '.', '_']).len();
    slug.truncate(end);
    slug
}

/// The nearest name that is not taken; `instead` where nothing of the text is left.
pub(crate) fn free(text: &str, instead: &str, taken: impl Fn(&Name) -> bool) -> Option<Name> {
    let slug = slug(text);
    let slug = if slug.is_empty() { instead.to_owned() } else { slug };
    for number in 1..10_000 {
        let name = if number == 1 { slug.clone() } else { numbered(&slug, number) };
        if let Ok(name) = name.parse::<Name>()
            && !taken(&name)
        {
            return Some(name);
        }
    }
    None
}

fn numbered(slug: &str, number: u32) -> String {
    let ending = format!("-{number}");
    // A slug is ASCII: any cut is between letters.
    format!("{}{ending}", &slug[..slug.len().min(NAME_MAX - ending.len())])
}

/// As a variable of the environment: `openai-prod` becomes `OPENAI_PROD`.
pub(crate) fn variable(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for letter in text.chars().take(60) {
        let letter = letter.to_ascii_uppercase();
        if letter.is_ascii_uppercase() || letter.is_ascii_digit() {
            name.push(letter);
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    let name = name.trim_end_matches('_');
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        format!("KEY_{name}")
    } else {
        name.to_owned()
    }
}
