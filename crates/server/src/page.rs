//! The page, embedded.

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use mainspring_kernel::FaultKind;
use mainspring_web_kit::Problem;
use rust_embed::RustEmbed;

use crate::addresses;

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
struct Dist;

/// Everything of the page comes from here; nothing inline runs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const OTHERS: &str = "`GET /api/v1/openapi.json` lists what there is";

/// Whatever no route took: a file of the page, the page itself for a path a person typed, or a problem.
pub(crate) async fn fallback(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    let looks = matches!(*request.method(), Method::GET | Method::HEAD);
    if looks && let Some(file) = Dist::get(path).filter(|_| !path.is_empty()) {
        return serve(path, file.data.into_owned());
    }
    let api = ["api/", "v1/", "v2/", "schemas/"].iter().any(|prefix| path.starts_with(prefix));
    let wants_page = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if looks && wants_page && !api {
        return match Dist::get("index.html") {
            Some(index) => serve("index.html", index.data.into_owned()),
            None => Problem::new(FaultKind::Unsupported, "page-not-built", "this binary was built without the page")
                .with_hint("run `./dev web` and build again")
                .into_response(),
        };
    }
    Problem::new(FaultKind::NotFound, "route-not-found", format!("nothing answers {} /{path}", request.method()))
        .with_status(StatusCode::NOT_FOUND)
        .with_hint(addresses::meant(request.uri().path()).unwrap_or_else(|| OTHERS.to_owned()))
        .into_response()
}

fn serve(path: &str, bytes: Vec<u8>) -> Response {
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(kind.as_ref()) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    // Files under assets/ carry their digest in the name.
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(HeaderName::from_static("content-security-policy"), HeaderValue::from_static(POLICY));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("same-origin"));
    response
}
