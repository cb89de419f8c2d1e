//! What a site asks crawlers to leave alone.

/// The rules of one `robots.txt` for us. Unreadable lines are skipped, as the convention asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Robots {
    rules: Vec<(bool, String)>,
}

const LONGEST: usize = 512 * 1024;
const AGENT: &str = "mainspring";

impl Robots {
    /// The group that names us counts; without one, the group for everybody.
    pub(super) fn parse(text: &str) -> Self {
        let mut named: Vec<(bool, String)> = Vec::new();
        let mut common: Vec<(bool, String)> = Vec::new();
        let (mut for_us, mut for_all, mut names_us, mut in_names) = (false, false, false, false);
        let end = (0..=LONGEST.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        for line in text[..end].lines() {
            let line = line.split('#').next().unwrap_or_default();
            let Some((field, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match field.trim().to_ascii_lowercase().as_str() {
                "user-agent" => {
                    if !in_names {
                        (for_us, for_all) = (false, false);
                    }
                    in_names = true;
                    for_us |= value.eq_ignore_ascii_case(AGENT);
                    for_all |= value == "*";
                    names_us |= for_us;
                }
                field @ ("allow" | "disallow") => {
                    in_names = false;
                    if value.is_empty() {
                        continue;
                    }
                    let rule = (field == "allow", value.to_owned());
                    if for_us {
                        named.push(rule.clone());
                    }
                    if for_all {
                        common.push(rule);
                    }
                }
                _ => in_names = false,
            }
        }
        Self { rules: if names_us { named } else { common } }
    }

    /// The longest rule that matches decides; of two equally long ones, the one that allows.
    pub(super) fn allows(&self, path_and_query: &str) -> bool {
        self.rules
            .iter()
            .filter(|(_, pattern)| pattern_matches(pattern, path_and_query))
            .max_by_key(|(allow, pattern)| (pattern.len(), *allow))
            .is_none_or(|(allow, _)| *allow)
    }
}

/// `*` stands for anything, `$` at the end for the end. Linear: each part is looked for once, in order.
fn pattern_matches(pattern: &str, path: &str) -> bool {
    let (pattern, to_end) = match pattern.strip_suffix('$') {
        Some(rest) => (rest, true),
        None => (pattern, false),
    };
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| path.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return !to_end || rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() && to_end {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}
