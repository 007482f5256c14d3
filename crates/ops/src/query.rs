//! Questions: what a caller can read.

use std::fmt;
use std::sync::Arc;

use causeway_model::{ExternalId, Kind, Record, View};

/// What a caller wants to read. The answer is a snapshot: see [`crate::Outcome`].
#[derive(Clone, Debug)]
pub enum Query {
    /// One resource, which must exist.
    One {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: ExternalId,
    },
    /// A page of the resources that meet every clause.
    List(ListQuery),
    /// Nothing of the store: the dialect answers from the settings and the caller alone.
    Settings,
}

/// See [`Query::List`].
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// What is listed.
    pub kind: Kind,
    /// Each must be met.
    pub clauses: Vec<Clause>,
    /// Matches to skip.
    pub offset: usize,
    /// Matches to return at most.
    pub limit: usize,
}

/// A test of one record in a snapshot.
pub type Predicate = Arc<dyn Fn(&View, &Record) -> bool + Send + Sync>;

/// One condition of a list. The first two are answered from an index.
#[derive(Clone)]
pub enum Clause {
    /// Its id is one of these. Unknown ids match nothing.
    Ids(Vec<ExternalId>),
    /// It hangs on one of these (see [`Record::parents`]). Unknown ids match nothing.
    ChildOf(Kind, Vec<ExternalId>),
    /// The record passes a test.
    Where(Predicate),
}

impl Clause {
    /// A test of one record in a snapshot.
    pub fn test(test: impl Fn(&View, &Record) -> bool + Send + Sync + 'static) -> Self {
        Clause::Where(Arc::new(test))
    }
}

impl fmt::Debug for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Clause::Ids(ids) => write!(f, "Ids({ids:?})"),
            Clause::ChildOf(kind, ids) => write!(f, "ChildOf({kind:?}, {ids:?})"),
            Clause::Where(_) => f.write_str("Where(..)"),
        }
    }
}
