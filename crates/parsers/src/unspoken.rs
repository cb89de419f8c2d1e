//! What in Markdown is written for programs and not for readers: where links lead, backslashes before signs.

use std::{borrow::Cow, ops::Range};

use pulldown_cmark::{Event, Tag, TagEnd};

use crate::build::Builder;

/// Finds these places while Markdown is read.
pub(crate) struct Unspoken<'a> {
    source: &'a [u8],
    cuts: Vec<Range<usize>>,
    /// Links and pictures around the event, innermost last.
    open: Vec<Open>,
    /// Inside code, where a backslash is one.
    verbatim: bool,
    /// Where the event before ended: a backslash before that is a text of its own.
    after: usize,
}

/// A link, and what of it is to be read.
struct Open {
    whole: Range<usize>,
    inner: Option<Range<usize>>,
}

impl<'a> Unspoken<'a> {
    pub(crate) fn of(source: &'a str) -> Self {
        Self { source: source.as_bytes(), cuts: Vec::new(), open: Vec::new(), verbatim: false, after: 0 }
    }

    pub(crate) fn cut(&mut self, range: Range<usize>) {
        if !range.is_empty() {
            self.cuts.push(range);
        }
    }

    pub(crate) fn see(&mut self, event: &Event<'_>, range: &Range<usize>) {
        match event {
            Event::End(TagEnd::Link | TagEnd::Image) => self.end_link(),
            Event::End(tag) => self.verbatim &= !matches!(tag, TagEnd::CodeBlock | TagEnd::MetadataBlock(_)),
            _ => {
                if let Some(open) = self.open.last_mut() {
                    let inner = open.inner.get_or_insert(range.clone());
                    inner.end = inner.end.max(range.end);
                }
            }
        }
        match event {
            Event::Start(Tag::Link { .. } | Tag::Image { .. }) => self.open.push(Open { whole: range.clone(), inner: None }),
            Event::Start(Tag::CodeBlock(_) | Tag::MetadataBlock(_)) => self.verbatim = true,
            Event::Start(_) | Event::End(_) => {}
            Event::Text(_) if !self.verbatim => {
                self.escape(range.start);
                self.after = range.end;
            }
            _ => self.after = range.end,
        }
    }

    fn end_link(&mut self) {
        let Some(Open { whole, inner }) = self.open.pop() else { return };
        match inner {
            Some(inner) => {
                self.cut(whole.start..inner.start);
                self.cut(inner.end..whole.end);
            }
            None => self.cut(whole),
        }
    }

    /// A text that begins behind a backslash begins with the sign that the backslash stands for.
    fn escape(&mut self, start: usize) {
        let Some(before) = start.checked_sub(1).filter(|before| *before >= self.after) else { return };
        // Without its backslash a bar would end a cell of a table.
        let sign = self.source.get(start).is_some_and(|byte| byte.is_ascii_punctuation() && *byte != b'|');
        if sign && self.source[before] == b'\\' {
            self.cut(before..start);
        }
    }

    /// All places, ascending and apart.
    pub(crate) fn places(mut self) -> Vec<(usize, usize)> {
        self.cuts.sort_unstable_by_key(|cut| (cut.start, cut.end));
        let mut places: Vec<(usize, usize)> = Vec::new();
        for cut in self.cuts {
            match places.last_mut() {
                Some((_, end)) if cut.start <= *end => *end = cut.end.max(*end),
                _ => places.push((cut.start, cut.end)),
            }
        }
        places
    }
}

/// A stretch of a text without these places; all of it when nothing else would be left.
pub(crate) fn without<'a>(text: &'a str, range: Range<usize>, places: &[(usize, usize)]) -> Cow<'a, str> {
    let whole = text.get(range.clone()).unwrap_or_default();
    let first = places.partition_point(|(_, end)| *end <= range.start);
    let inside = || places[first..].iter().take_while(|(start, _)| *start < range.end);
    if inside().next().is_none() {
        return Cow::Borrowed(whole);
    }
    let mut spoken = String::with_capacity(whole.len());
    let mut at = range.start;
    for (start, end) in inside() {
        spoken.push_str(text.get(at..(*start).max(at)).unwrap_or_default());
        at = (*end).max(at);
    }
    spoken.push_str(text.get(at..range.end.max(at)).unwrap_or_default());
    if spoken.trim().is_empty() { Cow::Borrowed(whole) } else { Cow::Owned(spoken) }
}

/// Takes these places out of a builder's text; blocks and links keep to what they were.
pub(crate) fn drop_from(builder: &mut Builder) {
    let places = std::mem::take(&mut builder.unspoken);
    if places.is_empty() {
        return;
    }
    let mut text = String::with_capacity(builder.text.len());
    // Where each place begins in the new text, in the order of the places.
    let mut begins = Vec::with_capacity(places.len());
    let mut at = 0;
    for (start, end) in &places {
        text.push_str(&builder.text[at..*start]);
        begins.push(text.len());
        at = *end;
    }
    text.push_str(&builder.text[at..]);
    let moved = |byte: usize| match places.partition_point(|(start, _)| *start <= byte).checked_sub(1) {
        Some(index) => begins[index] + byte.saturating_sub(places[index].1),
        None => byte,
    };
    builder.blocks.retain_mut(|block| {
        (block.start, block.end) = (moved(block.start), moved(block.end));
        let inner = &text[block.range()];
        let end = block.start + inner.trim_end().len();
        block.start += inner.len() - inner.trim_start_matches('\n').len();
        block.end = end;
        block.start < block.end
    });
    for link in &mut builder.links {
        link.place = link.place.map(|(start, end)| (moved(start), moved(end))).filter(|(start, end)| start < end);
    }
    builder.text = text;
}
