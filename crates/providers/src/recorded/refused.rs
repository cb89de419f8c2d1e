//! What providers refused.

use std::collections::BTreeMap;

use http::{HeaderMap, StatusCode};
use mainspring_testservers::recordings::Api;

use super::{ALL, adapter_of, endpoint, is_refused};
use crate::fault::FaultClass;

#[test]
fn every_refusal_is_understood() {
    let mut found = BTreeMap::new();
    for one in ALL.iter().filter(|one| is_refused(one)) {
        let endpoint = endpoint(one);
        let adapter = adapter_of(&endpoint);
        let fault = match StatusCode::from_u16(one.status).unwrap() {
            StatusCode::OK => adapter.decode(&endpoint, &one.response).unwrap_err(),
            status => adapter.refusal(&endpoint, status, &HeaderMap::new(), &one.response),
        };
        assert!(!fault.message.is_empty(), "{} {}", one.package, one.file);
        *found.entry((one.api, one.status, fault.class)).or_insert(0) += 1;
    }
    let want = [
        // A filter of Azure's that refused the prompt, with the status of an answer.
        ((Api::Chat, 200, FaultClass::ContentFilter), 3),
        // An image that is none, or whose address leads nowhere.
        ((Api::Chat, 400, FaultClass::Invalid), 6),
        // No such model, no such deployment.
        ((Api::Chat, 404, FaultClass::NotFound), 5),
        ((Api::Responses, 401, FaultClass::Auth), 7),
        ((Api::Embeddings, 401, FaultClass::Auth), 6),
        ((Api::Embeddings, 404, FaultClass::NotFound), 2),
        // Said as a wrong request, and known by its words.
        ((Api::Converse, 400, FaultClass::NotFound), 2),
    ];
    assert_eq!(found, BTreeMap::from(want));
}
