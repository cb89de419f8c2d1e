//! What groups and slices are made of: a field, or an attribute as in a filter, `attributes["region"]`.

use mainspring_kernel::text::elide;
use mainspring_lake::{Aggregate, Filter, JsonTest, Key, KeyOf, Scalar};
use serde_json::Value;

use super::group_column;
use crate::{conventions::is_content, fault::TraceFault, filter::SpanFilter};

/// Longer names have no attributes.
const KEY_BYTES: usize = 200;
const ATTRIBUTES: &str = "attributes";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum By {
    Column(&'static str),
    Attribute(String),
}

impl By {
    pub(crate) fn read(field: &str) -> Result<Self, TraceFault> {
        match attribute(field)? {
            Some(key) => Ok(Self::Attribute(key)),
            None => group_column(field).map(Self::Column),
        }
    }

    /// The column, where it is one.
    pub(super) fn column(&self) -> Option<&str> {
        if let Self::Column(column) = self { Some(column) } else { None }
    }

    /// Rows of this group; none: of those that have no such value.
    pub(super) fn is(&self, value: Option<&String>) -> Filter {
        value.map_or_else(|| Filter::Not(Box::new(self.present())), |value| self.one_of(std::slice::from_ref(value)))
    }

    pub(crate) fn key(&self) -> KeyOf {
        match self {
            Self::Column(column) => KeyOf::Column((*column).to_owned()),
            Self::Attribute(key) => KeyOf::Json { column: ATTRIBUTES.to_owned(), path: vec![key.clone()] },
        }
    }

    /// Rows that have it. Of an attribute also those in which it is an object or a list, which is no group.
    pub(crate) fn present(&self) -> Filter {
        match self {
            Self::Column(column) => Filter::present(column),
            Self::Attribute(key) => Filter::json(ATTRIBUTES, &[key.as_str()], JsonTest::Exists),
        }
    }

    /// Rows of which it is one of these, as groups call them.
    pub(crate) fn one_of(&self, values: &[String]) -> Filter {
        match self {
            Self::Column(column) => Filter::any_of(column, values.iter().map(String::as_str)),
            Self::Attribute(key) => {
                let ways = values.iter().flat_map(|value| ways(value)).collect();
                Filter::json(ATTRIBUTES, &[key.as_str()], JsonTest::OneOf(ways))
            }
        }
    }
}

/// With these groups, where there are some.
pub(super) fn keyed<'b>(mut asked: Aggregate, groups: impl IntoIterator<Item = (&'static str, Option<&'b By>)>) -> Aggregate {
    let made = groups.into_iter().filter_map(|(name, by)| Some(Key { name: name.to_owned(), of: by?.key() }));
    asked.keys.extend(made);
    asked
}

/// The name of the attribute that a field is; none where it is another field. What people wrote makes no groups: whoever is told of
/// a slice need not be whoever may read it.
pub(super) fn attribute(field: &str) -> Result<Option<String>, TraceFault> {
    let rest = field.strip_prefix(ATTRIBUTES);
    if !rest.is_some_and(|rest| rest.trim_start().starts_with('[')) {
        return Ok(None);
    }
    let wrong = |what: &str| TraceFault::Question { reason: format!("`{}` {what}", elide(field, 60)) };
    // Filters read names already; what is more than a name is no field.
    let read = format!("{field} exists").parse::<SpanFilter>().ok();
    let key = read.as_ref().and_then(SpanFilter::attribute_that_exists);
    match key {
        None => Err(wrong("is no attribute: write attributes[\"region\"]")),
        Some(key) if key.len() > KEY_BYTES => Err(wrong("is too long a name of an attribute")),
        Some(key) if is_content(key) => Err(wrong("holds what people wrote, which no groups are made of")),
        Some(key) => Ok(Some(key.to_owned())),
    }
}

/// A value as groups call it, and as attributes may say it: as a text, as a number, as yes or no.
pub(crate) fn ways(value: &str) -> Vec<Scalar> {
    let mut ways = vec![Scalar::from(value)];
    match serde_json::from_str(value) {
        Ok(Value::Number(number)) => {
            ways.extend(number.as_i64().map(Scalar::Int).or_else(|| number.as_f64().map(Scalar::Float)));
        }
        Ok(Value::Bool(yes)) => ways.push(Scalar::Bool(yes)),
        _ => {}
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_named_as_in_filters_and_what_people_wrote_is_refused() {
        let region = By::Attribute("shop.region".into());
        for field in ["attributes[\"shop.region\"]", "attributes[ 'shop.region' ]"] {
            assert_eq!(By::read(field).unwrap(), region, "{field}");
        }
        assert_eq!(By::read("model").unwrap(), By::Column("model"));
        for refused in [
            "attributes",
            "attributes[region]",
            "attributes[\"\"]",
            "attributes[\"a\"] exists or attributes[\"b\"]",
            "attributes[\"input.value\"]",
            "attributes[\"gen_ai.input.messages\"]",
        ] {
            assert!(matches!(By::read(refused), Err(TraceFault::Question { .. })), "{refused}");
        }
        assert!(matches!(By::read(&format!("attributes[\"{}\"]", "x".repeat(300))), Err(TraceFault::Question { .. })));
        let JsonTest::OneOf(ways) = (match region.one_of(&["5".into(), "eu".into(), "true".into()]) {
            Filter::Json { test, .. } => test,
            other => panic!("{other:?}"),
        }) else {
            panic!("it is one of several")
        };
        assert_eq!(ways, ["5".into(), Scalar::Int(5), "eu".into(), "true".into(), Scalar::Bool(true)]);
    }
}
