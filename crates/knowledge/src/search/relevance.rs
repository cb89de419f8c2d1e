//! Is there anything here that answers? Decided from how near the nearest chunk is, and from whether
//! the question's own words stand in what was found. Pure.

use std::collections::HashSet;

/// What speaks for relevance.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct Evidence {
    /// Cosine of the query and the nearest chunk; absent when nothing was compared.
    pub similarity: Option<f32>,
    /// Share of the question's words of meaning that stand in one of the best chunks.
    pub coverage: f32,
}

/// With this share of its words in one chunk a question counts as answered from far less similar text:
/// names, numbers and codes say little to an embedding.
const WORDS_SPEAK: f32 = 0.75;
/// How much less similar.
const DISCOUNT: f64 = 0.5;

/// Whether something relevant was found. A threshold of 0 says yes to everything.
pub(crate) fn is_relevant(evidence: Evidence, threshold: f64) -> bool {
    if threshold <= 0.0 {
        return true;
    }
    let words = evidence.coverage >= WORDS_SPEAK;
    match evidence.similarity.map(f64::from) {
        Some(similarity) => similarity >= threshold || (words && similarity >= threshold * DISCOUNT),
        None => words,
    }
}

/// The largest share of the question's words that stand in one of these texts.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
pub(crate) fn coverage<'a>(question: &str, texts: impl IntoIterator<Item = &'a str>) -> f32 {
    let asked: HashSet<String> = words(question).filter(|word| !is_common(word)).map(|word| stem(&word)).collect();
    if asked.is_empty() {
        return 0.0;
    }
    let share = |text: &str| {
        let held: HashSet<String> = words(text).map(|word| stem(&word)).collect();
        asked.intersection(&held).count() as f32 / asked.len() as f32
    };
    texts.into_iter().map(share).fold(0.0, f32::max)
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// Cuts the commonest English endings, so that `towers` meets `tower`.
fn stem(word: &str) -> String {
    for ending in ["ingly", "edly", "ing", "ied", "ies", "ed", "es", "s", "ly"] {
        if let Some(root) = word.strip_suffix(ending)
            && root.chars().count() >= 3
        {
            return root.to_owned();
        }
    }
    word.to_owned()
}

/// Words that stand in every question.
const COMMON: &[&str] = &[
    "a", "about", "after", "all", "also", "an", "and", "any", "are", "as", "at", "be", "because", "been", "before", "being",
    "between", "both", "but", "by", "can", "could", "did", "do", "does", "during", "each", "for", "from", "had", "has", "have",
    "he", "her", "his", "how", "i", "if", "in", "into", "is", "it", "its", "many", "may", "me", "more", "most", "much", "my",
    "no", "not", "of", "on", "one", "or", "other", "our", "out", "over", "she", "should", "so", "some", "such", "tell", "than",
    "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "through", "to", "under", "up", "use",
    "used", "was", "we", "were", "what", "when", "where", "which", "while", "who", "whom", "whose", "why", "will", "with",
    "would", "you", "your",
];

fn is_common(word: &str) -> bool {
    COMMON.binary_search(&word).is_ok()
}
