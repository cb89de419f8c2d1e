//! Which alerts are meant, by their labels.

use std::{fmt, str::FromStr};

use mainspring_kernel::text;
use serde::{Deserialize, Serialize};

use crate::model::Labels;

const LONGEST: usize = 300;

/// `label=value` or `label!=value`; the value may end in `*`. A label that is not there has an empty value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Matcher {
    label: String,
    differs: bool,
    value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no matcher: write `label=value` or `label!=value`; the value may end in `*`")]
pub struct MatcherFault {
    pub given: String,
}

impl Matcher {
    #[must_use]
    pub fn holds(&self, labels: &Labels) -> bool {
        let found = labels.get(&self.label).map_or("", String::as_str);
        let same = match self.value.strip_suffix('*') {
            Some(start) => found.starts_with(start),
            None => found == self.value,
        };
        same != self.differs
    }
}

impl FromStr for Matcher {
    type Err = MatcherFault;

    fn from_str(given: &str) -> Result<Self, MatcherFault> {
        let fault = || MatcherFault { given: text::elide(given, 80) };
        let (label, value) = given.split_once('=').ok_or_else(fault)?;
        let (label, differs) = match label.strip_suffix('!') {
            Some(label) => (label, true),
            None => (label, false),
        };
        let sound = !label.is_empty() && given.len() <= LONGEST && !given.chars().any(char::is_control);
        // Two `*` look like a pattern that is not understood here.
        let starred = value.trim_end_matches('*').contains('*') || value.ends_with("**");
        if !sound || label.trim() != label || label.contains('!') || starred {
            return Err(fault());
        }
        Ok(Self { label: label.to_owned(), differs, value: value.to_owned() })
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}={}", self.label, if self.differs { "!" } else { "" }, self.value)
    }
}

impl Serialize for Matcher {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
impl schemars::JsonSchema for Matcher {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Matcher".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[^=]+=", "examples": ["app=desk", "severity!=info", "name=drift-*"] })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Labels, Matcher};

    #[track_caller]
    fn check(matcher: &str, want: bool) {
        let labels: Labels = [("app", "desk"), ("name", "drift-topics")].map(|(key, value)| (key.into(), value.into())).into();
        assert_eq!(matcher.parse::<Matcher>().unwrap().holds(&labels), want, "{matcher}");
    }

    #[test]
    fn labels_are_compared_by_value_or_by_their_beginning() {
        check("app=desk", true);
        check("app=des", false);
        check("app=des*", true);
        check("app=*", true);
        check("app!=desk", false);
        check("app!=other", true);
        check("name=drift-*", true);
        check("name!=drift-*", false);
        check("user=", true);
        check("user!=", false);
        check("user=*", true);
        check("app=desk=", false);
    }

    #[test]
    fn what_is_no_matcher_is_refused() {
        for given in
            ["", "app", "=x", "!=x", "a!!=x", " app=x", "app=a*b", "app=**", "app=x\n", &format!("a={}", "x".repeat(400))]
        {
            assert!(given.parse::<Matcher>().is_err(), "{given}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_written_as_it_was_read(given in "\\PC{0,40}|[a-c!=*]{0,12}") {
            if let Ok(matcher) = given.parse::<Matcher>() {
                prop_assert_eq!(matcher.to_string(), given);
                let _ = matcher.holds(&Labels::new());
            }
        }
    }
}
