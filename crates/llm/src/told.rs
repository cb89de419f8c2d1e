//! What is told of calls beside their answers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainspring_kernel::Money;

use crate::ending::Ending;

/// Whoever asks keeps one end, and reads it when an answer has begun or is complete; whoever answers writes into the other.
#[derive(Debug, Clone, Default)]
pub struct Told {
    facts: Arc<Mutex<Facts>>,
    ending: Ending,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Headers for the client; of each name what was said last.
    pub headers: Vec<(String, String)>,
    /// Of all calls that are complete and have a price, together; absent where there is none.
    pub cost: Option<Money>,
}

impl Told {
    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn say(&self, name: &str, value: &str) {
        let mut facts = self.lock();
        facts.headers.retain(|(said, _)| said != name);
        facts.headers.push((name.to_owned(), value.to_owned()));
    }

    /// A call is complete, and cost so much.
    pub fn costs(&self, cost: Money) {
        *self.lock().cost.get_or_insert_default() += cost;
    }

    /// How the answer ended, where it comes in pieces.
    #[must_use]
    pub const fn ending(&self) -> &Ending {
        &self.ending
    }

    /// What was told so far.
    #[must_use]
    pub fn facts(&self) -> Facts {
        self.lock().clone()
    }
}

impl PartialEq for Told {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.facts, &other.facts) || self.facts() == other.facts()
    }
}
