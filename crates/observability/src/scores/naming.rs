//! Scores as fields, as the filter language names them: `score.relevance`, `score["answer quality"]`.

use mainspring_kernel::text::elide;

use crate::{fault::TraceFault, filter::SpanFilter};

/// The name of the score that a field is; none where it is another field.
pub fn score_field(field: &str) -> Result<Option<String>, TraceFault> {
    let rest = field.strip_prefix("score");
    if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest.trim_start().starts_with('[')) {
        return Ok(None);
    }
    let wrong = || {
        let reason = format!("`{}` is no score: write score.NAME, or score[\"any name\"]", elide(field, 60));
        TraceFault::Question { reason }
    };
    // Filters read names already; what is more than a name is no field.
    let read = format!("{field} exists").parse::<SpanFilter>().map_err(|_| wrong())?;
    let name = read.score_that_exists().map(str::to_owned);
    name.map(Some).ok_or_else(wrong)
}

/// The field of a score, in the shortest way in which it can be written.
pub(crate) fn field_of(name: &str) -> String {
    let plain = format!("score.{name}");
    match score_field(&plain) {
        Ok(Some(read)) if read == name => plain,
        _ => crate::filter::score_written(name),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_score_is_named_as_in_a_filter() {
        let read = |field: &str| score_field(field).unwrap();
        assert_eq!(read("score.relevance").as_deref(), Some("relevance"));
        assert_eq!(read("score['answer quality']").as_deref(), Some("answer quality"));
        assert_eq!(read("score[\"a\\\"b\"]").as_deref(), Some("a\"b"));
        for other in ["model", "scored", "attributes[\"score.x\"]", ""] {
            assert_eq!(read(other), None, "{other}");
        }
        for wrong in ["score", "score.", "score[]", "score[x]", "score.a b", "score.a exists or error", "score.x = 1 and score.y"]
        {
            assert!(matches!(score_field(wrong), Err(TraceFault::Question { .. })), "{wrong}");
        }
        assert_eq!((field_of("relevance").as_str(), field_of("a b").as_str()), ("score.relevance", "score[\"a b\"]"));
    }

    proptest! {
        #[test]
        fn whatever_a_score_is_called_its_field_names_it(name in "\\PC{1,60}") {
            prop_assert_eq!(score_field(&field_of(&name)).unwrap(), Some(name));
        }

        #[test]
        fn any_field_is_a_score_or_refused_or_another(field in "(score)?\\PC{0,40}") {
            let _ = score_field(&field);
        }
    }
}
