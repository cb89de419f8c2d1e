//! Parameters that a route does not have are refused: one that is misspelt would be passed over, and the answer be about
//! something else. What a route has is what the OpenAPI document says of it.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{MatchedPath, Query, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{Method, Uri};
use mainspring_kernel::{
    FaultKind,
    text::{elide, nearest},
};
use mainspring_web_kit::Problem;
use utoipa::openapi::{
    OpenApi, RefOr,
    path::{Operation, ParameterIn, PathItem},
};

/// These look at names themselves: a search has `metadata.KEY`, and programs that ask Prometheus send more than we read.
const LOOK_THEMSELVES: &[&str] = &["/api/v1/knowledge/{name}/search"];
const PROMETHEUS: &str = "/api/v1/prometheus/";

/// The parameters of each route that has any, by path and method.
#[derive(Debug)]
pub(crate) struct Known(HashMap<String, HashMap<Method, Vec<String>>>);

impl Known {
    pub(crate) fn of(document: &OpenApi) -> Self {
        let ours = document.paths.paths.iter();
        let ours = ours.filter(|(path, _)| !LOOK_THEMSELVES.contains(&path.as_str()) && !path.starts_with(PROMETHEUS));
        Self(ours.map(|(path, item)| (path.clone(), by_method(item))).collect())
    }

    fn refusal(&self, method: &Method, route: &str, uri: &Uri) -> Option<Problem> {
        let method = if *method == Method::HEAD { Method::GET } else { method.clone() };
        let known = self.0.get(route)?.get(&method)?;
        // What cannot be read at all is refused by whoever reads it.
        let Query(given) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
        let (other, _) = given.iter().find(|(name, _)| !known.contains(name))?;
        let detail = format!("`{}` is no parameter of {route}", elide(other, 40));
        let hint = match nearest(other, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has {}", known.join(", ")),
        };
        Some(Problem::new(FaultKind::Invalid, "query-invalid", detail).with_hint(hint))
    }
}

fn by_method(item: &PathItem) -> HashMap<Method, Vec<String>> {
    let operations = [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    let names = operations.into_iter().filter_map(|(method, operation)| Some((method, names(operation.as_ref()?))));
    names.filter(|(_, names)| !names.is_empty()).collect()
}

fn names(operation: &Operation) -> Vec<String> {
    let parameters = operation.parameters.iter().flatten();
    let names = parameters.filter_map(|parameter| match parameter {
        RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => Some(parameter.name.clone()),
        RefOr::T(_) | RefOr::Ref(_) => None,
    });
    names.collect()
}

pub(crate) async fn refuse_others(State(known): State<Arc<Known>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let refusal = route.and_then(|route| known.refusal(request.method(), route, request.uri()));
    match refusal {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hint, where an address is refused.
    fn hint(method: &Method, route: &str, query: &str) -> Option<String> {
        let known = Known::of(&crate::openapi());
        let uri: Uri = format!("/?{query}").parse().unwrap();
        let problem = known.refusal(method, route, &uri)?;
        assert_eq!((problem.status.as_u16(), problem.code), (400, "query-invalid"));
        problem.hint
    }

    #[test]
    fn a_parameter_that_is_misspelt_is_refused_and_the_nearest_is_named() {
        for (route, query, near) in [
            ("/api/v1/traces/export", "fliter=error", "filter"),
            ("/api/v1/traces/count", "status=error&fliter=error", "filter"),
            ("/api/v1/metric-points", "nme=latency", "name"),
            ("/api/v1/scores", "trce=00", "trace"),
            ("/api/v1/incidents", "sevrity=critical", "severity"),
            ("/api/v1/usage", "all_project=true", "all_projects"),
        ] {
            for method in [Method::GET, Method::HEAD] {
                assert_eq!(hint(&method, route, query), Some(format!("did you mean `{near}`?")), "{route}");
            }
        }
        let far = hint(&Method::GET, "/api/v1/batches", "something_else=1");
        assert_eq!(far.as_deref(), Some("it has limit, cursor"));
    }

    #[test]
    fn what_a_route_has_passes_and_so_does_what_looks_for_itself() {
        let known = Known::of(&crate::openapi());
        assert!(known.0.len() > 40, "{}", known.0.len());
        for (route, methods) in &known.0 {
            for (method, names) in methods {
                let query: Vec<String> = names.iter().map(|name| format!("{name}=1")).collect();
                assert_eq!(hint(method, route, &query.join("&")), None, "{route}");
            }
        }
        for (route, query) in [
            ("/api/v1/knowledge/{name}/search", "query=a&metadata.year=2026"),
            ("/api/v1/prometheus/api/v1/query", "query=up&timeout=5s"),
            ("/api/v1/overview", "now=1"),
            ("/elsewhere", "a=b"),
        ] {
            assert_eq!(hint(&Method::GET, route, query), None, "{route}");
        }
    }
}
