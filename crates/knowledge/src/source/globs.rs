//! Globs over paths within a source.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

/// A set of patterns. `*.md` means in every folder, `docs/` means everything below, `*` stays within a folder.
#[derive(Debug, Clone)]
pub(crate) struct Globs {
    set: GlobSet,
    empty: bool,
}

const LONGEST: usize = 1000;

impl Globs {
    pub(crate) fn new(patterns: &[String]) -> Result<Self, String> {
        let mut builder = GlobSetBuilder::new();
        for pattern in patterns {
            for glob in compile(pattern)? {
                builder.add(glob);
            }
        }
        let set = builder.build().map_err(|fault| fault.to_string())?;
        Ok(Self { set, empty: patterns.is_empty() })
    }

    #[must_use]
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.set.is_match(path)
    }

    #[must_use]
    pub(crate) const fn is_empty(&self) -> bool {
        self.empty
    }
}

fn compile(pattern: &str) -> Result<Vec<Glob>, String> {
    if pattern.is_empty() || pattern.len() > LONGEST {
        return Err(format!("a pattern has 1 to {LONGEST} bytes"));
    }
    let anchored = pattern.trim_start_matches("./");
    let anchored = anchored.strip_prefix('/').unwrap_or(anchored);
    let body = anchored.trim_end_matches('/');
    let anywhere = if body.contains('/') || body == "**" { body.to_owned() } else { format!("**/{body}") };
    let mut globs = Vec::new();
    if !anchored.ends_with('/') {
        globs.push(glob(&anywhere)?);
    }
    // A pattern that names a folder takes what is below it.
    globs.push(glob(&format!("{anywhere}/**"))?);
    Ok(globs)
}

fn glob(pattern: &str) -> Result<Glob, String> {
    GlobBuilder::new(pattern).literal_separator(true).build().map_err(|fault| fault.kind().to_string())
}

/// What is taken of a source.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    include: Globs,
    exclude: Globs,
}

impl Selection {
    pub(crate) fn new(include: &[String], exclude: &[String]) -> Result<Self, String> {
        Ok(Self { include: Globs::new(include)?, exclude: Globs::new(exclude)? })
    }

    #[must_use]
    pub(crate) fn takes(&self, path: &str) -> bool {
        (self.include.is_empty() || self.include.matches(path)) && !self.exclude.matches(path)
    }

    /// Whether everything below a folder is excluded, so that it need not be walked.
    #[must_use]
    pub(crate) fn excludes_folder(&self, path: &str) -> bool {
        self.exclude.matches(path)
    }
}
