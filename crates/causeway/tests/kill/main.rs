//! kill -9 of the service at any point loses no write that it acknowledged, and makes nothing twice.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use causeway_client::{AccessKey, Client, ClientError};

mod load;

use load::{Creation, Ground, KINDS, Kind, Ledger, call, delete, present};

/// How often the service is killed. It is looked at after each.
const KILLS: usize = 200;
/// Creations that are answered before the service is killed: fewer than this.
const ANSWERS_MAX: usize = 25;
/// How long so many answers may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Clients that write at the same time.
const CLIENTS: usize = 4;
/// What is kept of each kind: the rest is deleted again, so that looking at everything costs always the same.
const KEPT: usize = 20;
const CONFIG: &str = "
rate_limits = false
[[accounts]]
id = \"1000000000000001\"
[accounts.quotas]
customer_gateways_per_region = 1000000
gateways_per_region = 1000000
connections_per_gateway = 1000000
policy_routes_per_gateway = 1000000
";

struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        // SIGKILL, whatever it is doing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(dir: &Path) -> (Service, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_causeway"))
        .args(["serve", "--engine", "memory", "--listen", "127.0.0.1:0", "--dev-key", "AKIDtest:secret"])
        .arg("--data-dir")
        .arg(dir.join("data"))
        .arg("--config")
        .arg(dir.join("causeway.toml"))
        .env("CAUSEWAY_LOG", "error")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let service = Service(child);
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).unwrap();
    let address = line.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next());
    (service, address.unwrap_or_else(|| panic!("not ready: {line:?}")).parse().unwrap())
}

fn client(address: SocketAddr) -> Client {
    Client::new(address, AccessKey { id: "AKIDtest".to_owned(), secret: "secret".to_owned() })
}

/// Calls until it is not refused: what a call needs may still be on its way.
async fn insist<T>(mut attempt: impl AsyncFnMut() -> Result<T, ClientError>) -> T {
    for _ in 0..200 {
        match attempt().await {
            Ok(done) => return done,
            Err(ClientError::Refused { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => panic!("{error}"),
        }
    }
    attempt().await.unwrap_or_else(|error| panic!("{error}"))
}

async fn lay_ground(client: &mut Client) -> Ground {
    let text = |answer: serde_json::Value, member: &str| answer[member].as_str().unwrap().to_owned();
    let vpc = call(client, "CreateVpc", &[("CidrBlock", "10.10.0.0/16".to_owned())]).await.unwrap();
    let vpc = text(vpc, "VpcId");
    let parameters = [
        ("VpcId", vpc.clone()),
        ("CidrBlock", "10.10.0.0/16".to_owned()),
        ("ZoneId", "cn-hangzhou-b".to_owned()),
    ];
    let vswitch = insist(async || call(client, "CreateVSwitch", &parameters).await).await;
    let vswitch = text(vswitch, "VSwitchId");
    let mut ground = Ground { vpc, vswitch, gateway: String::new(), customer_gateway: String::new() };
    let make = |kind| Creation { kind, number: 0 };
    ground.gateway = insist(async || make(Kind::Gateway).send(client, &ground).await).await;
    ground.customer_gateway = insist(async || make(Kind::CustomerGateway).send(client, &ground).await).await;
    ground
}

/// Makes things, and deletes the oldest of those that are too many, until the service is gone.
async fn write(address: SocketAddr, ground: Ground, ledger: Arc<Mutex<Ledger>>) {
    let mut client = client(address);
    loop {
        let creation = ledger.lock().unwrap().next();
        match creation.send(&mut client, &ground).await {
            Ok(id) => ledger.lock().unwrap().note(id, creation),
            // A gateway that is being changed takes no connection.
            Err(ClientError::Refused { .. }) => {}
            Err(ClientError::Transport(..)) => return ledger.lock().unwrap().unanswered.push(creation),
        }
        let surplus = ledger.lock().unwrap().take_surplus(creation.kind, KEPT);
        let Some((id, creation)) = surplus else { continue };
        match delete(&mut client, creation.kind, &id).await {
            Ok(()) => drop(ledger.lock().unwrap().deleted.insert(id)),
            Err(ClientError::Refused { .. }) => drop(ledger.lock().unwrap().made.insert(id, creation)),
            Err(ClientError::Transport(..)) => return,
        }
    }
}

/// Looks until there is nothing to complain about, or for so long that there always will be. What was being deleted
/// when the service was killed goes while it is looked at: a page of a list then begins one place further on, and an
/// item that moved to the page before is not seen.
async fn settle(mut complaints: impl AsyncFnMut() -> Vec<String>) {
    for _ in 0..100 {
        if complaints().await.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let complaints = complaints().await;
    assert!(complaints.is_empty(), "{complaints:?}");
}

/// Compares what is there with what was told.
async fn look(client: &mut Client, ledger: &Ledger, kill: usize) {
    for kind in KINDS {
        settle(async || {
            let found = present(client, kind).await;
            let made = ledger.made.iter().filter(|(_, creation)| creation.kind == kind);
            let lost = made.filter(|(id, _)| !found.contains_key(*id));
            let risen = ledger.deleted.iter().filter(|id| found.contains_key(*id));
            let lost = lost.map(|(id, creation)| format!("kill {kill}: {id} is lost: {creation:?}"));
            lost.chain(risen.map(|id| format!("kill {kill}: {id} is back again"))).collect()
        })
        .await;
    }
}

/// Sends again what was never answered, and the newest that was: the token makes nothing twice.
async fn repeat(client: &mut Client, ground: &Ground, ledger: &mut Ledger, kill: usize) {
    for kind in KINDS {
        let of_kind = ledger.made.iter().filter(|(_, creation)| creation.kind == kind);
        let Some((id, newest)) = of_kind.max_by_key(|(_, creation)| creation.number) else { continue };
        let again = insist(async || newest.send(client, ground).await).await;
        assert_eq!(again, *id, "kill {kill}: {newest:?} was answered");
    }
    let unanswered = std::mem::take(&mut ledger.unanswered);
    for creation in &unanswered {
        let id = insist(async || creation.send(client, ground).await).await;
        ledger.note(id, *creation);
    }
    for creation in unanswered {
        settle(async || {
            let found = present(client, creation.kind).await;
            let of_name = found.values().filter(|name| **name == creation.name()).count();
            if of_name == 1 { Vec::new() } else { vec![format!("kill {kill}: {of_name} of {creation:?}")] }
        })
        .await;
    }
}

/// Waits until the clients were told of so many more creations.
async fn answers(ledger: &Mutex<Ledger>, more: usize) {
    let told = || ledger.lock().unwrap().answered.values().sum::<usize>();
    let wanted = told() + more;
    let waiting = async {
        while told() < wanted {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the service answers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_write_is_lost_and_no_token_makes_two() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("causeway.toml"), CONFIG).unwrap();
    let (first, address) = start(dir.path());
    let ground = lay_ground(&mut client(address)).await;
    drop(first);
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    for kill in 0..=KILLS {
        let (service, address) = start(dir.path());
        let mut known = std::mem::take(&mut *ledger.lock().unwrap());
        look(&mut client(address), &known, kill).await;
        repeat(&mut client(address), &ground, &mut known, kill).await;
        *ledger.lock().unwrap() = known;
        let write = || tokio::spawn(write(address, ground.clone(), Arc::clone(&ledger)));
        let writers: Vec<_> = (0..CLIENTS).map(|_| write()).collect();
        // A different moment each time, from before the first write to well into the load: after so many answers, and
        // somewhere between two of them.
        answers(&ledger, kill * 7 % ANSWERS_MAX).await;
        tokio::time::sleep(Duration::from_millis(kill as u64 % 7)).await;
        drop(service);
        for writer in writers {
            writer.await.unwrap();
        }
    }
    let ledger = ledger.lock().unwrap();
    for (kind, least) in
        [(Kind::CustomerGateway, 4 * KILLS), (Kind::Gateway, KILLS / 2), (Kind::Connection, KEPT)]
    {
        let answered = ledger.answered.get(&kind).copied().unwrap_or_default();
        assert!(answered >= least, "the load wrote something: {:?}", ledger.answered);
    }
    assert!(!ledger.deleted.is_empty());
}
