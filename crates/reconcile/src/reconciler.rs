//! One run for one item: observe, plan, apply, observe, write the status. A run takes no input but the item;
//! the run after a crash is the everyday run.

use std::sync::Arc;

use causeway_engine::{Engine, EngineError};
use causeway_model::{Gateway, GatewayId, NetworkId, View};
use causeway_plan::{Desired, Object, ObjectKey, Observed, Plan, Step, plan};
use causeway_store::{Store, StoreError, transact};

use crate::desired;
use crate::keys::Item;
use crate::status::{self, GatewaySeen, Refusals};

/// Whether a gateway is locked for lack of funds: then it stays, with its addresses, and carries nothing.
pub type Locks = Arc<dyn Fn(&Gateway) -> bool + Send + Sync>;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Settled {
    /// Nothing is left to be done.
    Yes,
    /// The network of the gateway has to be made first.
    AfterNetwork(NetworkId),
    /// Something is under way: look again a little later, if no event comes before.
    Later,
    /// Steps failed: try again a little later.
    Failed,
}

/// Why a run broke off.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The node could not be observed.
    Engine(EngineError),
    /// The status could not be written.
    Store(StoreError),
    /// It took longer than a run may.
    TooLong,
    /// The run itself is at fault.
    Panicked,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Engine(error) => f.write_str(&with_causes(error)),
            Trouble::Store(error) => error.fmt(f),
            Trouble::TooLong => f.write_str("the run took too long"),
            Trouble::Panicked => f.write_str("the run panicked"),
        }
    }
}

impl From<EngineError> for Trouble {
    fn from(error: EngineError) -> Self {
        Trouble::Engine(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Trouble::Store(error)
    }
}

#[derive(Clone)]
pub(crate) struct Reconciler {
    pub store: Arc<dyn Store>,
    pub engine: Arc<dyn Engine>,
    pub locks: Locks,
}

impl Reconciler {
    pub async fn run(&self, item: Item) -> Result<Settled, Trouble> {
        match item {
            Item::Network(id) => self.network(id).await,
            Item::Gateway(id) => self.gateway(id).await,
        }
    }

    async fn network(&self, id: NetworkId) -> Result<Settled, Trouble> {
        let wished = self.store.view();
        let (observed, rest, trouble) = self.converge(&desired::network(&wished, id)).await?;
        if wished.network(id).is_some() {
            let seen = Arc::clone(&wished);
            let decide = move |newest: &View| match newest.network(id) {
                Some(network) => (status::network(newest, network, &seen, &observed), ()),
                None => (Vec::new(), ()),
            };
            self.write(decide).await?;
        }
        Ok(settled(&rest, &trouble))
    }

    async fn gateway(&self, id: GatewayId) -> Result<Settled, Trouble> {
        let wished = self.store.view();
        let (wanted, left) = desired::gateway(&wished, id, &*self.locks);
        let observed = self.engine.observe(&wanted.scope).await?;
        let todo = plan(&wanted, &observed);
        if let Some(network) = self.missing_ground(&wished, id, &todo).await? {
            return Ok(Settled::AfterNetwork(network));
        }
        if status::lacks_an_instance(&todo) {
            // It may have been active: what is not there any more is told before it is made again.
            self.tell(id, &wished, &observed, &todo, &left, &Refusals::new()).await?;
        }
        let (observed, rest, trouble) = self.carry_out(&wanted, observed, todo).await?;
        if wished.gateway(id).is_some() {
            self.tell(id, &wished, &observed, &rest, &left, &trouble).await?;
        }
        Ok(settled(&rest, &trouble))
    }

    /// Writes the status of a gateway and its connections as they were seen.
    async fn tell(
        &self,
        id: GatewayId,
        wished: &Arc<View>,
        observed: &Observed,
        rest: &Plan,
        left: &desired::Left,
        trouble: &Refusals,
    ) -> Result<(), Trouble> {
        let (wished, observed, rest) = (Arc::clone(wished), observed.clone(), rest.clone());
        let (left, trouble) = (left.clone(), trouble.clone());
        let decide = move |newest: &View| {
            let seen = GatewaySeen {
                wished: &wished,
                observed: &observed,
                rest: &rest,
                left: &left,
                trouble: &trouble,
            };
            let writes =
                newest.gateway(id).map(|gateway| status::gateway(newest, gateway, &seen)).unwrap_or_default();
            (writes, ())
        };
        self.write(decide).await
    }

    /// The network that has to be made before what is to be done for the gateway can be. Only an instance that is
    /// not there stands on ground that may be missing, so that a settled gateway costs no look at its network.
    async fn missing_ground(
        &self,
        view: &View,
        id: GatewayId,
        todo: &Plan,
    ) -> Result<Option<NetworkId>, Trouble> {
        let created = |step: &Step| match step {
            Step::Create(Object::Instance(instance)) => {
                Some(ObjectKey::Subnet(instance.network.clone(), instance.subnet.clone()))
            }
            _ => None,
        };
        let needed: Vec<ObjectKey> = todo.steps.iter().filter_map(created).collect();
        let Some(network) = view.gateway(id).and_then(|gateway| gateway.network) else { return Ok(None) };
        if needed.is_empty() {
            return Ok(None);
        }
        let observed = self.engine.observe(&Item::Network(network).scope()).await?;
        let is_missing = |subnet: &ObjectKey| !observed.objects.contains_key(subnet);
        Ok(needed.iter().any(is_missing).then_some(network))
    }

    async fn converge(&self, wanted: &Desired) -> Result<(Observed, Plan, Refusals), Trouble> {
        let observed = self.engine.observe(&wanted.scope).await?;
        let todo = plan(wanted, &observed);
        self.carry_out(wanted, observed, todo).await
    }

    /// Applies what is to be done and tells what was seen then, what is left, and what went wrong. A failed step
    /// does not keep the others from being tried: the next run is the retry.
    async fn carry_out(
        &self,
        wanted: &Desired,
        observed: Observed,
        todo: Plan,
    ) -> Result<(Observed, Plan, Refusals), Trouble> {
        if todo.is_empty() {
            return Ok((observed, todo, Refusals::new()));
        }
        let mut trouble = Refusals::new();
        for step in &todo.steps {
            tracing::debug!(key = %step.key(), "apply");
            if let Err(error) = self.engine.apply(step).await {
                let why = with_causes(&error);
                tracing::warn!(key = %step.key(), error = %why, "a step failed");
                trouble.push((step.key(), format!("{}: {why}", step.key())));
            }
        }
        let observed = self.engine.observe(&wanted.scope).await?;
        let rest = plan(wanted, &observed);
        Ok((observed, rest, trouble))
    }

    /// Writes the status, but only when it changes: a status that stays the same wakes nobody.
    async fn write(
        &self,
        mut decide: impl FnMut(&View) -> (Vec<causeway_model::Write>, ()) + Send + 'static,
    ) -> Result<(), Trouble> {
        if decide(&self.store.view()).0.is_empty() {
            return Ok(());
        }
        transact(&*self.store, decide).await?;
        Ok(())
    }
}

/// What an error says, and its causes: "netlink failed" alone helps nobody.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn settled(rest: &Plan, trouble: &Refusals) -> Settled {
    if !trouble.is_empty() {
        Settled::Failed
    } else if rest.is_empty() {
        Settled::Yes
    } else {
        Settled::Later
    }
}
