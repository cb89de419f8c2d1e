//! What people asked, and what they were answered.

use std::{collections::HashSet, time::Duration};

use mainspring_kernel::Timestamp;
use mainspring_lake::{Filter, Scan, Table};
use mainspring_llm::Span;

use super::{
    gather::{drawn, stretch},
    keeping::{LOOK_BACK, around},
    kept::Part,
};
use crate::{
    conventions::{Conversation, Message, Part as Said},
    fault::TraceFault,
    table::{Rows, SPAN},
};

/// Texts of an hour that are embedded, and those of which topics are made.
pub(crate) const HOURLY: usize = 200;
pub(crate) const TRAINED_ON: usize = 1_000;
/// What is said lately is said in this time.
pub(crate) const LATELY: Duration = Duration::from_secs(24 * 3600);
const TEXT_BYTES: usize = 4_000;

/// What topics are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Spoken {
    Asked,
    Answered,
}

impl Spoken {
    pub(crate) const ALL: [Self; 2] = [Self::Asked, Self::Answered];

    pub(crate) fn named(field: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|spoken| spoken.field() == field)
    }

    pub(crate) const fn field(self) -> &'static str {
        match self {
            Self::Asked => "input",
            Self::Answered => "output",
        }
    }

    /// What is kept of its hours, in topics of a version.
    pub(crate) const fn part(self, version: u32) -> Part {
        match self {
            Self::Asked => Part::Topics(version),
            Self::Answered => Part::Answers(version),
        }
    }

    /// Why nothing is said of its topics before they are made.
    pub(crate) const fn unmade(self) -> &'static str {
        match self {
            Self::Asked => "no topics were made yet: that takes a hundred questions and an installed model that embeds",
            Self::Answered => "no topics were made yet: that takes a hundred answers and an installed model that embeds",
        }
    }

    /// Where among what is of no hour its topics of a version lie: those in use beside those that are to come.
    pub(crate) const fn place(self, version: u32) -> i64 {
        self.first() + 2 * (version % 2) as i64
    }

    /// And where it is said that they are compared otherwise than before.
    pub(crate) const fn set_place(self) -> i64 {
        self.first() + PLACES
    }

    const fn first(self) -> i64 {
        match self {
            Self::Asked => 0,
            Self::Answered => 1,
        }
    }
}

/// Topics lie before this one.
pub(crate) const PLACES: i64 = 4;

/// A text, and where it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) trace: String,
    pub(crate) span: String,
    /// Empty: nobody says which.
    pub(crate) release: String,
    pub(crate) text: String,
}

/// Texts of a stretch, evenly drawn; the same ones whenever they are drawn again.
pub(crate) async fn texts(
    table: &dyn Table,
    (project, spoken): (&str, Spoken),
    (from, to): (i64, i64),
    wanted: usize,
) -> Result<Vec<Text>, TraceFault> {
    let among = Filter::eq("project", project).and(Filter::eq("type", "chat")).and(stretch(from, to));
    let count = table.count(among.clone()).await?;
    let mut found = Vec::new();
    let columns: Vec<&str> = SPAN.into_iter().chain(["release"]).collect();
    // Some calls ask nothing in words, so more are drawn than are wanted.
    for draw in [drawn(wanted as f64 * 1.5 / count.max(1) as f64), Filter::All] {
        if count == 0 || !found.is_empty() {
            break;
        }
        for batch in table.scan(Scan::of(among.clone().and(draw)).columns(&columns).limit(wanted * 2)).await? {
            let rows = Rows(&batch);
            for row in 0..batch.num_rows() {
                let release = rows.text("release", row)?.unwrap_or_default();
                found.extend(text_of(&rows.span(row)?, spoken).map(|text| Text { release: release.to_owned(), ..text }));
            }
        }
    }
    found.sort_by(|one, other| one.span.cmp(&other.span));
    found.dedup_by(|later, earlier| later.span == earlier.span);
    found.truncate(wanted);
    Ok(found)
}

/// Those that topics are made of: up to half of them what was said lately, which of a longer time would be a few only.
pub(crate) async fn sample(table: &dyn Table, of: (&str, Spoken), now: Timestamp) -> Result<Vec<Text>, TraceFault> {
    let mut said = texts(table, of, around(now, LATELY), TRAINED_ON / 2).await?;
    let known: HashSet<String> = said.iter().map(|text| text.span.clone()).collect();
    let all = texts(table, of, around(now, LOOK_BACK), TRAINED_ON).await?;
    let others = all.into_iter().filter(|text| !known.contains(&text.span));
    said.extend(others.take(TRAINED_ON - known.len().min(TRAINED_ON)));
    Ok(said)
}

/// The last thing a person said, or the last that was answered.
pub(crate) fn text_of(span: &Span, spoken: Spoken) -> Option<Text> {
    let conversation = Conversation::beginning(span, TEXT_BYTES);
    let last = |messages: &[Message], role: &str| messages.iter().rfind(|message| message.role == role).map(said);
    let text = match spoken {
        Spoken::Asked => conversation.query.clone().or_else(|| last(&conversation.input, "user")),
        Spoken::Answered => last(&conversation.output, "assistant"),
    };
    let text = mainspring_kernel::text::elide(text?.trim(), TEXT_BYTES);
    let (trace, span, release) = (span.trace.to_string(), span.span.to_string(), String::new());
    (!text.is_empty()).then_some(Text { trace, span, release, text })
}

fn said(message: &Message) -> String {
    let texts = message.parts.iter().filter_map(|part| match part {
        Said::Text { content } => Some(content.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn topics_lie_beside_the_next_ones_and_apart_from_all_others() {
        let of = |spoken: Spoken| [spoken.place(3), spoken.place(4), spoken.set_place()];
        let places: BTreeSet<i64> = Spoken::ALL.into_iter().flat_map(of).collect();
        assert_eq!(places.len(), 6, "{places:?}");
        assert!(Spoken::ALL.iter().all(|spoken| spoken.place(7) < PLACES && spoken.set_place() >= PLACES));
        assert_eq!(Spoken::Asked.place(0), 0, "where topics lay before they had versions");
    }
}
