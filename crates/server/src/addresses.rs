//! Which addresses there are, and which is meant by one that nothing answers.

use std::sync::LazyLock;

use mainspring_kernel::text;
use mainspring_web_kit::Route;

use crate::building;

/// Every route that `openapi/rest.json` does not list, with its method, for the authorisation table test.
#[must_use]
pub fn other_routes() -> Vec<(&'static str, &'static str)> {
    let native = [("GET", "/api/v1/openapi.json")];
    let mut routes: Vec<_> = building::probes().iter().map(Route::listed).chain(native).collect();
    routes.extend(mainspring_api_openai::listed());
    routes.extend(mainspring_api_anthropic::listed());
    routes.extend(mainspring_api_otlp::listed());
    routes
}

/// Where clients of OpenAI and Anthropic ask.
static OF_CLIENTS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let routes = mainspring_api_openai::listed().into_iter().chain(mainspring_api_anthropic::listed());
    routes.map(|(_, path)| path).collect()
});

/// What to tell whoever asks at an address that nothing answers. Base URLs of some gateways have no `/v1`, and of some clients
/// none: it is missing or there twice. These addresses are not answered, since some of them are the page's, and limits, metrics
/// and logs would know each endpoint by two names.
pub(crate) fn meant(path: &str) -> Option<String> {
    let answers = |path: &str| OF_CLIENTS.iter().any(|known| fits(known, path));
    let short = format!("/v1{path}");
    if answers(&short) {
        return Some(format!("`{}` does: end the base URL in `/v1`", text::elide(&short, 80)));
    }
    let long = path.strip_prefix("/v1").filter(|rest| answers(rest))?;
    Some(format!("`{}` does: the base URL has a `/v1` too many", text::elide(long, 80)))
}

fn fits(known: &str, path: &str) -> bool {
    let (mut known, mut path) = (known.split('/'), path.split('/'));
    loop {
        match (known.next(), path.next()) {
            (None, None) => return true,
            (Some(wanted), Some(_)) if wanted.starts_with("{*") => return true,
            (Some(wanted), Some(given)) if wanted == given || (wanted.starts_with('{') && !given.is_empty()) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{fits, meant};

    #[test]
    fn a_base_url_that_is_one_v1_short_or_long_is_told_so() {
        for (path, meant_is) in [
            ("/chat/completions", "`/v1/chat/completions` does: end the base URL in `/v1`"),
            ("/models", "`/v1/models` does"),
            ("/models/openai/gpt-4o", "`/v1/models/openai/gpt-4o` does"),
            ("/batches/batch_1/cancel", "`/v1/batches/batch_1/cancel` does"),
            ("/messages", "`/v1/messages` does"),
            ("/v1/v1/messages", "`/v1/messages` does: the base URL has a `/v1` too many"),
            ("/v1/v1/chat/completions", "`/v1/chat/completions` does: the base URL has a `/v1` too many"),
            ("/v1/v2/rerank", "`/v2/rerank` does"),
        ] {
            assert!(meant(path).is_some_and(|told| told.starts_with(meant_is)), "{path}: {:?}", meant(path));
        }
        for path in
            ["/", "", "/v1", "/v1/", "/v1/nothing", "/nothing", "/chat", "/api/v1/keys", "/v1/v1/nothing", "/batches//cancel"]
        {
            assert_eq!(meant(path), None, "{path}");
        }
        assert!(meant(&format!("/models/{}", "x".repeat(10_000))).is_some_and(|told| told.len() < 200));
    }

    #[test]
    fn a_known_address_fits_what_it_is_filled_with() {
        for (known, path, does) in [
            ("/v1/files/{id}", "/v1/files/f", true),
            ("/v1/files/{id}", "/v1/files/", false),
            ("/v1/files/{id}", "/v1/files/f/content", false),
            ("/v1/models/{*name}", "/v1/models/a/b", true),
            ("/v1/models/{*name}", "/v1/models", false),
            ("/v1/files", "/v1/files", true),
        ] {
            assert_eq!(fits(known, path), does, "{known} {path}");
        }
    }
}
