//! What an operation came to.

use causeway_model::{Key, Record, Write};

/// The result of an operation that was carried out. The dialect writes its answer from this and from the
/// snapshot that the operation led to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// These were made, in the order asked for. Also the answer to a repeated client token.
    Created(Vec<Key>),
    /// This was changed.
    Changed(Key),
    /// It was done, and there is nothing to show: deletions, tags.
    Done,
    /// These were removed at once, in the order asked for. They are not in the snapshot that this led to.
    Removed(Vec<Record>),
    /// What a query found.
    Page {
        /// The matches of this page.
        items: Vec<Record>,
        /// How many matches there are in all.
        total: usize,
    },
}

/// What was decided: the changes of the store, and the outcome once they are durable.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Changes, to be made in one transaction. Empty when nothing changes.
    pub writes: Vec<Write>,
    /// The outcome.
    pub outcome: Outcome,
}

impl Decision {
    /// Nothing changes.
    pub fn nothing(outcome: Outcome) -> Self {
        Self { writes: Vec::new(), outcome }
    }
}
