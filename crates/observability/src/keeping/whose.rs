//! Which spans an erasure is about.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashSet},
};

use mainspring_kernel::{Digest, id::ProjectId};
use mainspring_llm::{Span, TraceId};

use super::model::{Subject, document_mark, trace_mark};
use crate::{
    conventions::persons::{sessions_in, users_in},
    forget::{documents_of, mentions},
    sampling::Key,
};

/// What is known of an erasure where its spans are looked for.
#[derive(Debug)]
pub(crate) struct Whose {
    project: ProjectId,
    who: Who,
}

#[derive(Debug)]
enum Who {
    /// Under way: with the traces that were found of it so far.
    Known { subject: Subject, traces: HashSet<String> },
    /// Done: nothing says any longer who it was, but they are known again.
    Done { kind: String, fingerprint: Digest, marks: HashSet<Digest> },
}

/// What was found of an erasure on a disk.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) traces: BTreeSet<String>,
    /// Of a user.
    pub(crate) sessions: BTreeSet<String>,
}

impl Whose {
    pub(crate) fn known(project: ProjectId, subject: Subject, traces: HashSet<String>) -> Self {
        Self { project, who: Who::Known { subject, traces } }
    }

    pub(super) fn done(project: ProjectId, (kind, fingerprint): (String, Digest), marks: HashSet<Digest>) -> Self {
        Self { project, who: Who::Done { kind, fingerprint, marks } }
    }

    /// Traces that used a document stay, without what was written and read.
    fn strips(&self) -> bool {
        match &self.who {
            Who::Known { subject, .. } => matches!(subject, Subject::Document { .. }),
            Who::Done { kind, .. } => kind == "document",
        }
    }

    /// Words of which one stands in a file that may hold something of it. None where nobody knows them any longer.
    pub(super) fn words(&self) -> Option<Vec<String>> {
        let Who::Known { subject, traces } = &self.who else { return None };
        let word = match subject {
            Subject::Document { document, .. } => document.clone(),
            // As it stands in JSON.
            subject => serde_json::Value::from(subject.text()).to_string(),
        };
        Some(traces.iter().cloned().chain([word]).collect())
    }

    fn names(&self, span: &Span) -> bool {
        let of = |subject: Subject, fingerprint: &Digest| subject.fingerprint(self.project) == *fingerprint;
        match &self.who {
            Who::Known { subject, .. } => match subject {
                Subject::User(user) => users_in(&span.attributes).any(|said| said == user.as_str()),
                Subject::Session(session) => sessions_in(&span.attributes).any(|said| said == session.as_str()),
                Subject::Trace(trace) => span.trace.to_string() == *trace,
                Subject::Document { document, .. } => mentions(span, std::slice::from_ref(document)),
            },
            Who::Done { kind, fingerprint, marks } => match kind.as_str() {
                "user" => users_in(&span.attributes).any(|user| of(Subject::User(user.into_owned()), fingerprint)),
                "session" => sessions_in(&span.attributes).any(|session| of(Subject::Session(session.into_owned()), fingerprint)),
                "trace" => of(Subject::Trace(span.trace.to_string()), fingerprint),
                _ => documents_of(span).iter().any(|document| marks.contains(&document_mark(self.project, document))),
            },
        }
    }

    /// Whether others have found a trace to be of it: it goes whole, since a span that shows what somebody said need not
    /// name them.
    fn has(&self, trace: TraceId) -> bool {
        match &self.who {
            Who::Known { traces, .. } => !traces.is_empty() && traces.contains(&trace.to_string()),
            Who::Done { marks, .. } => !marks.is_empty() && marks.contains(&trace_mark(self.project, &trace.to_string())),
        }
    }

    /// The same of a trace of any project.
    pub(crate) fn is_about(&self, (project, trace): &Key) -> bool {
        self.project == *project && self.has(*trace)
    }

    fn sessions_of(&self, span: &Span) -> Vec<String> {
        let of_user = match &self.who {
            Who::Known { subject, .. } => matches!(subject, Subject::User(_)),
            Who::Done { .. } => false,
        };
        if of_user { sessions_in(&span.attributes).map(Cow::into_owned).collect() } else { Vec::new() }
    }
}

/// Looks among spans for those that erasures are about.
#[derive(Debug)]
pub(crate) struct Search<'w> {
    whose: &'w [Whose],
    found: Vec<Found>,
    goes: HashSet<Key>,
    strips: HashSet<Key>,
}

/// What is to be done with traces.
#[derive(Debug)]
pub(crate) struct Searched {
    pub(crate) goes: HashSet<Key>,
    /// They stay, without what was written and read.
    pub(crate) strips: HashSet<Key>,
    /// What names whom they are of, for each erasure.
    pub(crate) found: Vec<Found>,
}

impl<'w> Search<'w> {
    pub(crate) fn of(whose: &'w [Whose]) -> Self {
        Self { whose, found: vec![Found::default(); whose.len()], goes: HashSet::new(), strips: HashSet::new() }
    }

    pub(crate) fn look(&mut self, span: &Span) {
        for (whose, found) in self.whose.iter().zip(&mut self.found).filter(|(whose, _)| whose.project == span.project) {
            if whose.names(span) {
                found.traces.insert(span.trace.to_string());
                found.sessions.extend(whose.sessions_of(span));
            } else if !whose.has(span.trace) {
                continue;
            }
            let which = if whose.strips() { &mut self.strips } else { &mut self.goes };
            which.insert((span.project, span.trace));
        }
    }

    pub(crate) fn end(self) -> Searched {
        Searched { goes: self.goes, strips: self.strips, found: self.found }
    }
}

#[cfg(test)]
mod tests {
    use mainspring_kernel::Timestamp;
    use mainspring_llm::{
        SpanId,
        trace::{SpanKind, SpanStatus},
    };
    use serde_json::{Value, json};

    use super::*;

    fn span(attributes: Value) -> Span {
        let Value::Object(attributes) = attributes else { panic!("attributes are an object") };
        let at = Timestamp::from_micros(1);
        Span {
            project: ProjectId::from_raw(7),
            trace: TraceId::random(),
            span: SpanId::random(),
            parent: None,
            name: "x".into(),
            kind: SpanKind::Internal,
            start: at,
            end: at,
            status: SpanStatus::Unset,
            attributes,
            events: Vec::new(),
            links: Vec::new(),
        }
    }

    #[test]
    fn somebody_is_known_under_every_name_while_it_is_said_and_after() {
        let project = ProjectId::from_raw(7);
        let (user, session) = (Subject::User("ada".into()), Subject::Session("c-1".into()));
        let whose = [
            Whose::known(project, user.clone(), HashSet::new()),
            Whose::done(project, ("user".into(), user.fingerprint(project)), HashSet::new()),
            Whose::known(project, session.clone(), HashSet::new()),
            Whose::done(project, ("session".into(), session.fingerprint(project)), HashSet::new()),
        ];
        for (attributes, wanted) in [
            (json!({ "user.id": "4711", "langfuse.user.id": "ada" }), [true, true, false, false]),
            (json!({ "user.id": "ada", "session.id": "c-2" }), [true, true, false, false]),
            (json!({ "enduser.id": "\"ada\"", "langfuse.session.id": "c-1", "session.id": "c-2" }), [true; 4]),
            (json!({ "user.id": "adam", "author": "ada", "note": "c-1" }), [false; 4]),
        ] {
            let span = span(attributes);
            assert_eq!(whose.each_ref().map(|whose| whose.names(&span)), wanted, "{:?}", span.attributes);
        }
        let found = span(json!({ "user.id": "ada", "langfuse.session.id": "c-1", "session.id": "c-2" }));
        let mut sessions = whose[0].sessions_of(&found);
        sessions.sort();
        assert_eq!(sessions, ["c-1", "c-2"]);
    }
}
