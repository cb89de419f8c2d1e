use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use mainspring_kernel::{FaultKind, PageRequest};
use serde::Deserialize;

use crate::problem::Problem;

/// `?limit=…&cursor=…`
#[derive(Debug, Clone)]
pub struct Paging(pub PageRequest);

#[derive(Debug, Deserialize)]
struct Raw {
    limit: Option<usize>,
    cursor: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let invalid = |detail: String| Problem::new(FaultKind::Invalid, "paging-invalid", detail);
        let Query(raw) = Query::<Raw>::from_request_parts(parts, state).await.map_err(|error| invalid(error.body_text()))?;
        let cursor = raw.cursor.filter(|cursor| !cursor.is_empty());
        PageRequest::new(raw.limit, cursor).map(Self).map_err(|fault| invalid(fault.to_string()))
    }
}
