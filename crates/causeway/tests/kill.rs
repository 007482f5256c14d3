//! kill -9 of the service at any point loses no write that it acknowledged.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use causeway_client::{AccessKey, Client};

/// How often the service is killed.
const KILLS: usize = 200;
/// Clients that write at the same time.
const CLIENTS: usize = 4;
const VERSION: &str = "2016-04-28";
const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");
const CONFIG: &str = "
rate_limits = false
[[accounts]]
id = \"1000000000000001\"
quotas = { customer_gateways_per_region = 1000000 }
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

/// What was acknowledged: ids that must be there, and ids that must not.
#[derive(Default)]
struct Acknowledged {
    made: BTreeSet<String>,
    deleted: BTreeSet<String>,
    number: u32,
}

/// Makes customer gateways, and deletes every third one, until the service is gone.
async fn write(address: SocketAddr, acknowledged: Arc<Mutex<Acknowledged>>) {
    let mut client = client(address);
    loop {
        let number = {
            let mut acknowledged = acknowledged.lock().unwrap();
            acknowledged.number += 1;
            acknowledged.number
        };
        let [_, a, b, c] = number.to_be_bytes();
        let ip = format!("20.{a}.{b}.{c}");
        let Ok(answer) =
            client.alibaba(VERSION, "CreateCustomerGateway", &[REGION, ("IpAddress", &ip)]).await
        else {
            return;
        };
        let id = answer["CustomerGatewayId"].as_str().unwrap().to_owned();
        acknowledged.lock().unwrap().made.insert(id.clone());
        if number % 3 == 0 {
            // From the moment it is asked for, either answer is right until it is acknowledged.
            acknowledged.lock().unwrap().made.remove(&id);
            let gone = [REGION, ("CustomerGatewayId", id.as_str())];
            if client.alibaba(VERSION, "DeleteCustomerGateway", &gone).await.is_err() {
                return;
            }
            acknowledged.lock().unwrap().deleted.insert(id);
        }
    }
}

async fn present(address: SocketAddr) -> BTreeSet<String> {
    let mut client = client(address);
    let mut found = BTreeSet::new();
    for page in 1.. {
        let page = page.to_string();
        let parameters = [REGION, ("PageSize", "50"), ("PageNumber", page.as_str())];
        let answer = client.alibaba(VERSION, "DescribeCustomerGateways", &parameters).await.unwrap();
        let items = answer["CustomerGateways"]["CustomerGateway"].as_array().unwrap().clone();
        if items.is_empty() {
            break;
        }
        found.extend(items.iter().map(|item| item["CustomerGatewayId"].as_str().unwrap().to_owned()));
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_write_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("causeway.toml"), CONFIG).unwrap();
    let acknowledged = Arc::new(Mutex::new(Acknowledged::default()));
    for kill in 0..KILLS {
        let (service, address) = start(dir.path());
        let writers: Vec<_> =
            (0..CLIENTS).map(|_| tokio::spawn(write(address, Arc::clone(&acknowledged)))).collect();
        // A different moment each time, from before the first write to well into the load.
        tokio::time::sleep(Duration::from_millis((kill as u64 * 7) % 60)).await;
        drop(service);
        for writer in writers {
            writer.await.unwrap();
        }
        // Looking at everything costs time that grows with what is there.
        if kill % 20 == 19 {
            let (_service, address) = start(dir.path());
            let found = present(address).await;
            let acknowledged = acknowledged.lock().unwrap();
            let lost: Vec<_> = acknowledged.made.difference(&found).collect();
            let risen: Vec<_> = acknowledged.deleted.intersection(&found).collect();
            assert!(lost.is_empty() && risen.is_empty(), "kill {kill}: lost {lost:?}, back again {risen:?}");
        }
    }
    let acknowledged = acknowledged.lock().unwrap();
    assert!(acknowledged.made.len() > KILLS, "the load wrote something: {}", acknowledged.made.len());
}
