//! Which limits hold for a call.

use std::collections::HashMap;

use mainspring_kernel::id::ProjectId;

use super::limit::{EACH, Limit, Metric, SubjectKind};
use crate::record::Caller;

/// Every limit of every project, ready for look-ups.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Book {
    projects: HashMap<ProjectId, Vec<Group>>,
    budgets: usize,
}

/// The limits of one project on one thing for one kind of subject.
#[derive(Debug, PartialEq, Eq)]
struct Group {
    kind: SubjectKind,
    metric: Metric,
    each: Option<Limit>,
    named: HashMap<String, Limit>,
}

/// A limit, and the subject it holds for here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holds<'b> {
    pub(crate) limit: &'b Limit,
    pub(crate) subject: &'b str,
}

/// What limits look at of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subjects<'c> {
    pub(crate) project: ProjectId,
    pub(crate) key: &'c str,
    pub(crate) principal: &'c str,
    pub(crate) user: &'c str,
    pub(crate) model: &'c str,
}

/// The texts behind `Subjects`.
#[derive(Debug)]
pub(crate) struct Named {
    project: ProjectId,
    key: String,
    principal: String,
    user: String,
    model: String,
}

impl Named {
    /// `model` is what limits by model count.
    pub(crate) fn of(caller: &Caller, model: &str) -> Self {
        Self {
            project: caller.project,
            key: caller.key.map(|key| key.to_string()).unwrap_or_default(),
            principal: caller.principal.to_string(),
            user: caller.user.clone().unwrap_or_default(),
            model: model.to_owned(),
        }
    }

    pub(crate) fn subjects(&self) -> Subjects<'_> {
        let Self { project, key, principal, user, model } = self;
        Subjects { project: *project, key, principal, user, model }
    }
}

impl<'c> Subjects<'c> {
    const fn of(&self, kind: SubjectKind) -> &'c str {
        match kind {
            SubjectKind::Project => EACH,
            SubjectKind::Key => self.key,
            SubjectKind::Principal => self.principal,
            SubjectKind::User => self.user,
            SubjectKind::Model => self.model,
        }
    }
}

impl Book {
    pub(crate) fn of(limits: Vec<Limit>) -> Self {
        let mut book = Self::default();
        for limit in limits {
            book.budgets += usize::from(limit.metric.span().is_some());
            let groups = book.projects.entry(limit.project).or_default();
            let at = groups.iter().position(|group| group.kind == limit.kind && group.metric == limit.metric);
            let at = at.unwrap_or_else(|| {
                groups.push(Group { kind: limit.kind, metric: limit.metric, each: None, named: HashMap::new() });
                groups.len() - 1
            });
            if limit.subject == EACH {
                groups[at].each = Some(limit);
            } else {
                groups[at].named.insert(limit.subject.clone(), limit);
            }
        }
        book
    }

    /// The limits that hold for a call: of each kind and metric the one that names the subject, or else the one for each.
    pub(crate) fn holding<'b>(&'b self, subjects: Subjects<'b>) -> impl Iterator<Item = Holds<'b>> {
        self.projects.get(&subjects.project).into_iter().flatten().filter_map(move |group| {
            let subject = subjects.of(group.kind);
            let limit = group.named.get(subject).or(group.each.as_ref())?;
            Some(Holds { limit, subject })
        })
    }

    /// The limit that holds for one subject, as it is now.
    pub(crate) fn find(&self, project: ProjectId, (kind, metric): (SubjectKind, Metric), subject: &str) -> Option<&Limit> {
        let group = self.projects.get(&project)?.iter().find(|group| group.kind == kind && group.metric == metric)?;
        group.named.get(subject).or(group.each.as_ref())
    }

    pub(crate) const fn has_budgets(&self) -> bool {
        self.budgets > 0
    }
}

#[cfg(test)]
mod tests {
    use mainspring_kernel::{
        Timestamp,
        id::{ApiKeyId, LimitId, PrincipalId, ProjectId},
    };

    use super::{Book, Named};
    use crate::{
        ledger::limit::{Amount, Limit, Metric, SubjectKind},
        record::Caller,
    };

    fn limit(kind: SubjectKind, subject: &str, metric: Metric, count: u64) -> Limit {
        Limit {
            id: LimitId::from_raw(count.into()),
            project: ProjectId::from_raw(1),
            kind,
            subject: subject.to_owned(),
            metric,
            amount: Amount::Count(count),
            created: Timestamp::default(),
            created_by: PrincipalId::from_raw(1),
        }
    }

    #[track_caller]
    fn check(book: &Book, caller: &Caller, model: &str, expected: &[(u64, &str)]) {
        let named = Named::of(caller, model);
        let mut found: Vec<(u64, String)> = book
            .holding(named.subjects())
            .map(|holds| (u64::try_from(holds.limit.amount.units()).unwrap(), holds.subject.to_owned()))
            .collect();
        found.sort();
        let expected: Vec<(u64, String)> = expected.iter().map(|(count, subject)| (*count, (*subject).to_owned())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_limit_that_names_a_subject_comes_before_the_one_for_each() {
        use Metric::{Concurrent, RequestsPerMinute};
        let book = Book::of(vec![
            limit(SubjectKind::Project, "*", RequestsPerMinute, 1),
            limit(SubjectKind::User, "*", RequestsPerMinute, 2),
            limit(SubjectKind::User, "ann", RequestsPerMinute, 3),
            limit(SubjectKind::User, "ann", Concurrent, 4),
            limit(SubjectKind::Model, "gpt-4o", RequestsPerMinute, 5),
        ]);
        let caller = |project: u128, user: Option<&str>| Caller {
            project: ProjectId::from_raw(project),
            principal: PrincipalId::from_raw(1),
            key: Some(ApiKeyId::from_raw(1)),
            user: user.map(str::to_owned),
            app: None,
            line_of: None,
        };
        check(&book, &caller(1, Some("ann")), "gpt-4o", &[(1, "*"), (3, "ann"), (4, "ann"), (5, "gpt-4o")]);
        check(&book, &caller(1, Some("bob")), "other", &[(1, "*"), (2, "bob")]);
        // Whoever names no user is not free of the limit for each.
        check(&book, &caller(1, None), "other", &[(1, "*"), (2, "")]);
        check(&book, &caller(2, Some("ann")), "gpt-4o", &[]);
        assert!(!book.has_budgets());
    }
}
