//! Real gateways behind the API: kill -9 of the service drops no packet of a running transfer, the next one carries
//! on with the same gateways, and what is deleted leaves nothing behind.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use causeway_client::tencent::Destination;
use causeway_client::{AccessKey, Client};
use causeway_lab::{HostSpec, Lab, Machine};
use serde_json::{Value, json};

const VPC: Destination<'_> = Destination { service: "vpc", version: "2017-03-12", region: "ap-guangzhou" };
const PATIENCE: Duration = Duration::from_secs(60);

/// A service with its data directory. Whatever becomes of the test, nothing of it stays.
struct Service {
    dir: PathBuf,
    child: Child,
    address: SocketAddr,
}

impl Service {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_causeway"))
            .args(["serve", "--engine", "linux", "--listen", "127.0.0.1:0", "--dev-key", "AKIDtest:secret"])
            .arg("--cleanup")
            .arg("--data-dir")
            .arg(dir)
            .env("CAUSEWAY_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next());
        let address = address.unwrap_or_else(|| panic!("not ready: {line:?}")).parse().unwrap();
        Self { dir: dir.to_owned(), child, address }
    }

    /// SIGKILL and a new process with the same data.
    fn kill_and_start_again(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let again = Self::start(&self.dir);
        let old = std::mem::replace(self, again);
        std::mem::forget(old);
    }

    fn client(&self) -> Client {
        Client::new(self.address, AccessKey { id: "AKIDtest".to_owned(), secret: "secret".to_owned() })
    }

    fn tag(&self) -> String {
        std::fs::read_to_string(self.dir.join("node-tag")).unwrap()
    }

    fn lab(&self) -> Lab {
        Lab::new(&self.tag(), format!("/run/causeway/{}", self.tag()))
    }

    fn ctl(&self, arguments: &[&str]) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_causeway"))
            .arg("ctl")
            .arg("--data-dir")
            .arg(&self.dir)
            .args(arguments)
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let lab = self.lab();
        std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(lab.clear())
        })
        .join()
        .ok();
        let pid = rustix::process::Pid::from_raw(self.child.id().cast_signed()).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

async fn call(client: &mut Client, action: &str, parameters: Value) -> Value {
    client.tencent(VPC, action, &parameters).await.unwrap_or_else(|error| panic!("{error}"))
}

fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {pointer} in {value}"))
        .to_owned()
}

async fn eventually(
    client: &mut Client,
    action: &str,
    parameters: Value,
    pointer: &str,
    wanted: Value,
) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = call(client, action, parameters.clone()).await;
        if found.pointer(pointer) == Some(&wanted) {
            return found;
        }
        assert!(Instant::now() < deadline, "{action} never said {pointer} {wanted}: {found}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// One side: a VPC with a subnet, a host and a gateway.
struct Side {
    vpc: String,
    range: String,
    gateway: String,
    public_ip: String,
    host: Machine,
    host_ip: IpAddr,
}

async fn side(service: &Service, client: &mut Client, number: u8) -> Side {
    let range = format!("10.{number}.0.0/16");
    let made = call(client, "CreateVpc", json!({"VpcName": "t", "CidrBlock": range})).await;
    let vpc = text(&made, "/Vpc/VpcId");
    let subnet = json!({"VpcId": vpc, "SubnetName": "t", "Zone": "ap-guangzhou-3",
        "CidrBlock": format!("10.{number}.1.0/24")});
    let subnet = text(&call(client, "CreateSubnet", subnet).await, "/Subnet/SubnetId");
    let gateway = json!({"VpcId": vpc, "VpnGatewayName": "t", "InternetMaxBandwidthOut": 100});
    let gateway = text(&call(client, "CreateVpnGateway", gateway).await, "/VpnGateway/VpnGatewayId");
    let ids = json!({"VpnGatewayIds": [gateway]});
    let state = "/VpnGatewaySet/0/State";
    let found = eventually(client, "DescribeVpnGateways", ids, state, json!("AVAILABLE")).await;
    let place = service.ctl(&["subnet", &subnet]);
    let host_ip = IpAddr::from([10, number, 1, 100]);
    let spec = HostSpec {
        name: format!("h{number}"),
        network: text(&place, "/network").parse().unwrap(),
        subnet: text(&place, "/subnet").parse().unwrap(),
        address: format!("{host_ip}/24").parse().unwrap(),
        router_ip: text(&place, "/router_ip").parse().unwrap(),
    };
    let host = service.lab().add_host(&spec).await.unwrap();
    let public_ip = text(&found, "/VpnGatewaySet/0/PublicIpAddress");
    Side { vpc, range, gateway, public_ip, host, host_ip }
}

/// The connection from one side to the other.
async fn connect(client: &mut Client, near: &Side, far: &Side) -> String {
    let peer = json!({"CustomerGatewayName": "t", "IpAddress": far.public_ip});
    let peer = text(&call(client, "CreateCustomerGateway", peer).await, "/CustomerGateway/CustomerGatewayId");
    let tables =
        call(client, "DescribeRouteTables", json!({"Filters": [{"Name": "vpc-id", "Values": [near.vpc]}]}));
    let table = text(&tables.await, "/RouteTableSet/0/RouteTableId");
    let route = json!({"DestinationCidrBlock": far.range, "GatewayType": "VPN", "GatewayId": near.gateway});
    call(client, "CreateRoutes", json!({"RouteTableId": table, "Routes": [route]})).await;
    let connection = json!({
        "VpcId": near.vpc, "VpnGatewayId": near.gateway, "CustomerGatewayId": peer, "VpnConnectionName": "t",
        "PreShareKey": "testtesttest",
        "SecurityPolicyDatabases": [{"LocalCidrBlock": near.range, "RemoteCidrBlock": [far.range]}],
        "IKEOptionsSpecification": {"IKEVersion": "IKEV2"},
    });
    text(&call(client, "CreateVpnConnection", connection).await, "/VpnConnection/VpnConnectionId")
}

fn namespaces(tag: &str) -> Vec<String> {
    let output = Command::new("ip").args(["netns", "list"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter(|line| line.starts_with(&format!("cw{tag}-"))).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_service_drops_no_packet_and_a_deleted_gateway_leaves_nothing() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not run: real gateways need root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut service = Service::start(dir.path());
    let mut client = service.client();
    let (left, right) = (side(&service, &mut client, 1).await, side(&service, &mut client, 2).await);
    let connections = [connect(&mut client, &left, &right).await, connect(&mut client, &right, &left).await];
    let both = json!({"VpnConnectionIds": connections});
    for pointer in ["/VpnConnectionSet/0/NetStatus", "/VpnConnectionSet/1/NetStatus"] {
        eventually(&mut client, "DescribeVpnConnections", both.clone(), pointer, json!("AVAILABLE")).await;
    }

    // Four seconds of pings, one every 10 ms; the service dies a second after the first.
    let (from, to) = (left.host.clone(), right.host_ip);
    let pings = tokio::spawn(async move { from.ping(to, 400, Duration::from_millis(10)).await.unwrap() });
    tokio::time::sleep(Duration::from_secs(1)).await;
    service.kill_and_start_again();
    let pings = pings.await.unwrap();
    assert_eq!(pings.received, pings.sent, "{pings:?}");

    // The new service knows what it took over.
    let mut client = service.client();
    for pointer in ["/VpnConnectionSet/0/NetStatus", "/VpnConnectionSet/1/NetStatus"] {
        eventually(&mut client, "DescribeVpnConnections", both.clone(), pointer, json!("AVAILABLE")).await;
    }
    for (connection, side) in connections.iter().zip([&left, &right]) {
        let gone = json!({"VpnGatewayId": side.gateway, "VpnConnectionId": connection});
        call(&mut client, "DeleteVpnConnection", gone).await;
    }
    eventually(&mut client, "DescribeVpnConnections", json!({}), "/TotalCount", json!(0)).await;
    let lost = left.host.ping(right.host_ip, 2, Duration::from_millis(10)).await.unwrap();
    assert_eq!(lost.received, 0, "nothing passes without a connection");
    for side in [&left, &right] {
        let tables = json!({"Filters": [{"Name": "vpc-id", "Values": [side.vpc]}]});
        let tables = call(&mut client, "DescribeRouteTables", tables).await;
        let other = if side.vpc == left.vpc { &right.range } else { &left.range };
        let gone = json!({"RouteTableId": text(&tables, "/RouteTableSet/0/RouteTableId"),
            "Routes": [{"DestinationCidrBlock": other, "GatewayType": "VPN", "GatewayId": side.gateway}]});
        call(&mut client, "DeleteRoutes", gone).await;
        call(&mut client, "DeleteVpnGateway", json!({"VpnGatewayId": side.gateway})).await;
    }
    eventually(&mut client, "DescribeVpnGateways", json!({}), "/TotalCount", json!(0)).await;
    let tag = service.tag();
    let left_over: Vec<String> = namespaces(&tag).into_iter().filter(|name| name.contains("-gw-")).collect();
    assert!(left_over.is_empty(), "{left_over:?}");
    drop(service);
    assert!(namespaces(&tag).is_empty(), "{:?}", namespaces(&tag));
    assert!(!Path::new("/run/causeway").join(&tag).exists(), "the run directory is gone");
}
