//! Who asks, and in which conversation, where an agent says both in one text.

use serde_json::Value;

/// What Claude Code says in `metadata.user_id`: a person, or their machine, and one of their conversations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// The same in all conversations of one person, so that limits and sums are theirs.
    pub(crate) user: String,
    pub(crate) session: String,
}

/// Reads both forms it has had; nothing where the text is just a user.
pub(crate) fn said(user_id: &str) -> Option<Said> {
    let (user, session) = if user_id.starts_with('{') {
        let said: Value = serde_json::from_str(user_id).ok()?;
        let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        let (person, machine) = (text("account_uuid"), text("device_id"));
        (if person.is_empty() { machine } else { person }, text("session_id"))
    } else {
        let (user, session) = user_id.rsplit_once("_session_")?;
        let (machine, account) = user.strip_prefix("user_")?.split_once("_account_")?;
        ((if account.is_empty() { machine } else { account }).to_owned(), session.to_owned())
    };
    (!user.is_empty() && !session.is_empty()).then_some(Said { user, session })
}

#[cfg(test)]
mod tests {
    use proptest::proptest;

    use super::said;

    #[test]
    fn a_person_is_one_user_in_all_of_their_conversations() {
        for (text, expected) in [
            (r#"{"device_id":"d1","account_uuid":"","session_id":"s1"}"#, Some(("d1", "s1"))),
            (r#"{"device_id":"d1","account_uuid":"a1","session_id":"s2","new":[1]}"#, Some(("a1", "s2"))),
            ("user_9f2c_account__session_6b1d", Some(("9f2c", "6b1d"))),
            ("user_9f2c_account_a1_session_6b1d", Some(("a1", "6b1d"))),
            ("ann", None),
            ("", None),
            ("ann_session_3", None),
            ("user_ann_session_3", None),
            ("user__account__session_", None),
            (r#"{"name":"ann"}"#, None),
            (r#"{"device_id":"","account_uuid":"","session_id":"s1"}"#, None),
            (r#"{"device_id":7,"session_id":"s1"}"#, None),
            ("{", None),
        ] {
            let found = said(text);
            assert_eq!(found.as_ref().map(|said| (said.user.as_str(), said.session.as_str())), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,40}", tail in "_session_\\PC{0,9}") {
            let _ = (said(&text), said(&format!("{{{text}")), said(&format!("user_{text}_account_{text}{tail}")));
        }
    }
}
