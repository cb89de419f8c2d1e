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
