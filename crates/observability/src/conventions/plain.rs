//! Messages as the present conventions write them, whose parts are texts. Most are so, and are read without a tree of values.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    messages::{Fold, Message, folded},
    parts,
    values::STRUCTURED_MAX,
};

/// Whatever has another field is read by those who know it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    parts: Vec<Object<Words<'a>>>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    content: Cow<'a, str>,
}

/// What derives its reading would take a list of the fields' values too.
struct Object<T>(T);

struct OfFields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(OfFields(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for OfFields<T> {
    type Value = Object<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
    }
}

/// The messages of a text, where all are of this shape; they are the same that `Fold::read` finds.
pub(super) fn messages(fold: Fold, text: &str) -> Option<Vec<Message>> {
    let list = text.trim_start();
    if !list.starts_with('[') || text.len() > STRUCTURED_MAX {
        return None;
    }
    let plain: Vec<Object<Plain<'_>>> = serde_json::from_str(list).ok()?;
    let all_texts = plain.iter().flat_map(|Object(message)| &message.parts).all(|Object(part)| part.kind == "text");
    all_texts.then(|| plain.into_iter().map(|Object(message)| read(fold, message)).collect())
}

fn read(fold: Fold, Plain { role, parts, finish_reason }: Plain<'_>) -> Message {
    let parts = parts.iter().flat_map(|Object(part)| parts::text(fold.cut(&part.content))).collect();
    Message { role: folded(&role).to_owned(), name: None, parts, finish_reason }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{super::values::structured, *};

    #[test]
    fn however_a_message_is_spelled_it_says_what_its_values_say() {
        for spelled in [
            r#"[{"role":"user","parts":[{"type":"text","content":"\u00e9\ud83d\ude00\n\/\u0000"}]}]"#,
            r#"[{"rol\u0065":"mod\u0065l","parts":[{"typ\u0065":"t\u0065xt","content":"a"}],"finish_reason":null}]"#,
            r#"[{"role":"user","parts":[{"type":"text","content":""}]},{"role":"","parts":[{"type":"text","content":"[1]"}]}]"#,
            r#"[{"role":"user","parts":[]},{"role":"user","parts":[{"type":"text","content":"a"}],"finish_reason":1}]"#,
            r#"[{"role":null,"parts":[{"type":"text","content":"a"}]}]"#,
            r#"[{"role":"user","parts":[{"type":"text","content":null}]}]"#,
            r#"[{"role":"user","parts":[{"type":"Text","content":"a"}]}]"#,
            r#"[{"role":"user","parts":[],"parts":[{"type":"text","content":"a"}]}]"#,
            r#"[{"role":"user","parts":[{"type":"text","content":"a"},"b",{"type":"tool_call","name":"c"}]}]"#,
            "\u{a0}[ { \"role\" : \"user\" , \"parts\" : [ ] } ]\n",
        ] {
            let values = structured(spelled).unwrap();
            let (of_text, of_values) =
                (Fold::WHOLE.messages(&Value::from(spelled), "user"), Fold::WHOLE.messages(&values, "user"));
            assert_eq!(of_text, of_values, "{spelled}");
        }
    }

    #[test]
    fn what_is_no_json_is_a_text() {
        for broken in [
            r#"[{"role":"user","parts":[{"type":"text","content":"\ud800"}]}]"#,
            r#"[{"role":"user","parts":[{"type":"text","content":"a"}]}],"#,
            r#"[{"role":"user","parts":[{"type":"text","content":"a"}]}"#,
        ] {
            let found = Fold::WHOLE.messages(&Value::from(broken), "user");
            assert_eq!(found.iter().flat_map(|message| &message.parts).count(), 1, "{broken}");
            assert_eq!(found[0].parts, parts::text(broken.to_owned()));
        }
    }

    #[test]
    fn texts_are_plain_and_anything_beside_them_is_not() {
        let read = |text: &str| messages(Fold::WHOLE, text).map(|messages| messages.len());
        assert_eq!(read(r#" [{"role":"user","parts":[{"type":"text","content":"a \"b\""}]}]"#), Some(1));
        assert_eq!(read(r#"[{"role":"model","parts":[{"content":"a","type":"text"}],"finish_reason":"stop"}]"#), Some(1));
        assert_eq!(read("[]"), Some(0));
        for other in [
            "a text",
            r#"{"role":"user","parts":[]}"#,
            r#"[{"parts":[]}]"#,
            r#"[{"role":"user","parts":[{"type":"reasoning","content":"a"}]}]"#,
            r#"[{"role":"user","parts":[{"type":"text","content":"a","id":"b"}]}]"#,
            r#"[{"role":"user","parts":[],"parts":[]}]"#,
            r#"[{"role":"user","name":"ada","parts":[]}]"#,
            r#"[{"role":"user","content":"a"}]"#,
            r#"[["user",[],"stop"]]"#,
            r#"[{"role":"user","parts":[["text","a"]]}]"#,
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
