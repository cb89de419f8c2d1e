//! What of a request can cost more than plain text, as far as its bytes show without being read.

use std::sync::LazyLock;

use memchr::memmem::{self, Finder};

/// What is to be cached is marked with one of these.
static MARKS: LazyLock<[Finder<'static>; 2]> = LazyLock::new(|| ["cache_control", "cachePoint"].map(Finder::new));
/// For how long, where that is not the usual time.
static TIME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("ttl"));
/// Whatever brings sounds, pictures, films or files has one of these in its name, in every dialect.
static MEDIA: LazyLock<[Finder<'static>; 9]> =
    LazyLock::new(|| ["image", "audio", "video", "file", "media", "document", "inline", "pdf", "url"].map(Finder::new));

/// How quickly it is to be served.
static TIERS: LazyLock<[Finder<'static>; 2]> = LazyLock::new(|| ["service_tier", "serviceTier"].map(Finder::new));

/// Which rates beside those of plain text a request may be charged. A word that only a text says counts like one that asks
/// for something: too much is set aside then, and never too little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incurs {
    /// Parts of it are to be cached.
    pub(crate) marked: bool,
    /// For a time that it names.
    pub(crate) timed: bool,
    /// It may bring more than text.
    pub(crate) media: bool,
    /// It says how quickly it is to be served.
    pub(crate) served: bool,
}

impl Incurs {
    /// Nobody has looked.
    pub const ALL: Self = Self { marked: true, timed: true, media: true, served: true };

    /// Of a request's JSON.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        if hides_letters(body) {
            return Self::ALL;
        }
        let has = |words: &[Finder<'_>]| words.iter().any(|word| word.find(body).is_some());
        let marked = has(MARKS.as_slice());
        let timed = marked && TIME.find(body).is_some();
        Self { marked, timed, media: has(MEDIA.as_slice()), served: has(TIERS.as_slice()) }
    }

    /// Of two that go out as one.
    #[must_use]
    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            marked: self.marked || other.marked,
            timed: self.timed || other.timed,
            media: self.media || other.media,
            served: self.served || other.served,
        }
    }
}

/// Whether letters of ASCII are written as escapes, which no program does by itself: `\u0061` is an `a`.
fn hides_letters(body: &[u8]) -> bool {
    memmem::find_iter(body, "\\u00").any(|at| matches!(body.get(at + 4), Some(b'4'..=b'7')))
}
