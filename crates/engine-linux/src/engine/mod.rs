//! The Linux engine: objects to namespaces, links and keepers, and back.

mod apply;
mod failover;
mod observe;
mod remove;
mod rounds;
mod state;
mod watch;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::rand;
use causeway_engine::{Engine, EngineError, EngineInfo, WAKE_UP_QUEUE};
use causeway_plan::{FingerprintKey, InstanceKey, Object, Observed, Scope, Step};
use futures_util::future::BoxFuture;
use tokio::sync::broadcast;
use tokio::task::AbortHandle;

use crate::config::LinuxConfig;
use crate::dataplane::{self, Choice};
use crate::error::LinuxError;
use crate::firewall::{self, Count};
use crate::names::Names;
use crate::netns::Namespace;
use crate::records::{self, Records};
use crate::shim::ShimArgs;
use crate::supervisor::Keeper;
use crate::{fabric, orphans, tmpfs};
use state::State;

/// The engine of real gateways.
///
/// Dropping it ends its observation only: namespaces, keepers and tunnels stay, and the next engine with
/// the same tag and run directory finds them.
pub struct LinuxEngine {
    inner: Arc<Inner>,
    rounds: AbortHandle,
}

struct Inner {
    config: LinuxConfig,
    names: Names,
    records: Records,
    key: FingerprintKey,
    plane: Choice,
    state: Mutex<State>,
    wake_ups: broadcast::Sender<Scope>,
    /// Locked as long as this engine lives: a run directory has one engine.
    lock: (File, PathBuf),
}

impl LinuxEngine {
    /// Starts an engine and takes over what an earlier one left. Needs root and a tokio runtime.
    ///
    /// # Errors
    /// [`LinuxError`] when the tag is malformed, another engine has the run directory, or the node refuses.
    pub async fn start(config: LinuxConfig) -> Result<Self, LinuxError> {
        let tag = &config.node_tag;
        if !orphans::is_tag(tag) {
            return Err(LinuxError::Tag(tag.clone()));
        }
        if !config.charon.exists() {
            return Err(LinuxError::NoCharon(config.charon));
        }
        let lock = orphans::take_lock(&config.run_dir)?;
        tmpfs::ensure(&config.run_dir)?;
        if let Some(owner) = &config.owner {
            orphans::write_owner(&config.run_dir, owner)?;
        }
        let names = Names::new(tag);
        let records = Records::at(&config.run_dir);
        let key = fingerprint_key(&config.run_dir.join("fingerprint.key"))?;
        let state = Mutex::new(State::new(records.all()?));
        let fabric = Namespace::named(names.fabric());
        // Most of a start is the kernel making namespaces, and each has a core.
        let (plane, made) = tokio::join!(dataplane::probe(), fabric::ensure(&fabric));
        let (plane, ()) = (plane?, made?);
        tracing::info!(data_plane = ?plane.kind, reason = %plane.reason, "engine starts");
        let (wake_ups, _) = broadcast::channel(WAKE_UP_QUEUE);
        let inner = Arc::new(Inner { config, names, records, key, plane, state, wake_ups, lock });
        let instances = inner.state().instances();
        for instance in instances {
            watch::start(&inner, instance);
        }
        let rounds = tokio::spawn(rounds::go(Arc::downgrade(&inner))).abort_handle();
        Ok(Self { inner, rounds })
    }

    /// The fabric's namespace, to which labs and uplinks attach.
    pub fn fabric(&self) -> Namespace {
        Namespace::named(self.inner.names.fabric())
    }

    /// The names of everything this engine makes.
    pub fn names(&self) -> &Names {
        &self.inner.names
    }

    /// What an instance's firewall counted, by name: `in-` and `out-` on the public leg (`esp`,
    /// `esp-udp`, `ike`, `ike-nat-t`), `to-tunnels`, `from-tunnels`, and `…-dropped`.
    ///
    /// # Errors
    /// [`LinuxError`] when the instance is not there.
    pub async fn counters(&self, instance: &InstanceKey) -> Result<BTreeMap<String, Count>, LinuxError> {
        firewall::counters(&self.inner.instance_namespace(instance)).await
    }

    /// The process id of an instance's charon, while it runs.
    ///
    /// # Errors
    /// [`LinuxError`] when the instance's keeper does not answer.
    pub async fn charon_pid(&self, instance: &InstanceKey) -> Result<Option<u32>, LinuxError> {
        Ok(self.inner.keeper(instance).status().await?.charon_pid)
    }
}

impl Drop for LinuxEngine {
    fn drop(&mut self) {
        self.rounds.abort();
        self.inner.state().stop_watching();
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held leaves state that the next reconcile repairs.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn wake(&self, scope: Scope) {
        // No receiver is no error: nobody watches yet.
        let _ = self.wake_ups.send(scope);
    }

    fn keeper(&self, instance: &InstanceKey) -> Keeper {
        Keeper::of(instance, self.records.instance_dir(instance))
    }

    fn shim_args(&self, instance: &InstanceKey) -> ShimArgs {
        ShimArgs {
            instance_dir: self.records.instance_dir(instance),
            namespace: self.names.instance(instance),
            charon: self.config.charon.clone(),
            data_plane: self.plane.kind,
        }
    }

    fn instance_namespace(&self, instance: &InstanceKey) -> Namespace {
        Namespace::named(self.names.instance(instance))
    }
}

impl Engine for LinuxEngine {
    fn info(&self) -> EngineInfo {
        let plane = &self.inner.plane;
        EngineInfo { name: "linux", data_plane: format!("{}: {}", plane.kind, plane.reason) }
    }

    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, EngineError>> {
        Box::pin(async move { Ok(observe::observe(&self.inner, scope).await?) })
    }

    fn apply<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move {
            match step {
                Step::Create(object) | Step::Update(object) => match object {
                    Object::Network(network) => apply::network(&self.inner, network, object).await,
                    Object::Subnet(subnet) => apply::subnet(&self.inner, subnet, object).await,
                    Object::Instance(instance) => apply::instance(&self.inner, instance, object).await,
                    Object::Tunnel(tunnel) => apply::tunnel(&self.inner, tunnel, object).await,
                    Object::Route(route) => apply::route(&self.inner, route, object).await,
                },
                Step::Delete(key) => remove::object(&self.inner, key).await,
            }?;
            self.inner.wake(step.key().scope());
            Ok(())
        })
    }

    fn watch(&self) -> broadcast::Receiver<Scope> {
        self.inner.wake_ups.subscribe()
    }

    fn list_scopes(&self) -> BoxFuture<'_, Result<Vec<Scope>, EngineError>> {
        Box::pin(async move { Ok(remove::scopes(&self.inner)?) })
    }

    fn remove_scope<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move {
            remove::scope(&self.inner, scope).await?;
            self.inner.wake(scope.clone());
            Ok(())
        })
    }

    fn log<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        Box::pin(async move { Ok(observe::log(&self.inner, scope).await?) })
    }

    fn cleanup_all(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        // What is taken away on purpose is no damage.
        self.rounds.abort();
        Box::pin(remove::everything(&self.inner))
    }
}

/// The key lives as long as the records do.
fn fingerprint_key(path: &Path) -> Result<FingerprintKey, LinuxError> {
    if let Some(bytes) = std::fs::read(path).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
        return Ok(FingerprintKey::new(&bytes));
    }
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    rand::fill(&mut *bytes).map_err(|_| LinuxError::System {
        what: "random bytes".into(),
        source: std::io::ErrorKind::Other.into(),
    })?;
    records::write_private(path, &*bytes)?;
    Ok(FingerprintKey::new(&bytes))
}
