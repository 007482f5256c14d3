//! `causeway serve`.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use causeway_dialect::Dialect;
use causeway_engine::{Engine, MemoryEngine};
use causeway_engine_linux::LinuxEngine;
use causeway_model::{AccountId, Millis};
use causeway_ops::{Lack, Settings};
use causeway_server::{AccessKey, Service, http};
use causeway_store::{SqliteStore, Store};
use clap::ValueEnum;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, DEVELOPMENT_ACCOUNT};
use crate::control;
use crate::development_key::{KeyPair, development_key};
use crate::node;
use crate::tls;

/// Descriptors that the service may have open: its connections, and one for each gateway instance.
const DESCRIPTORS_MAX: u64 = 65_536;

/// What carries the gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// The same answers and lifecycles without packets; needs no root.
    Memory,
    /// Real gateways in network namespaces of this machine; needs root.
    Linux,
}

/// `causeway serve`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Address of the API; port 0 takes a free one, which the ready line tells.
    #[arg(long, default_value = "127.0.0.1:8440", value_name = "ADDR:PORT")]
    listen: SocketAddr,
    /// Address of the API over TLS, beside the plain one.
    #[arg(long, value_name = "ADDR:PORT")]
    tls_listen: Option<SocketAddr>,
    /// Certificate chain for TLS in PEM; without one the service makes its own authority (`causeway ctl ca`).
    #[arg(long, value_name = "FILE", requires = "tls_key", requires = "tls_listen")]
    tls_cert: Option<PathBuf>,
    /// Key of the certificate in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A host name or address that clients on other machines call, for the certificate that the service makes; may be
    /// given several times.
    #[arg(long = "tls-name", value_name = "NAME", requires = "tls_listen", conflicts_with = "tls_cert")]
    tls_names: Vec<String>,
    /// What carries the gateways.
    #[arg(long, value_enum, default_value = "memory")]
    engine: EngineChoice,
    /// Where the state is kept.
    #[arg(long, value_name = "DIR", default_value_os_t = crate::default_data_dir())]
    data_dir: PathBuf,
    /// Configuration: accounts, keys, regions, pools, quotas.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The development key, instead of the one made at the first start.
    #[arg(long, value_name = "ID:SECRET", env = "CAUSEWAY_DEV_KEY", hide_env_values = true)]
    dev_key: Option<KeyPair>,
    /// Remove everything that the engine made when the service stops.
    #[arg(long)]
    cleanup: bool,
}

/// Runs the service until it is told to stop (SIGINT, SIGTERM).
///
/// # Errors
/// When it can't start: an address in use, a data directory or configuration that can't be read.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_env("CAUSEWAY_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,audit=warn,nlink=error"));
    // In a file or a journal colours are noise.
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        // One that can't be written would be said on stderr, which panics where that is what has ended.
        .log_internal_errors(false)
        .init();
    raise_descriptors();
    write_no_core();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(arguments))
}

/// Lets the service have as many descriptors as it may, up to [`DESCRIPTORS_MAX`]: the usual 1,024 are fewer than the
/// connections that it takes and the gateways that it watches.
fn raise_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(DESCRIPTORS_MAX, |most| most.min(DESCRIPTORS_MAX));
    if limit.current.is_some_and(|now| now < most) {
        limit.current = Some(most);
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }
    }
}

/// Lets neither the service nor its gateways' daemons leave their memory, and the keys in it, in a file when they
/// crash.
fn write_no_core() {
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(%error, "a crash may leave the memory in a file");
    }
}

/// The dialects that the service speaks: a further one is one more line.
pub fn dialects() -> Vec<Arc<dyn Dialect>> {
    vec![Arc::new(causeway_dialect_tencent::Tencent), Arc::new(causeway_dialect_alibaba::Alibaba)]
}

async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    // First of all: whoever stops the service while it starts gets an orderly end as well.
    let mut signals = StopSignals::listen()?;
    if arguments.engine == EngineChoice::Linux {
        node::require_root()?;
    }
    let config = Config::read(arguments.config.as_deref())?;
    let mut settings = config.settings(&dialects())?;
    if arguments.engine == EngineChoice::Linux {
        // No daemon of its gateways speaks it yet: it is refused as by gateways that lack it, and not promised.
        settings.lack_everywhere(Lack::Bgp);
    }
    let settings = Arc::new(settings);
    let store = SqliteStore::open(&arguments.data_dir).context("opening the store")?;
    let key = development_key(&store, arguments.dev_key.clone())?;
    let mut keyring = config.keyring()?;
    let access = AccessKey { secret: key.secret.clone(), account: AccountId::from(DEVELOPMENT_ACCOUNT) };
    keyring.add(&key.id, access);

    let listener = listen(arguments.listen).await?;
    let address = listener.local_addr()?;
    let tls = listen_tls(&arguments, &store).await?;
    let authority = tls.as_ref().map(|_| authority(&arguments)).transpose()?.flatten();
    let tls_address = tls.as_ref().map(|(listener, _)| listener.local_addr()).transpose()?;

    let store: Arc<dyn Store> = Arc::new(store);
    let engine = engine(&arguments, &settings).await?;
    let info = engine.info();
    tracing::info!(engine = info.name, data_plane = %info.data_plane, "engine");
    if let Err(trouble) = causeway_reconcile::first_look(&*store, &*engine, &locks(&settings)).await {
        // The runs look again, and again.
        tracing::warn!(%trouble, "what outlived the last stop is not known yet");
    }
    let rate_limits = config.rate_limits.rate_limits();
    let service = Service::new(dialects(), Arc::clone(&settings), keyring, Arc::clone(&store), rate_limits)
        .context("reading the store")?
        .limited(config.limits.limits());
    let service = Arc::new(service);

    let (stop, stopped) = watch::channel(false);
    let (of_store, of_engine) = (Arc::clone(&store), Arc::clone(&engine));
    let reconciling = causeway_reconcile::run_until(of_store, of_engine, locks(&settings), stopped.clone());
    let mut reconciler = tokio::spawn(reconciling);
    let mut fronts = JoinSet::new();
    fronts.spawn(http::serve(Arc::clone(&service), listener, None, stopped.clone()));
    if let Some((listener, acceptor)) = tls {
        fronts.spawn(http::serve(Arc::clone(&service), listener, Some(acceptor), stopped.clone()));
    }
    let control = control::State {
        store: Arc::clone(&store),
        engine: Arc::clone(&engine),
        settings,
        key: key.clone(),
        address,
        tls_address,
        authority,
        data_dir: arguments.data_dir.clone(),
    };
    fronts.spawn(control::serve(control, stopped));
    let ended = match announce(address, tls_address, info.name, &key) {
        Ok(()) => run_until_stop(&mut signals, &mut reconciler, store.ended()).await,
        Err(error) => Err(error),
    };
    let _ = stop.send(true);
    end(fronts, reconciler).await;
    if arguments.cleanup {
        engine.cleanup_all().await.context("cleaning up")?;
    }
    ended
}

/// Waits until requests under way are answered, and what is being carried out is done: it must not go on beside the cleaning
/// up.
async fn end<T: 'static>(mut fronts: JoinSet<T>, reconciler: JoinHandle<()>) {
    while fronts.join_next().await.is_some() {}
    if !reconciler.is_finished()
        && let Err(error) = reconciler.await
    {
        tracing::error!(%error, "the reconciler");
    }
}

/// Which gateways are locked, for lack of funds or because their term is over.
fn locks(settings: &Arc<Settings>) -> causeway_reconcile::Locks {
    let settings = Arc::clone(settings);
    Arc::new(move |gateway| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        settings.locks(gateway, Millis(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)))
    })
}

/// Waits until the service is told to stop, or can't go on.
async fn run_until_stop(
    signals: &mut StopSignals,
    reconciler: &mut JoinHandle<()>,
    store_ended: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    tokio::select! {
        () = signals.wait() => Ok(()),
        // It runs until it is told to stop. Without it every answer would speak of a data plane that nobody looks at.
        ended = reconciler => Err(anyhow::anyhow!("the reconciler ended: {ended:?}")),
        // It writes as long as it lives. Without it every request that changes something would fail for ever.
        () = store_ended => Err(anyhow::anyhow!("the store's writer ended")),
    }
}

async fn engine(arguments: &Arguments, settings: &Settings) -> anyhow::Result<Arc<dyn Engine>> {
    match arguments.engine {
        EngineChoice::Memory => {
            tracing::info!("no packet is carried; real gateways need --engine linux and root");
            Ok(Arc::new(MemoryEngine::default()))
        }
        EngineChoice::Linux => {
            let config = node::linux_config(&arguments.data_dir, settings.public_pools.clone())?;
            let engine = LinuxEngine::start(config).await.map_err(|error| {
                let remedy = error.remedy();
                let error = anyhow::Error::new(error).context("starting the Linux engine");
                match remedy {
                    Some(remedy) => anyhow::anyhow!("{error:#}\n  {remedy}"),
                    None => error,
                }
            })?;
            Ok(Arc::new(engine))
        }
    }
}

/// The socket for TLS with what answers there, where TLS is asked for.
async fn listen_tls(
    arguments: &Arguments,
    store: &SqliteStore,
) -> anyhow::Result<Option<(TcpListener, TlsAcceptor)>> {
    let Some(at) = arguments.tls_listen else { return Ok(None) };
    let given = arguments.tls_cert.clone().zip(arguments.tls_key.clone());
    let given = given.map(|(certificate, key)| tls::Given { certificate, key });
    let acceptor = tls::acceptor(store, &arguments.data_dir, given.as_ref(), at.ip(), &arguments.tls_names)?;
    Ok(Some((listen(at).await?, acceptor)))
}

/// The certificate of the service's own authority, unless it was given another; absolute, for clients that are started
/// elsewhere.
fn authority(arguments: &Arguments) -> anyhow::Result<Option<PathBuf>> {
    if arguments.tls_cert.is_some() {
        return Ok(None);
    }
    Ok(Some(std::path::absolute(tls::authority_file(&arguments.data_dir))?))
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))
}

/// The ready line: one line with the address, the engine and the development key. Whoever started the service and
/// closed its output has gone, and the service ends in order.
fn announce(
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    engine: &str,
    key: &KeyPair,
) -> anyhow::Result<()> {
    let tls = tls_address.map(|address| format!(" https://{address}")).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    let key = format!("{}:{}", key.id, key.secret.expose());
    let told = writeln!(out, "causeway is ready: http://{address}{tls} engine={engine} key={key}");
    told.and_then(|()| out.flush()).context("telling that the service is ready")
}

/// The signals that end the service. From the moment they are listened to they end nothing by themselves.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
