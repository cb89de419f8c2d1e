//! What has to come back with a piece of thinking, in the one place where clients of this endpoint keep such a thing.
//!
//! OpenAI's own thinking has an id and a sealed form. That of others has a signature over its text, or a sealed form
//! without an id; both travel as `encrypted_content` with a mark, so that they are told apart when they come back.

use mainspring_llm::exchange::Reasoning;

const SIGNATURE: &str = "mainspring.signature.";
const SEALED: &str = "mainspring.sealed.";

/// Ids that are made here, for thinking that came without.
pub(super) const MADE_ID: &str = "rs_made_";

pub(super) fn seal(reasoning: &Reasoning) -> Option<String> {
    let Reasoning { id, signature, sealed, .. } = reasoning;
    match (signature, sealed, id) {
        (Some(signature), _, _) => Some(format!("{SIGNATURE}{signature}")),
        (None, Some(sealed), Some(_)) => Some(sealed.clone()),
        (None, Some(sealed), None) => Some(format!("{SEALED}{sealed}")),
        (None, None, _) => None,
    }
}

pub(super) fn unseal(id: Option<String>, text: String, content: Option<String>) -> Reasoning {
    let id = id.filter(|id| !id.starts_with(MADE_ID));
    let Some(content) = content else {
        return Reasoning { id, text, signature: None, sealed: None };
    };
    if let Some(signature) = content.strip_prefix(SIGNATURE) {
        return Reasoning { id, text, signature: Some(signature.to_owned()), sealed: None };
    }
    let sealed = content.strip_prefix(SEALED).map(str::to_owned).unwrap_or(content);
    Reasoning { id, text, signature: None, sealed: Some(sealed) }
}
