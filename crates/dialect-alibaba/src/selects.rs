//! Queries: one resource, settings, and lists with the filters that many actions share.

use causeway_dialect::Failure;
use causeway_model::{ExternalId, Gateway, GatewayId, Kind, Record, View};
use causeway_ops::{Clause, ListQuery, Operation, Outcome, Query};

use crate::params::{Fields, Page};

/// Reads one resource, which must exist.
pub fn one(kind: Kind, id: ExternalId) -> Operation {
    Operation::Read(Query::One { kind, id })
}

/// Reads nothing of the store.
pub fn settings() -> Operation {
    Operation::Read(Query::Settings)
}

/// A list with its filters.
pub struct List {
    kind: Kind,
    clauses: Vec<Clause>,
}

impl List {
    /// All resources of a kind.
    pub fn of(kind: Kind) -> Self {
        Self { kind, clauses: Vec::new() }
    }

    /// Those that meet a clause, if one is given.
    pub fn with(mut self, clause: Option<Clause>) -> Self {
        self.clauses.extend(clause);
        self
    }

    /// Those that a test passes, if a wanted value is given.
    pub fn matching<T: Send + Sync + 'static>(
        self,
        wanted: Option<T>,
        test: impl Fn(&Record, &T) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.with(wanted.map(|wanted| Clause::test(move |_, record| test(record, &wanted))))
    }

    /// Those with the id that a parameter gives. Several ids may be given, with commas between them.
    pub fn ids(self, fields: &Fields<'_>, parameter: &str) -> Self {
        let ids = fields.text(parameter).map(|text| text.split(',').map(ExternalId::from).collect());
        self.with(ids.map(Clause::Ids))
    }

    /// Those that hang on the resource that a parameter names.
    pub fn children_of(self, kind: Kind, id: Option<ExternalId>) -> Self {
        self.with(id.map(|id| Clause::ChildOf(kind, vec![id])))
    }

    /// Those in the resource group that `ResourceGroupId` names.
    pub fn in_group(self, fields: &Fields<'_>) -> Self {
        self.matching(fields.text("ResourceGroupId"), |record, group: &String| {
            record.meta().is_some_and(|meta| meta.resource_group == *group)
        })
    }

    /// Those of the account that a parameter names by its number.
    ///
    /// # Errors
    /// `Invalid{parameter}` when it is no number.
    pub fn owned_by(self, fields: &Fields<'_>, parameter: &str) -> Result<Self, Failure> {
        let wanted = fields.integer(parameter)?.map(|number| number.to_string());
        Ok(self.matching(wanted, |record, owner: &String| {
            record.meta().is_some_and(|meta| meta.owner.as_str() == owner)
        }))
    }

    /// Those with the name that a parameter gives.
    pub fn named(self, fields: &Fields<'_>, parameter: &str) -> Self {
        self.matching(fields.text(parameter), |record, name: &String| {
            record.meta().is_some_and(|meta| meta.name == *name)
        })
    }

    /// The page that the parameters ask for.
    ///
    /// # Errors
    /// Those of [`Page::read`].
    pub fn page(self, fields: &Fields<'_>) -> Result<Operation, Failure> {
        let page = Page::read(fields)?;
        Ok(self.slice(page.offset(), page.size as usize))
    }

    /// A part of the list.
    pub fn slice(self, offset: usize, limit: usize) -> Operation {
        Operation::Read(Query::List(ListQuery { kind: self.kind, clauses: self.clauses, offset, limit }))
    }
}

/// What a query found, and how many there are in all.
pub fn found(outcome: &Outcome) -> (&[Record], usize) {
    match outcome {
        Outcome::Page { items, total } => (items.as_slice(), *total),
        Outcome::Created(_) | Outcome::Changed(_) | Outcome::Done | Outcome::Removed(_) => (&[], 0),
    }
}

/// The gateway that was made or changed.
pub fn gateway<'a>(outcome: &Outcome, view: &'a View) -> Option<&'a Gateway> {
    let key = subject(outcome).filter(|key| key.kind == Kind::Gateway)?;
    view.gateway(GatewayId(key.id)).map(|gateway| &**gateway)
}

/// The key of what was made or changed.
pub fn subject(outcome: &Outcome) -> Option<causeway_model::Key> {
    match outcome {
        Outcome::Created(keys) => keys.first().copied(),
        Outcome::Changed(key) => Some(*key),
        Outcome::Done | Outcome::Removed(_) | Outcome::Page { .. } => None,
    }
}
