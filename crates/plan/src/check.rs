//! A second opinion on plans: what every plan must hold, said without the planner.

use std::collections::BTreeSet;

use crate::keys::ObjectKey;
use crate::planner::{Plan, Step};

/// What is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanFault {
    #[error("{0} is no object of the plan's scope")]
    OutOfScope(ObjectKey),
    #[error("{0} is named by more than one step")]
    NamedTwice(ObjectKey),
    #[error("{0} is deleted after something was created or updated")]
    LateDelete(ObjectKey),
    #[error("{0} is deleted before something that may hang on it")]
    ParentDeletedFirst(ObjectKey),
    #[error("{0} is created or updated before something it may need")]
    ChildMadeFirst(ObjectKey),
    #[error("{0} is deleted, but a later step makes something that belongs to it")]
    Orphan(ObjectKey),
}

/// Checks a plan: one scope, each object once, deletions first and children before parents, then
/// parents before children, and nothing made under a deleted parent.
///
/// # Errors
/// The first [`PlanFault`] found.
pub fn check(plan: &Plan) -> Result<(), PlanFault> {
    let mut seen = BTreeSet::new();
    let mut deleted = BTreeSet::new();
    let mut delete_rank = u8::MAX;
    let mut make_rank = None;
    for step in &plan.steps {
        let key = step.key();
        let rank = key.rank();
        if key.scope() != plan.scope {
            return Err(PlanFault::OutOfScope(key));
        }
        if !seen.insert(key.clone()) {
            return Err(PlanFault::NamedTwice(key));
        }
        match step {
            Step::Delete(_) if make_rank.is_some() => return Err(PlanFault::LateDelete(key)),
            Step::Delete(_) if rank > delete_rank => return Err(PlanFault::ParentDeletedFirst(key)),
            Step::Delete(_) => {
                delete_rank = rank;
                deleted.insert(key);
            }
            Step::Create(_) | Step::Update(_) => {
                if make_rank.is_some_and(|last| rank < last) {
                    return Err(PlanFault::ChildMadeFirst(key));
                }
                make_rank = Some(rank);
                if key.parent().is_some_and(|parent| deleted.contains(&parent)) {
                    return Err(PlanFault::Orphan(key));
                }
            }
        }
    }
    Ok(())
}
