//! About how many tokens a request has for a model whose tokenizer nobody here has: by its words, and not by its bytes.
//!
//! The numbers were fitted to the tokenizers of OpenAI's models over prose, programs, JSON and texts of several scripts:
//! most come out within an eighth of what these count.

use mainspring_llm::exchange::{Call, Format, Media, Part, RerankCall, Tool};

use crate::estimate::MEDIA_ABOUT;

/// What stands around a turn, and around the whole, in the templates of models.
const TURN: u64 = 4;
const CALL: u64 = 3;
/// What stands around the description of a tool.
const TOOL: u64 = 8;
/// Files are read as text and as pictures of their pages: so many bytes in base64 for a token.
const FILE_BYTES: u64 = 32;

/// Costs are in eighths of a token.
pub(crate) const TOKEN: u64 = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// A word: one token, unless it is long.
    Letters,
    Digits,
    /// One of them belongs to the word behind it.
    Spaces,
    /// Line breaks, with what indents the next line.
    Breaks,
    Marks,
    /// Letters with accents break words apart.
    Accented,
    /// Greek, Cyrillic, Hebrew, Arabic and others that have letters.
    Lettered,
    /// Chinese, Japanese and Korean.
    Ideographs,
    Pictures,
    Other,
}

impl Class {
    const fn of(letter: char) -> Self {
        match letter {
            'a'..='z' | 'A'..='Z' => Self::Letters,
            '0'..='9' => Self::Digits,
            ' ' => Self::Spaces,
            '\n' | '\r' | '\t' => Self::Breaks,
            '\0'..='\u{7f}' => Self::Marks,
            '\u{80}'..='\u{24f}' => Self::Accented,
            '\u{250}'..='\u{1fff}' => Self::Lettered,
            '\u{3000}'..='\u{d7ff}' => Self::Ideographs,
            '\u{1f000}'..='\u{10ffff}' => Self::Pictures,
            _ => Self::Other,
        }
    }

    /// Of a run of so many of them, in eighths of a token.
    const fn cost(self, letters: u64) -> u64 {
        match self {
            Self::Letters => TOKEN + letters.saturating_sub(7) * 2,
            Self::Digits => letters.div_ceil(3) * TOKEN,
            Self::Spaces if letters == 1 => 0,
            Self::Spaces | Self::Breaks => TOKEN,
            Self::Marks => letters.div_ceil(2) * TOKEN,
            Self::Accented => letters * 4,
            Self::Lettered => letters * 3,
            Self::Ideographs => letters * 7,
            Self::Pictures => letters * 2 * TOKEN,
            Self::Other => letters * TOKEN,
        }
    }
}

/// About how many tokens a text has.
pub(crate) fn text(text: &str) -> u64 {
    tokens(eighths(text))
}

/// What comes in pieces is added up in eighths and rounded once: a piece of a word is a fraction of a token in many scripts.
pub(crate) const fn tokens(eighths: u64) -> u64 {
    eighths.div_ceil(TOKEN)
}

/// About how many eighths of a token a text has.
pub(crate) fn eighths(text: &str) -> u64 {
    let (mut eighths, mut rest) = (0_u64, text);
    while let Some(first) = rest.chars().next() {
        let class = Class::of(first);
        let (bytes, letters) = run(rest, class);
        eighths = eighths.saturating_add(class.cost(letters));
        rest = &rest[bytes..];
    }
    eighths
}

/// How long the run of one class is that a text begins with, in bytes and in letters. `camelCase` is two words.
fn run(text: &str, class: Class) -> (usize, u64) {
    let (mut letters, mut before) = (0, ' ');
    for (at, letter) in text.char_indices() {
        let goes_on = match class {
            Class::Breaks => letter.is_ascii_whitespace(),
            Class::Letters => Class::of(letter) == class && !(before.is_ascii_lowercase() && letter.is_ascii_uppercase()),
            class => Class::of(letter) == class,
        };
        if at > 0 && !goes_on {
            return (at, letters);
        }
        (letters, before) = (letters + 1, letter);
    }
    (text.len(), letters)
}

/// About how many tokens a model reads of a call.
pub(crate) fn call(call: &Call) -> u64 {
    let turns = call.turns.iter().map(|turn| TURN + turn.name.as_deref().map_or(0, text) + parts(&turn.parts));
    let format = match &call.format {
        Format::Schema { schema, .. } => text(&schema.to_string()),
        Format::Text | Format::Json => 0,
    };
    CALL + turns.sum::<u64>() + call.tools.iter().map(tool).sum::<u64>() + format
}

/// Documents that are ranked in one search.
const DOCUMENTS: u64 = 100;
/// The question and so much of a document together: longer documents are cut, and each piece counts as one. Cohere's rule.
const PIECE: u64 = 500;
/// Beside a question as long as a document.
const PIECE_LEAST: u64 = 100;

/// As how many searches a reranking is billed, with so many tokens in each document.
pub(crate) fn searches(call: &RerankCall, tokens: impl Fn(&str) -> u64) -> u64 {
    let room = PIECE.saturating_sub(text(&call.query)).max(PIECE_LEAST);
    let pieces = call.documents.iter().map(|document| tokens(document).div_ceil(room).max(1));
    searches_of(pieces.sum())
}

/// As how many searches so many documents are billed.
pub(crate) const fn searches_of(documents: u64) -> u64 {
    let searches = documents.div_ceil(DOCUMENTS);
    if searches == 0 { 1 } else { searches }
}

fn parts(parts: &[Part]) -> u64 {
    parts.iter().map(part).sum()
}

fn part(part: &Part) -> u64 {
    match part {
        Part::Text { text: said, .. } | Part::Refusal { text: said } => text(said),
        Part::Reasoning(thought) => text(&thought.text),
        Part::ToolCall { name, arguments, .. } => TURN + text(name) + text(arguments),
        Part::ToolResult { parts: given, .. } => TURN + parts(given),
        Part::Image { .. } => MEDIA_ABOUT,
        Part::Audio { source, .. } | Part::File { source, .. } => match source {
            Media::Base64 { data, .. } => MEDIA_ABOUT.max(data.len() as u64 / FILE_BYTES),
            Media::Url(_) | Media::Id(_) => MEDIA_ABOUT,
        },
        Part::Other { value, .. } => text(&value.to_string()),
    }
}

fn tool(tool: &Tool) -> u64 {
    match tool {
        Tool::Function { name, description, parameters, .. } => {
            let parameters = parameters.as_ref().map_or(0, |parameters| text(&parameters.to_string()));
            TOOL + text(name) + description.as_deref().map_or(0, text) + parameters
        }
        Tool::Hosted { value, .. } => text(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use mainspring_llm::exchange::{Call, Dialect, Media, Part, RerankCall, Role, Tool, Turn};
    use proptest::prelude::*;
    use serde_json::json;

    use super::{call, eighths, searches, text, tokens};

    /// Within a fifth of what OpenAI's newer tokenizer (`o200k_base`) counts; a quarter of the bytes is half of it for numbers
    /// and near twice as much for Russian.
    #[test]
    fn texts_of_many_kinds_are_counted_as_a_tokenizer_counts_them() {
        for (said, counted) in [
            (
                "The quick brown fox jumps over the lazy dog. It was a bright cold day in April, and the clocks were striking thirteen. Winston Smith, his chin nuzzled into his breast in an effort to escape the vile wind, slipped quickly through the glass doors of Victory Mansions, though not quickly enough to prevent a swirl of gritty dust from entering along with him.",
                74,
            ),
            (
                "Die Würde des Menschen ist unantastbar. Sie zu achten und zu schützen ist Verpflichtung aller staatlichen Gewalt. Das Deutsche Volk bekennt sich darum zu unverletzlichen und unveräußerlichen Menschenrechten als Grundlage jeder menschlichen Gemeinschaft, des Friedens und der Gerechtigkeit in der Welt.",
                64,
            ),
            (
                "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。人人有资格享有本宣言所载的一切权利和自由。",
                52,
            ),
            (
                "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。",
                72,
            ),
            ("id,name,price\n1,apple,0.50\n2,banana,0.25\n3,cherry,12.00\n10482,dragonfruit,1234567.89\n", 41),
        ] {
            let guessed = text(said);
            assert!(guessed * 10 >= counted * 8 && guessed * 10 <= counted * 12, "{guessed} for {counted}: {said}");
        }
        assert_eq!((text(""), text("a"), text("fooBar"), text("a  b")), (0, 1, 2, 3));
    }

    #[test]
    fn a_call_is_counted_by_what_is_read_of_it() {
        let mut asked = Call::new("m", Dialect::OpenAiChat);
        asked.turns.push(Turn::text(Role::User, "how many are these?"));
        let plain = call(&asked);
        assert_eq!(plain, 12);
        asked.metadata.insert("note".to_owned(), json!("word ".repeat(100)));
        asked.user = Some("someone".to_owned());
        assert_eq!(call(&asked), plain, "what no model reads is not counted");
        let image = Media::Base64 { media_type: "image/png".to_owned(), data: "iVBORw0KGgo".repeat(20_000) };
        asked.turns[0].parts.push(Part::Image { source: image, detail: None, cache: None });
        let seen = call(&asked);
        assert!(seen > plain + 200 && seen < plain + 3_000, "a picture is no text: {seen}");
        let parameters = Some(json!({"type": "object", "properties": {"city": {"type": "string"}}}));
        let description = Some("Tells the weather.".to_owned());
        asked.tools.push(Tool::Function { name: "weather".to_owned(), description, parameters, strict: None, cache: None });
        assert!(call(&asked) > seen + 20, "tools are read");
    }

    #[test]
    fn a_reranking_is_several_searches_where_its_documents_are_many_or_long() {
        let (short, long) = ("a few words".to_owned(), "word ".repeat(1_000));
        let asked = |documents: Vec<String>| {
            let (model, query) = ("m".to_owned(), "what is it?".to_owned());
            RerankCall { model, query, documents, top_n: None, extra: serde_json::Map::new() }
        };
        for (documents, wanted) in [
            (Vec::new(), 1),
            (vec![short.clone()], 1),
            (vec![short.clone(); 100], 1),
            (vec![short.clone(); 101], 2),
            // Three pieces each.
            (vec![long.clone(); 33], 1),
            (vec![long.clone(); 34], 2),
        ] {
            assert_eq!(searches(&asked(documents.clone()), text), wanted, "{} of {:?}", documents.len(), documents.first());
        }
        let documents = asked(vec![long; 34]);
        assert!(searches(&documents, |document| document.len() as u64) >= searches(&documents, text), "bytes are a bound");
    }

    #[test]
    fn what_comes_in_pieces_is_rounded_once() {
        let words: Vec<&str> =
            "Все люди рождаются свободными и равными в своём достоинстве и правах".split_inclusive(' ').collect();
        let whole = text(&words.concat());
        let pieces: u64 = words.iter().map(|word| eighths(word)).sum();
        assert_eq!((tokens(pieces), whole), (22, 22));
        assert!(words.iter().map(|word| text(word)).sum::<u64>() > whole, "each by itself would be more");
    }

    proptest! {
        #[test]
        fn no_text_has_more_tokens_than_bytes(said in "\\PC{0,300}") {
            prop_assert!(text(&said) <= said.len() as u64);
        }
    }
}
