//! Parameters in an address, with our own answers to what does not parse.

use axum::extract::{self, FromRequestParts};
use http::request::Parts;
use mainspring_kernel::FaultKind;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// The parameters of the path.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

/// The parameters after `?`.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = extract::Path::<T>::from_request_parts(parts, state).await;
        read.map(|extract::Path(value)| Self(value)).map_err(|rejection| {
            if rejection.status().is_server_error() {
                return Problem::internal();
            }
            Problem::new(FaultKind::Invalid, "path-invalid", rejection.body_text())
        })
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = extract::Query::<T>::from_request_parts(parts, state).await;
        read.map(|extract::Query(value)| Self(value))
            .map_err(|rejection| Problem::new(FaultKind::Invalid, "query-invalid", rejection.body_text()))
    }
}
