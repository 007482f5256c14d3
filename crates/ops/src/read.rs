//! Reading: one resource, or a page of a list.

use std::collections::BTreeMap;

use causeway_model::{ExternalId, Kind, Record, View, limits};

use crate::context::Context;
use crate::{Clause, Decision, ListQuery, OpError, Outcome, Query};

pub(crate) fn read(context: Context<'_>, query: &Query) -> Result<Decision, OpError> {
    let outcome = match query {
        Query::One { kind, id } => {
            let record = context.find(*kind, id)?.clone();
            Outcome::Page { items: vec![record], total: 1 }
        }
        Query::List(list) => page(&context, list),
        Query::Settings => Outcome::Done,
    };
    Ok(Decision::nothing(outcome))
}

fn page(context: &Context<'_>, query: &ListQuery) -> Outcome {
    let limit = query.limit.min(limits::PAGE_ITEMS_MAX);
    if query.clauses.is_empty() {
        return unfiltered_page(context, query.kind, query.offset, limit);
    }
    let matches = candidates(context, query)
        .into_iter()
        .filter(|record| query.clauses.iter().all(|clause| meets(context.view, record, clause)));
    let mut items = Vec::new();
    let mut total = 0;
    for record in matches {
        if total >= query.offset && items.len() < limit {
            items.push(record);
        }
        total += 1;
    }
    Outcome::Page { items, total }
}

/// A page costs the same however long the list is: the list finds its places without walking.
fn unfiltered_page(context: &Context<'_>, kind: Kind, offset: usize, limit: usize) -> Outcome {
    let list = context.view.list(&context.list_key(kind));
    let total = list.len();
    let end = offset.saturating_add(limit).min(total);
    let items = (offset.min(end)..end)
        .filter_map(|place| list.get(place))
        .filter_map(|(_, key)| context.view.record(*key).cloned())
        .collect();
    Outcome::Page { items, total }
}

/// The records that may match, in order of creation, found by the narrowest index.
fn candidates(context: &Context<'_>, query: &ListQuery) -> Vec<Record> {
    let view = context.view;
    let mut found = BTreeMap::new();
    let mut keep = |record: &Record| {
        if let Some(meta) = record.meta() {
            found.insert((meta.seq, record.key()), record.clone());
        }
    };
    let by_index = query.clauses.iter().find(|clause| !matches!(clause, Clause::Where(_)));
    match by_index {
        Some(Clause::Ids(ids)) => {
            ids.iter().filter_map(|id| context.find(query.kind, id).ok()).for_each(keep);
        }
        Some(Clause::ChildOf(kind, parents)) => {
            for parent in parents.iter().filter_map(|id| context.find(*kind, id).ok()) {
                view.children(parent.key(), query.kind).for_each(&mut keep);
            }
        }
        _ => {
            let list = view.list(&context.list_key(query.kind));
            return list.iter().filter_map(|(_, key)| view.record(*key).cloned()).collect();
        }
    }
    found.into_values().collect()
}

fn meets(view: &View, record: &Record, clause: &Clause) -> bool {
    match clause {
        Clause::Ids(ids) => record.meta().is_some_and(|meta| ids.contains(&meta.external)),
        Clause::ChildOf(kind, parents) => record
            .parents()
            .into_iter()
            .filter(|parent| parent.kind == *kind)
            .any(|parent| parents.contains(&ExternalId::from(view.external(parent)))),
        Clause::Where(test) => test(view, record),
    }
}
