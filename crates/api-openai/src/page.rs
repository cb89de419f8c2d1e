//! Where the page is, in words that the client who asks can open.

use http::{HeaderMap, header::HOST, uri::Authority};
use mainspring_chains::Source;

/// Scheme and host, without a slash at the end; empty where nobody said them, and addresses begin with a slash then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Page(String);

impl Page {
    /// By the setting, or else by the name the client itself called. That one is the client's to choose, and so the answer
    /// goes to nobody else; that a proxy took it over TLS is not seen here, and is what the setting is for.
    pub(crate) fn of(public_url: Option<&str>, headers: &HeaderMap) -> Self {
        if let Some(url) = public_url {
            return Self(url.trim_end_matches('/').to_owned());
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.parse::<Authority>().ok());
        Self(host.filter(|host| !host.as_str().contains('@')).map(|host| format!("http://{host}")).unwrap_or_default())
    }

    /// Opens the document at the passage, in the text the passage was cut from.
    pub(crate) fn passage(&self, source: &Source) -> String {
        let knowledge = source.knowledge.split('@').next().unwrap_or(&source.knowledge);
        let Source { document, start, end, document_digest: digest, .. } = source;
        format!("{}/knowledge/{knowledge}/documents/{document}?start={start}&end={end}&digest={digest}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(public_url: Option<&str>, host: Option<&'static str>, wanted: &str) {
        let headers: HeaderMap = host.map(|host| (HOST, http::HeaderValue::from_static(host))).into_iter().collect();
        assert_eq!(Page::of(public_url, &headers), Page(wanted.to_owned()));
    }

    #[test]
    fn the_setting_comes_before_what_the_client_called() {
        check(Some("https://mainspring.example.com/"), Some("127.0.0.1:7400"), "https://mainspring.example.com");
        check(None, Some("127.0.0.1:7400"), "http://127.0.0.1:7400");
        check(None, Some("[::1]:7400"), "http://[::1]:7400");
        check(None, None, "");
    }

    #[test]
    fn a_passage_is_linked_in_the_text_it_was_cut_from() {
        let source = Source {
            number: 1,
            knowledge: "manual@v2".into(),
            document: "doc_1".into(),
            document_digest: "sha256:ab".into(),
            chunk: "chk_1".into(),
            title: "A".into(),
            uri: "file:///a.md".into(),
            heading_path: Vec::new(),
            page: None,
            start: 3,
            end: 9,
            text: "passage".into(),
            table_head: None,
            scores: mainspring_llm::HitScores::default(),
            cited: true,
        };
        let path = "/knowledge/manual/documents/doc_1?start=3&end=9&digest=sha256:ab";
        assert_eq!(Page::of(Some("https://a.b"), &HeaderMap::new()).passage(&source), format!("https://a.b{path}"));
        assert_eq!(Page::default().passage(&source), path);
    }

    #[test]
    fn what_is_no_host_is_not_put_into_an_address() {
        check(None, Some("a@b"), "");
        check(None, Some("a/b?c"), "");
        check(None, Some("a b"), "");
    }
}
