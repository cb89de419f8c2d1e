mod answers;
mod apps;
mod asked;
mod claude_code;
mod errors;
mod limits;
mod property;
mod scoped;
mod surface;
mod walks;
mod wished;

use futures::executor::block_on;
use http::HeaderMap;
use http_body_util::BodyExt;
use mainspring_gateway::{Answered, Body, CacheOutcome, Spent};
use mainspring_kernel::id::CallId;

/// An answer of the gateway with this body, and nothing else to say.
fn answered(body: Body) -> Answered {
    Answered {
        call: CallId::from_raw(1),
        route: "chat".to_owned(),
        provider: "claude".to_owned(),
        target: "claude/claude-sonnet-4-5".to_owned(),
        attempts: 2,
        cache: CacheOutcome::Off,
        cost: None,
        spent: Spent::default(),
        usage: None,
        lost: Vec::new(),
        headers: HeaderMap::new(),
        body,
    }
}

fn bytes(response: axum::response::Response) -> Vec<u8> {
    block_on(response.into_body().collect()).unwrap().to_bytes().to_vec()
}

fn text(response: axum::response::Response) -> String {
    String::from_utf8(bytes(response)).unwrap()
}
