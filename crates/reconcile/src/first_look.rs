//! The status of what did not outlive the time when nobody looked.

use std::collections::BTreeSet;
use std::sync::Arc;

use causeway_engine::Engine;
use causeway_model::{Gateway, Record, View, Write};
use causeway_plan::{FingerprintKey, Observed, Scope, plan};
use causeway_store::{Store, transact};

use crate::desired;
use crate::keys::Item;
use crate::reconciler::{Locks, Trouble};
use crate::status::{self, GatewaySeen, Refusals};

/// Takes back what the store says of gateways that are not in the data plane: a reboot, a cleaning up or an engine
/// that keeps nothing came between. To be called before the first request is answered, so that none is told that a
/// gateway is active before it was seen. What is there only in part is seen by its first run, a moment later.
///
/// # Errors
/// A text for people, when the data plane can't be listed or the status not be written.
pub async fn first_look(store: &dyn Store, engine: &dyn Engine, locks: &Locks) -> Result<(), String> {
    let scopes = engine.list_scopes().await.map_err(|error| Trouble::from(error).to_string())?;
    let present: BTreeSet<Scope> = scopes.into_iter().collect();
    let locks = Arc::clone(locks);
    let take_back = move |view: &View| (absent(view, &present, &locks), ());
    if take_back(&store.view()).0.is_empty() {
        return Ok(());
    }
    transact(store, take_back).await.map_err(|error| Trouble::from(error).to_string())?;
    Ok(())
}

/// The writes for every gateway of which nothing is present.
fn absent(view: &View, present: &BTreeSet<Scope>, locks: &Locks) -> Vec<Write> {
    let gateways = view.records().filter_map(|record| match record {
        Record::Gateway(gateway) if !gateway.meta.deleting => Some(gateway),
        _ => None,
    });
    let absent = gateways.filter(|gateway| !present.contains(&Item::Gateway(gateway.id).scope()));
    let take_back = |gateway: &Gateway| {
        let (wanted, left) = desired::gateway(view, gateway.id, &**locks);
        // Nothing is compared, so any key does.
        let nothing = Observed::empty(wanted.scope.clone(), FingerprintKey::new(&[0; 32]));
        let (rest, trouble) = (plan(&wanted, &nothing), Refusals::new());
        let seen =
            GatewaySeen { wished: view, observed: &nothing, rest: &rest, left: &left, trouble: &trouble };
        status::gateway(view, gateway, &seen)
    };
    absent.flat_map(|gateway| take_back(gateway)).collect()
}
