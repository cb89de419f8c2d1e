//! Who is told of incidents, and of what nobody is told for a while.

use axum::{Json, extract::State};
use mainspring_alerts::{AlertFault, Matcher, MatcherFault, NewSilence, Receiver, Silence, Tested};
use mainspring_kernel::{AssetRef, Role, Selector, Timestamp, duration, id::SilenceId, text};
use mainspring_web_kit::{Answer, Body, Caller, Paging, Path, Problem, Query};
use mainspring_wire as wire;
use serde::Deserialize;

use crate::{
    Rest,
    assets::{self, Names},
};

fn receiver(receiver: Receiver) -> wire::ReceiverView {
    let Receiver { name, version, digest: _, spec, standing } = receiver;
    wire::ReceiverView {
        name: name.to_string(),
        version,
        way: spec.map(|spec| spec.way().to_owned()),
        pending: standing.pending,
        failed: standing.failed,
        delivered_at: standing.delivered.map(|at| at.to_string()),
        error: standing.error,
    }
}

/// Lists receivers by name, with how their deliveries stand.
#[utoipa::path(get, path = "/api/v1/receivers", tag = "incidents", operation_id = "list_receivers",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::ReceiverView>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::ReceiverView>>> {
    let actor = caller.needs(Role::Reader)?;
    let found = rest.alerts.receivers(actor, &page).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(receiver).collect(), next: found.next }))
}

/// Sends a notice that says it is a test, once and at once, and answers what happened.
#[utoipa::path(post, path = "/api/v1/receivers/{name}/test", tag = "incidents", operation_id = "test_receiver",
    params(("name" = String, Path)), responses((status = 200, body = wire::ReceiverTest)))]
pub(crate) async fn test(State(rest): State<Rest>, caller: Caller, Path(name): Path<String>) -> Answer<Json<wire::ReceiverTest>> {
    let actor = caller.needs(Role::Editor)?;
    let receiver = AssetRef { name: assets::name(&name)?, selector: Selector::Latest };
    let Tested { arrived, status, message, began, ended } = rest.alerts.test(actor, &receiver).await?;
    let took_ms = u64::try_from(ended.since(began).as_millis()).unwrap_or(u64::MAX);
    Ok(Json(wire::ReceiverTest { arrived, status, message, took_ms }))
}

fn silence(silence: Silence, names: &Names, now: Timestamp) -> wire::SilenceView {
    let Silence { id, project: _, matchers, starts, ends, comment, created, created_by } = silence;
    wire::SilenceView {
        id: id.to_string(),
        matchers: matchers.iter().map(ToString::to_string).collect(),
        starts_at: starts.to_string(),
        ends_at: ends.to_string(),
        comment,
        created_at: created.to_string(),
        created_by: names.get(created_by),
        active: starts <= now && now < ends,
    }
}

async fn one(rest: &Rest, found: Silence) -> Answer<Json<wire::SilenceView>> {
    let names = Names::of(rest, vec![found.created_by]).await?;
    Ok(Json(silence(found, &names, rest.clock.now())))
}

/// What was asked for, as the room takes it.
fn wished(asked: wire::NewSilence, now: Timestamp) -> Answer<NewSilence> {
    let wrong = |detail: String| Problem::of(&AlertFault::BadSilence { reason: detail });
    let wire::NewSilence { matchers, starts_at, ends_at, lasts, comment } = asked;
    let matchers = matchers.iter().map(|matcher| matcher.parse());
    let matchers = matchers.collect::<Result<Vec<Matcher>, MatcherFault>>().map_err(|fault| wrong(fault.to_string()))?;
    let moment = |given: &str| {
        Timestamp::parse(given).ok_or_else(|| wrong(format!("`{}` is no time by RFC 3339", text::elide(given, 40))))
    };
    let starts = starts_at.as_deref().map(moment).transpose()?;
    let ends = match (ends_at, lasts) {
        (Some(ends), None) => moment(&ends)?,
        (None, Some(lasts)) => {
            let given = || format!("`{}` is no time: write a whole number and s, m, h or d", text::elide(&lasts, 40));
            starts.unwrap_or(now).plus(duration::read(&lasts).ok_or_else(|| wrong(given()))?)
        }
        _ => return Err(wrong("give either `ends_at` or `for`".to_owned())),
    };
    Ok(NewSilence { matchers, starts, ends, comment })
}

#[derive(Debug, Deserialize)]
pub(crate) struct SilencesQuery {
    #[serde(default)]
    ended: bool,
}

/// Lists silences that have not ended, newest first, or with `ended=true` all of them.
#[utoipa::path(get, path = "/api/v1/silences", tag = "incidents", operation_id = "list_silences",
    params(("ended" = Option<bool>, Query), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::SilenceView>)))]
pub(crate) async fn silences(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<SilencesQuery>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::SilenceView>>> {
    let actor = caller.needs(Role::Reader)?;
    let found = rest.alerts.silences(actor, query.ended, &page).await?;
    let names = Names::of(&rest, found.items.iter().map(|silence| silence.created_by).collect()).await?;
    let now = rest.clock.now();
    Ok(Json(wire::Page { items: found.items.into_iter().map(|found| silence(found, &names, now)).collect(), next: found.next }))
}

/// Tells nobody of alerts for which all matchers hold, for a while.
#[utoipa::path(post, path = "/api/v1/silences", tag = "incidents", operation_id = "create_silence",
    request_body = wire::NewSilence, responses((status = 200, body = wire::SilenceView)))]
pub(crate) async fn create_silence(
    State(rest): State<Rest>,
    caller: Caller,
    Body(body): Body<wire::NewSilence>,
) -> Answer<Json<wire::SilenceView>> {
    let actor = caller.needs(Role::Editor)?;
    let made = rest.alerts.silence(actor, wished(body, rest.clock.now())?).await?;
    one(&rest, made).await
}

/// Ends a silence now. What it has hidden and still goes on is told of within seconds.
#[utoipa::path(delete, path = "/api/v1/silences/{id}", tag = "incidents", operation_id = "end_silence",
    params(("id" = String, Path)), responses((status = 200, body = wire::SilenceView)))]
pub(crate) async fn end_silence(
    State(rest): State<Rest>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Json<wire::SilenceView>> {
    let actor = caller.needs(Role::Editor)?;
    let id: SilenceId = id.parse().map_err(|_| Problem::of(&AlertFault::SilenceNotFound { id: text::elide(&id, 80) }))?;
    let ended = rest.alerts.unsilence(actor, id).await?;
    one(&rest, ended).await
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(matchers: &[&str], ends_at: Option<&str>, lasts: Option<&str>) -> Answer<NewSilence> {
        let asked = wire::NewSilence {
            matchers: matchers.iter().map(|matcher| (*matcher).to_owned()).collect(),
            starts_at: None,
            ends_at: ends_at.map(str::to_owned),
            lasts: lasts.map(str::to_owned),
            comment: String::new(),
        };
        wished(asked, Timestamp::from_micros(0))
    }

    #[test]
    fn a_silence_ends_at_a_time_or_after_a_while() {
        assert_eq!(asked(&["a=b"], None, Some("2h")).unwrap().ends.as_seconds(), 7_200);
        assert_eq!(asked(&["a=b"], Some("1970-01-01T00:00:07Z"), None).unwrap().ends.as_seconds(), 7);
        for wrong in [
            asked(&["a=b"], None, None),
            asked(&["a=b"], Some("1970-01-01T00:00:07Z"), Some("2h")),
            asked(&["a=b"], None, Some("soon")),
            asked(&["a=b"], Some("tomorrow"), None),
            asked(&["ab"], None, Some("2h")),
        ] {
            assert_eq!(wrong.unwrap_err().code, "silence-invalid");
        }
    }

    proptest! {
        #[test]
        fn any_wish_is_read_or_refused(matcher in "\\PC{0,20}", ends in "\\PC{0,20}|2026-01-0[0-9]T.{0,10}", lasts in "[0-9]{0,25}[smhd]?") {
            let _ = asked(&[&matcher], Some(&ends), None);
            let _ = asked(&["a=b"], None, Some(&lasts));
        }
    }
}
