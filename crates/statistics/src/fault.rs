/// Why a sketch cannot be read, or two cannot be put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SketchFault {
    #[error("the bytes are no {what}")]
    Unreadable { what: &'static str },
    #[error("the bytes of the {what} have format {found}, and this build reads up to {known}")]
    Newer { what: &'static str, found: u8, known: u8 },
    /// They were made with other features, clusters or dimensions.
    #[error("the two {what} were not made alike")]
    Unlike { what: &'static str },
}

impl SketchFault {
    /// A stable code with a page in `docs/errors/`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "sketch-unreadable",
            Self::Newer { .. } => "sketch-newer",
            Self::Unlike { .. } => "sketch-unlike",
        }
    }
}
