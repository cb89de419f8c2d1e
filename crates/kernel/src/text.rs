//! Small operations on text that several rooms need.

/// Keeps the start and the end of a long text and marks the gap. Counts characters, never splits one.
#[must_use]
pub fn elide(text: &str, max: usize) -> String {
    let count = text.chars().count();
    if count <= max {
        return text.to_owned();
    }
    let keep = max.saturating_sub(1);
    let head = keep - keep / 3;
    let tail = keep / 3;
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{start}…{end}")
}

/// The candidate a person most likely meant, if one is close.
#[must_use]
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&given.to_lowercase(), &candidate.to_lowercase()), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 3)
        .map(|(_, candidate)| candidate)
}

/// `: did you mean `x`?` or, with nothing close, `: one of a, b, c`.
#[must_use]
pub fn did_you_mean<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    match nearest(given, candidates.iter().copied()) {
        Some(candidate) => format!(": did you mean `{candidate}`?"),
        None if candidates.is_empty() => String::new(),
        None => format!(": one of {}", candidates.join(", ")),
    }
}

/// What stands where a name was taken out.
pub const ERASED: &str = "[erased]";

/// What stands before the words of a topic wherever a text names one: they are words as any other, and whoever erases one of
/// them finds it by this.
pub const TOPIC: &str = "the topic ";

/// The text without these names, wherever one stands by itself and not within a longer word or number. Nothing where none
/// does.
#[must_use]
pub fn without(text: &str, names: &[String]) -> Option<String> {
    let mut found: Option<String> = None;
    for name in names.iter().filter(|name| !name.is_empty()) {
        let next = without_one(found.as_deref().unwrap_or(text), name);
        found = next.or(found);
    }
    found
}

fn without_one(text: &str, name: &str) -> Option<String> {
    let joins = |one: Option<char>, other: Option<char>| {
        one.is_some_and(char::is_alphanumeric) && other.is_some_and(char::is_alphanumeric)
    };
    let first = name.chars().next();
    let (mut out, mut copied, mut from) = (String::new(), 0, 0);
    while let Some(at) = text[from..].find(name).map(|at| from + at) {
        let end = at + name.len();
        let within = joins(text[..at].chars().next_back(), first)
            || joins(text[end..].chars().next(), name.chars().next_back())
            // Whoever is called as the mark is would make it longer each time.
            || at.checked_sub(1).and_then(|at| text.get(at..=end)) == Some(ERASED);
        if within {
            from = at + first.map_or(1, char::len_utf8);
        } else {
            out.push_str(&text[copied..at]);
            out.push_str(ERASED);
            (copied, from) = (end, end);
        }
    }
    if copied == 0 && out.is_empty() {
        return None;
    }
    out.push_str(&text[copied..]);
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ERASED, without};

    #[track_caller]
    fn check(text: &str, name: &str, want: Option<&str>) {
        assert_eq!(without(text, &[name.to_owned()]).as_deref(), want, "{text} without {name}");
    }

    #[test]
    fn a_name_is_taken_out_where_it_stands_by_itself() {
        check("user 4711: 47112 of 4711", "4711", Some("user [erased]: 47112 of [erased]"));
        check("monitor/errors/ada@example.org", "ada@example.org", Some("monitor/errors/[erased]"));
        check("4711", "4711", Some("[erased]"));
        check("x4711", "4711", None);
        check("a cat", "a", Some("[erased] cat"));
        check("(ü)", "ü", Some("([erased])"));
        check("[erased] is here", "erased", None);
        check("erased", "erased", Some("[erased]"));
        check("anything", "", None);
        assert_eq!(without("ada and bob", &["ada".into(), "bob".into()]).as_deref(), Some("[erased] and [erased]"));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it_and_once_is_enough(text in "[ab4ü\\[\\] /]{0,30}", name in "[ab4ü]{1,3}") {
            let names = [name];
            if let Some(blanked) = without(&text, &names) {
                prop_assert!(blanked.contains(ERASED));
                prop_assert_eq!(without(&blanked, &names), None, "{}", blanked);
            }
        }
    }
}
