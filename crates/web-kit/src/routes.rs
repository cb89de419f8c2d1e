//! Routes as a list, so that whoever asks which there are reads what the router was made of.

use axum::{
    Router,
    handler::Handler,
    routing::{MethodRouter, delete, get, post},
};

/// One method of one path. A list of them becomes a router, or a table to look at.
#[derive(Debug, Clone)]
pub struct Route<S> {
    method: &'static str,
    path: &'static str,
    handler: MethodRouter<S>,
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    pub fn get<H: Handler<T, S>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self { method: "GET", path, handler: get(handler) }
    }

    pub fn post<H: Handler<T, S>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self { method: "POST", path, handler: post(handler) }
    }

    pub fn delete<H: Handler<T, S>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self { method: "DELETE", path, handler: delete(handler) }
    }

    /// Method and path, as the authorisation table has them.
    #[must_use]
    pub const fn listed(&self) -> (&'static str, &'static str) {
        (self.method, self.path)
    }

    pub fn router(routes: Vec<Self>, state: S) -> Router {
        routes.into_iter().fold(Router::new(), |router, route| router.route(route.path, route.handler)).with_state(state)
    }
}
