//! Whose releases are compared.
//!
//! Each service counts its versions by itself: the newest release of one beside the newest of another is no comparison. So
//! where nobody names a service, the releases are those of the only one that has any, and where several do, none are compared.
//! The same goes for the apps of this server (`senders.rs`), where no service has releases.

use std::collections::BTreeSet;

use mainspring_kernel::Actor;
use mainspring_lake::{Aggregate, Filter, MeasureOf, Order};

use super::{
    Against, Drift, DriftQuestion, LONGEST,
    gather::stretch,
    report::{Collected, Releases},
};
use crate::{
    fault::TraceFault,
    query::seen,
    senders::{app_of, sender},
    table::Rows,
};

/// Services that a refusal can name, those with the most spans.
const SENDERS: usize = 20;

/// Whose spans are compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Owner {
    /// Or the app. None: all services together. Empty: programs that do not say which service they are.
    service: Option<String>,
    /// Whether there are others, whose spans are left out.
    apart: bool,
}

impl Owner {
    /// The only service that is looked at, where not all spans are.
    pub(super) fn apart(&self) -> Option<&str> {
        self.service.as_deref().filter(|_| self.apart)
    }

    /// The name of the service, for whoever reads the answer.
    pub(super) fn name(self) -> Option<String> {
        self.service.filter(|service| !service.is_empty())
    }
}

impl Drift {
    /// The service that is named, or whose releases are meant.
    pub(super) async fn owner(
        &self,
        actor: &Actor,
        question: &DriftQuestion,
        (from, to): (i64, i64),
    ) -> Result<Owner, TraceFault> {
        let asked = match (&question.against, &question.service) {
            (Against::Release(asked), None) => asked,
            (_, service) => return Ok(Owner { service: service.clone(), apart: service.is_some() }),
        };
        let senders = self.senders(actor, stretch(from, to)).await?;
        let names: Vec<&str> = asked.named().collect();
        if senders.len() > 1 && !names.is_empty() {
            let theirs = self.senders(actor, stretch(from, to).and(Filter::any_of("release", names))).await?;
            if !theirs.is_empty() {
                return only(theirs, true);
            }
        }
        let apart = senders.len() > 1;
        only(senders, apart)
    }

    /// Refuses two releases of which scores alone are known, if others than the owner sent their spans: what was said of a
    /// trace today may be said of one that began before the stretch.
    pub(super) async fn check_scored(
        &self,
        actor: &Actor,
        (owner, collected): (&Owner, &Collected),
        (before, after): (&str, &str),
        (from, to): (i64, i64),
    ) -> Result<(), TraceFault> {
        let unseen: Vec<&str> = [before, after].into_iter().filter(|release| collected.scored.contains(*release)).collect();
        if owner.apart || unseen.is_empty() {
            return Ok(());
        }
        let back = i64::try_from(LONGEST.as_micros()).unwrap_or(i64::MAX);
        let among = stretch(from.saturating_sub(back), to).and(Filter::any_of("release", unseen));
        let mut senders = self.senders(actor, among).await?;
        senders.extend(owner.service.clone());
        if senders.len() > 1 { Err(several(senders)) } else { Ok(()) }
    }

    /// The services and apps that sent spans of a release, as far as the actor may see them.
    async fn senders(&self, actor: &Actor, among: Filter) -> Result<BTreeSet<String>, TraceFault> {
        let asking = self.room.asking(actor, self.room.now());
        let among = seen(asking, asking.project().and(Filter::present("release")).and(among)).await?;
        let asked = Aggregate::of(among).by("service").by("app").measure("rows", MeasureOf::Rows);
        let grouped = asking.table.aggregate(asked.order("rows", Order::Descending).limit(SENDERS)).await?;
        let mut senders = BTreeSet::new();
        for batch in &grouped.batches {
            let rows = Rows(batch);
            for row in 0..batch.num_rows() {
                senders.insert(sender(rows.text("service", row)?, rows.text("app", row)?).unwrap_or_default());
            }
        }
        Ok(senders)
    }
}

/// The only one of these. A service goes before the apps of this server, which have versions whether anybody looks at them or not,
/// and one that says its name before those that do not.
fn only(senders: BTreeSet<String>, apart: bool) -> Result<Owner, TraceFault> {
    let named = senders.iter().filter(|sender| !sender.is_empty()).cloned();
    let (apps, services): (Vec<String>, Vec<String>) = named.partition(|sender| app_of(sender).is_some());
    let meant = if services.is_empty() { apps } else { services };
    match meant.as_slice() {
        [] => Ok(Owner { service: senders.into_iter().next(), apart }),
        [one] => Ok(Owner { service: Some(one.clone()), apart }),
        _ => Err(several(senders)),
    }
}

fn several(senders: BTreeSet<String>) -> TraceFault {
    TraceFault::SeveralServices { services: senders.into_iter().filter(|sender| !sender.is_empty()).collect() }
}

impl Releases {
    fn named(&self) -> impl Iterator<Item = &str> {
        self.reference.iter().chain(&self.current).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_service_is_meant_and_of_several_none() {
        let of = |senders: &[&str], apart: bool| only(senders.iter().map(|sender| (*sender).to_owned()).collect(), apart);
        let owner = |service: &str, apart: bool| Some(Owner { service: Some(service.to_owned()), apart });
        assert_eq!(of(&[], false).ok(), Some(Owner::default()));
        assert_eq!(of(&["shop"], false).ok(), owner("shop", false));
        assert_eq!(of(&["", "shop"], true).ok(), owner("shop", true), "the versions of nameless programs are left out");
        assert_eq!(of(&[""], true).ok(), owner("", true));
        assert_eq!(of(&[""], true).ok().and_then(Owner::name), None);
        let Err(TraceFault::SeveralServices { services }) = of(&["", "shop", "desk"], true) else { panic!("there are two") };
        assert_eq!(services, ["desk", "shop"]);
        assert_eq!(of(&["app/manual"], false).ok(), owner("app/manual", false));
        assert_eq!(of(&["app/manual", "app/other", "shop"], true).ok(), owner("shop", true), "apps stand in nobody's way");
        let Err(TraceFault::SeveralServices { services }) = of(&["", "app/manual", "app/other"], true) else {
            panic!("there are two apps")
        };
        assert_eq!(services, ["app/manual", "app/other"]);
    }
}
