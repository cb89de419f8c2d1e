use super::Lost;

/// What cannot be said, each field once.
#[derive(Debug, Default)]
pub(crate) struct Losses(Vec<Lost>);

impl Losses {
    pub(crate) fn note(&mut self, field: impl Into<String>, why: &'static str) {
        let lost = Lost { field: field.into(), why };
        if !self.0.contains(&lost) {
            self.0.push(lost);
        }
    }

    /// Fields that have names of their own.
    pub(crate) fn all(&mut self, lost: impl Iterator<Item = Lost>) {
        self.0.extend(lost);
    }

    pub(crate) fn into_vec(self) -> Vec<Lost> {
        self.0
    }
}
