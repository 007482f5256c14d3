//! The control socket: a Unix socket in the data directory through which `causeway ctl` speaks with the service.
//! One JSON line in, one JSON line out. Who may open the socket (its owner) may do everything.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use causeway_engine::Engine;
use causeway_model::{ExternalId, Kind, Record};
use causeway_ops::operation::Target;
use causeway_ops::{Caller, Operation, Settings, decide};
use causeway_plan::Scope;
use causeway_reconcile::{Item, keys};
use causeway_server::clock;
use causeway_store::{Store, transact};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use crate::development_key::KeyPair;

/// Octets of a question at most.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// What can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    /// Addresses, engine and development key.
    Status,
    /// Every order.
    Orders,
    /// Pay an order.
    Pay {
        /// Its number.
        order: String,
    },
    /// Remove what the engine made and the store does not know.
    Gc,
    /// What the IKE daemons of a gateway last logged.
    Log {
        /// Its id, in whichever API.
        id: String,
    },
    /// Where a subnet is in the data plane.
    Subnet {
        /// Its id, in whichever API.
        id: String,
    },
}

/// What the answers are made from.
#[derive(Clone)]
pub struct State {
    pub store: Arc<dyn Store>,
    pub engine: Arc<dyn Engine>,
    pub settings: Arc<Settings>,
    pub key: KeyPair,
    pub address: SocketAddr,
    pub tls_address: Option<SocketAddr>,
    /// The certificate of the service's own authority, where TLS uses it.
    pub authority: Option<PathBuf>,
    pub data_dir: PathBuf,
}

/// The socket's file.
pub fn socket_file(data_dir: &Path) -> PathBuf {
    data_dir.join("control.sock")
}

/// Serves the control socket until `stop` turns true.
pub async fn serve(state: State, mut stop: watch::Receiver<bool>) {
    let path = socket_file(&state.data_dir);
    // One service at a time has the store; a file that is there was left by a dead one.
    let _ = std::fs::remove_file(&path);
    let listener = match UnixListener::bind(&path) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, path = %path.display(), "no control socket");
            return;
        }
    };
    if let Err(error) = std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)) {
        tracing::error!(%error, "the control socket can't be made private");
        return;
    }
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    let state = state.clone();
                    tokio::spawn(async move { converse(&state, socket).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "a control connection was not accepted");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            },
            () = stopped(&mut stop) => break,
        }
    }
    let _ = std::fs::remove_file(&path);
}

/// Waits until `stop` turns true. The guard that `wait_for` gives must not live on.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

async fn converse(state: &State, socket: UnixStream) {
    let (read, mut write) = socket.into_split();
    let mut read = BufReader::new(read);
    loop {
        let (answer, goes_on) = match line(&mut read).await {
            Ok(Some(line)) => (ask(state, &line).await, true),
            Ok(None) => return,
            Err(error) => (json!({"error": error.to_string()}), false),
        };
        if write.write_all(format!("{answer}\n").as_bytes()).await.is_err() || !goes_on {
            return;
        }
    }
}

/// The next line; `None` at the end.
async fn line(read: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if read.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    if line.len() as u64 == LINE_BYTES_MAX && line.last() != Some(&b'\n') {
        let text = format!("a line has more than {LINE_BYTES_MAX} octets");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, text));
    }
    Ok(Some(line))
}

async fn ask(state: &State, line: &[u8]) -> Value {
    match serde_json::from_slice(line) {
        Ok(ask) => answer(state, ask).await.unwrap_or_else(|error| json!({"error": format!("{error:#}")})),
        Err(error) => json!({"error": error.to_string()}),
    }
}

async fn answer(state: &State, ask: Ask) -> anyhow::Result<Value> {
    match ask {
        Ask::Status => {
            let info = state.engine.info();
            Ok(json!({
                "address": state.address.to_string(),
                "tls_address": state.tls_address.map(|address| address.to_string()),
                "engine": info.name,
                "data_plane": info.data_plane,
                "key_id": state.key.id,
                "key_secret": state.key.secret.expose(),
                "ca": state.authority,
            }))
        }
        Ask::Orders => Ok(orders(state)),
        Ask::Pay { order } => pay(state, &order).await,
        Ask::Gc => gc(state).await,
        Ask::Log { id } => log(state, &id).await,
        Ask::Subnet { id } => subnet(state, &id),
    }
}

fn orders(state: &State) -> Value {
    let view = state.store.view();
    let mut orders: Vec<_> = view
        .records()
        .filter_map(|record| match record {
            Record::Order(order) => Some(order),
            _ => None,
        })
        .collect();
    orders.sort_by_key(|order| order.meta.seq);
    let rows = orders.into_iter().map(|order| {
        json!({
            "order": order.meta.external,
            "account": order.meta.owner,
            "api": order.meta.dialect,
            "for": view.external(order.subject),
            "paid": order.paid,
        })
    });
    Value::Array(rows.collect())
}

async fn pay(state: &State, number: &str) -> anyhow::Result<Value> {
    let id = ExternalId::from(number);
    let view = state.store.view();
    let found = crate::serve::dialects().into_iter().find_map(|dialect| {
        let meta = view.by_external(&dialect.id(), Kind::Order, &id)?.meta()?.clone();
        Some((dialect, meta))
    });
    let (dialect, meta) = found.with_context(|| format!("there is no order {number}"))?;
    let caller = Caller {
        account: meta.owner,
        dialect: meta.dialect,
        region: meta.region,
        rules: dialect.rules(),
        token: None,
        settings: Arc::clone(&state.settings),
    };
    let operation = Operation::PayOrder(Target { id, parent: None });
    let (result, _) = transact(&*state.store, move |view| {
        match decide(view, &caller, &operation, clock::now(), &mut clock::random_u64) {
            Ok(decision) => (decision.writes, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        }
    })
    .await?;
    result?;
    Ok(json!({"paid": number}))
}

async fn gc(state: &State) -> anyhow::Result<Value> {
    let (mut removed, mut stayed) = (Vec::new(), Vec::new());
    let mut scopes = state.engine.list_scopes().await?;
    // A network goes after the gateways that are in it.
    scopes.sort_by_key(|scope| matches!(scope, Scope::Network(_)));
    for scope in scopes {
        // The store is asked after the data plane: what is made meanwhile is in the store first.
        let view = state.store.view();
        let known = Item::of_scope(&scope).is_some_and(|item| view.record(item.key()).is_some());
        if known {
            continue;
        }
        match state.engine.remove_scope(&scope).await {
            Ok(()) => removed.push(scope.to_string()),
            Err(error) => stayed.push(format!("{scope}: {:#}", anyhow::Error::from(error))),
        }
    }
    Ok(json!({"removed": removed, "stayed": stayed}))
}

/// A resource by its id in whichever API.
fn find(state: &State, kind: Kind, id: &str) -> Option<Record> {
    let view = state.store.view();
    let external = ExternalId::from(id);
    let mut apis = crate::serve::dialects().into_iter().map(|dialect| dialect.id());
    apis.find_map(|api| view.by_external(&api, kind, &external).cloned())
}

async fn log(state: &State, id: &str) -> anyhow::Result<Value> {
    let Some(Record::Gateway(gateway)) = find(state, Kind::Gateway, id) else {
        bail!("there is no gateway {id}");
    };
    Ok(json!(state.engine.log(&Item::Gateway(gateway.id).scope()).await?))
}

fn subnet(state: &State, id: &str) -> anyhow::Result<Value> {
    let Some(Record::Subnet(subnet)) = find(state, Kind::Subnet, id) else {
        bail!("there is no subnet {id}");
    };
    Ok(json!({
        "network": keys::network_key(subnet.network),
        "subnet": keys::subnet_key(subnet.id),
        "cidr": subnet.cidr,
        "router_ip": subnet.router_ip(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_has_an_end() {
        let most = usize::try_from(LINE_BYTES_MAX).unwrap();
        let mut good = vec![b'a'; most - 1];
        good.push(b'\n');
        good.extend_from_slice(b"the rest");
        let mut read = good.as_slice();
        assert_eq!(line(&mut read).await.unwrap().unwrap().len(), most);
        assert_eq!(line(&mut read).await.unwrap().unwrap(), b"the rest");
        assert!(line(&mut read).await.unwrap().is_none());
        let long = vec![b'a'; most + 1];
        let mut read = long.as_slice();
        assert!(line(&mut read).await.unwrap_err().to_string().contains("octets"));
        assert_eq!(read.len(), 1, "no more was taken in");
    }
}
