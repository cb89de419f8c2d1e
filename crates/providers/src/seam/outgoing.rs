use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header::CONTENT_TYPE};

use super::{Endpoint, Outgoing};
use crate::fault::{FaultClass, UpstreamFault};

impl Outgoing {
    /// To this address, with the headers that the provider's spec names; a body is JSON.
    pub(crate) fn to(endpoint: &Endpoint, (method, address): (Method, &str), body: Bytes) -> Result<Self, UpstreamFault> {
        let uri: Uri = address
            .parse()
            .map_err(|_| UpstreamFault::new(endpoint, FaultClass::Connect, format!("`{address}` is not an address")))?;
        let mut headers = HeaderMap::with_capacity(endpoint.headers.len() + 2);
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in &endpoint.headers {
            let (Ok(header), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value)) else {
                return Err(UpstreamFault::new(
                    endpoint,
                    FaultClass::Invalid,
                    format!("`{name}` is not a header that can be sent"),
                ));
            };
            headers.insert(header, value);
        }
        Ok(Self { method, uri, headers, body })
    }
}
