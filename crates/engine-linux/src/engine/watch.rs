//! One task per instance: it keeps the instance's keeper alive, and turns what that reports into
//! wake-ups and moved routes.

use std::sync::{Arc, Weak};
use std::time::Duration;

use causeway_plan::{InstanceKey, Scope};
use tokio::time::sleep;

use super::{Inner, failover};
use crate::error::LinuxError;
use crate::supervisor::{Changes, Keeper};

/// The pause before a keeper that died is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// How often a keeper that reports nothing is asked for a sign of life.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// How often in a row it may give none before it counts as hung. Until then packets pass as before, but no key can be
/// exchanged: charon's way to the data plane leads through the keeper.
const SILENCES_MAX: u32 = 3;

pub(super) fn start(inner: &Arc<Inner>, instance: InstanceKey) {
    let task = tokio::spawn(keep(Arc::downgrade(inner), instance.clone()));
    inner.state().watch(instance, task.abort_handle());
}

/// Runs until the engine is dropped or the task is aborted.
async fn keep(engine: Weak<Inner>, instance: InstanceKey) {
    while let Some(inner) = engine.upgrade() {
        if let Err(error) = follow(&engine, inner, &instance).await {
            tracing::warn!(%instance, %error, "keeper");
        }
        let Some(inner) = engine.upgrade() else { return };
        inner.wake(Scope::Gateway(instance.gateway.clone()));
        drop(inner);
        sleep(RESTART_PAUSE).await;
    }
}

/// Follows one life of a keeper.
async fn follow(engine: &Weak<Inner>, inner: Arc<Inner>, instance: &InstanceKey) -> Result<(), LinuxError> {
    let keeper = inner.keeper(instance);
    keeper.ensure(&inner.config.shim, &inner.shim_args(instance)).await?;
    if !keeper.is_understood().await {
        tracing::warn!(%instance, "the keeper is of another version and is replaced; its tunnels are built anew");
        return keeper.kill().await;
    }
    let mut changes = keeper.watch().await?;
    // Between two changes the task holds nothing of the engine.
    let mut held = Some(inner);
    loop {
        let Some(inner) = held.take() else { return Ok(()) };
        let scope = Scope::Gateway(instance.gateway.clone());
        if let Err(error) = failover::follow(&inner, &scope).await {
            tracing::warn!(%instance, %error, "moving routes");
        }
        inner.wake(scope);
        drop(inner);
        match next(&keeper, &mut changes).await {
            Next::Change => held = engine.upgrade(),
            Next::Gone => return Ok(()),
            Next::Hung => {
                tracing::warn!(%instance, "the keeper hangs and is replaced; its tunnels are built anew");
                return keeper.kill().await;
            }
        }
    }
}

/// What comes next in a keeper's life.
enum Next {
    Change,
    Gone,
    Hung,
}

async fn next(keeper: &Keeper, changes: &mut Changes) -> Next {
    let mut silences = 0;
    while silences < SILENCES_MAX {
        tokio::select! {
            // A change is one byte, so that one whose reading is broken off is not half read.
            change = changes.next() => return change.map_or(Next::Gone, |()| Next::Change),
            () = sleep(ASK_EVERY) => {}
        }
        silences = if keeper.answers().await { 0 } else { silences + 1 };
    }
    Next::Hung
}
