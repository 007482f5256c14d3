//! The benchmark of real gateways.

use std::net::IpAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use causeway_client::tencent::Destination;
use causeway_client::{Client, ClientError};
use causeway_lab::{HostSpec, Lab, Machine, Protocol};
use ipnet::IpNet;
use serde_json::{Value, json};

use super::Gateways;
use super::service::Server;

const VPC: Destination<'_> = Destination { service: "vpc", version: "2017-03-12", region: "ap-guangzhou" };
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(2);

/// Measures and prints.
pub async fn run(options: &Gateways) -> anyhow::Result<()> {
    let server = Server::causeway(&options.causeway, "linux")?;
    let mut bench = Bench { client: Client::new(server.address, Server::key()), server, networks: 0 };
    println!("start to ready line: {:.1} ms", ms(bench.server.started_in));
    bench.one_by_one(options.one_by_one).await?;
    bench.at_once(options.at_once).await?;
    bench.connections(options.connections).await?;
    for &bandwidth in &options.bandwidths {
        bench.bandwidth(bandwidth).await?;
    }
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn spread(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let (least, most) =
        (times.first().copied().unwrap_or_default(), times.last().copied().unwrap_or_default());
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    println!("{what}: median {:.0} ms, {:.0} to {:.0} ms ({})", ms(median), ms(least), ms(most), times.len());
}

struct Network {
    vpc: String,
    subnet: String,
    range: IpNet,
    table: String,
}

struct Bench {
    client: Client,
    server: Server,
    networks: u8,
}

impl Bench {
    async fn call(&mut self, action: &str, parameters: Value) -> Result<Value, ClientError> {
        self.client.tencent(VPC, action, &parameters).await
    }

    /// A VPC with a subnet, each in a range of its own.
    async fn network(&mut self) -> anyhow::Result<Network> {
        self.networks += 1;
        let range = format!("10.{}.0.0/16", self.networks);
        let made = self.call("CreateVpc", json!({"VpcName": "bench", "CidrBlock": range})).await?;
        let vpc = text(&made, "/Vpc/VpcId")?;
        let subnet = json!({"VpcId": vpc, "SubnetName": "bench", "CidrBlock": format!("10.{}.1.0/24", self.networks),
            "Zone": "ap-guangzhou-3"});
        let subnet = text(&self.call("CreateSubnet", subnet).await?, "/Subnet/SubnetId")?;
        let filters = json!({"Filters": [{"Name": "vpc-id", "Values": [vpc]}]});
        let table = text(&self.call("DescribeRouteTables", filters).await?, "/RouteTableSet/0/RouteTableId")?;
        Ok(Network { vpc, subnet, range: range.parse()?, table })
    }

    async fn create(&mut self, vpc: &str, bandwidth: u32) -> anyhow::Result<String> {
        let parameters =
            json!({"VpcId": vpc, "VpnGatewayName": "bench", "InternetMaxBandwidthOut": bandwidth});
        text(&self.call("CreateVpnGateway", parameters).await?, "/VpnGateway/VpnGatewayId")
    }

    /// Waits until a gateway is there, and gives its public address.
    async fn active(&mut self, gateway: &str) -> anyhow::Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.call("DescribeVpnGateways", json!({"VpnGatewayIds": [gateway]})).await?;
            if found.pointer("/VpnGatewaySet/0/State") == Some(&json!("AVAILABLE")) {
                return text(&found, "/VpnGatewaySet/0/PublicIpAddress");
            }
            ensure!(Instant::now() < deadline, "{gateway} did not come up");
            tokio::time::sleep(POLL).await;
        }
    }

    async fn delete(&mut self, gateways: &[String]) -> anyhow::Result<()> {
        for gateway in gateways {
            self.call("DeleteVpnGateway", json!({"VpnGatewayId": gateway})).await?;
        }
        let deadline = Instant::now() + PATIENCE;
        while self.call("DescribeVpnGateways", json!({"VpnGatewayIds": gateways})).await?["TotalCount"] != 0 {
            ensure!(Instant::now() < deadline, "deleted gateways are still there");
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    async fn one_by_one(&mut self, count: usize) -> anyhow::Result<()> {
        let network = self.network().await?;
        let (mut times, mut gateways) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let began = Instant::now();
            let gateway = self.create(&network.vpc, 100).await?;
            self.active(&gateway).await?;
            times.push(began.elapsed());
            gateways.push(gateway);
        }
        spread("CreateVpnGateway to AVAILABLE, one by one", times);
        self.delete(&gateways).await
    }

    async fn at_once(&mut self, count: usize) -> anyhow::Result<()> {
        let network = self.network().await?;
        let before = self.memory_mib()?;
        let began = Instant::now();
        let mut gateways = Vec::new();
        for _ in 0..count {
            gateways.push(self.create(&network.vpc, 100).await?);
        }
        for gateway in &gateways {
            self.active(gateway).await?;
        }
        println!("{count} gateways made at once, all AVAILABLE after {:.2} s", began.elapsed().as_secs_f64());
        let each = (self.memory_mib()? - before) / count as f64;
        println!("memory of each (PSS of all its processes): {each:.2} MiB");
        for batch in gateways.chunks(50) {
            self.delete(batch).await?;
        }
        Ok(())
    }

    /// The proportional set size of every process that keeps a gateway of this service.
    fn memory_mib(&self) -> anyhow::Result<f64> {
        let tag = std::fs::read_to_string(self.server.data_dir.join("node-tag"))?;
        let mut kib = 0.0;
        for name in Command::new("ip").args(["netns", "list"]).output()?.stdout.split(|byte| *byte == b'\n') {
            let name = String::from_utf8_lossy(name);
            let Some(name) =
                name.split_whitespace().next().filter(|name| name.starts_with(&format!("cw{tag}-gw")))
            else {
                continue;
            };
            let pids = Command::new("ip").args(["netns", "pids", name]).output()?.stdout;
            for pid in String::from_utf8_lossy(&pids).split_whitespace() {
                let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
                let pss = rollup.lines().find(|line| line.starts_with("Pss:"));
                let pss = pss.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
                kib += pss.unwrap_or_default();
            }
        }
        Ok(kib / 1024.0)
    }

    fn lab(&self) -> anyhow::Result<Lab> {
        let tag = std::fs::read_to_string(self.server.data_dir.join("node-tag"))?;
        Ok(Lab::new(&tag, format!("/run/causeway/{tag}")))
    }

    /// A host in a network's subnet.
    async fn host(&self, name: &str, network: &Network) -> anyhow::Result<(Machine, IpAddr)> {
        let place = Command::new(std::env::current_dir()?.join("target/release/causeway"))
            .args(["ctl", "--data-dir"])
            .arg(&self.server.data_dir)
            .args(["subnet", &network.subnet])
            .output()?;
        let place: Value = serde_json::from_slice(&place.stdout).context("causeway ctl subnet")?;
        let cidr: IpNet = text(&place, "/cidr")?.parse()?;
        let ip = cidr.hosts().nth(99).context("a hundredth address")?;
        let spec = HostSpec {
            name: name.to_owned(),
            network: text(&place, "/network")?.parse()?,
            subnet: text(&place, "/subnet")?.parse()?,
            address: IpNet::new(ip, cidr.prefix_len())?,
            router_ip: text(&place, "/router_ip")?.parse()?,
        };
        Ok((self.lab()?.add_host(&spec).await?, ip))
    }

    /// Two networks with a gateway and a host each, connected. Gives the time from the first call to the first
    /// ping's answer.
    async fn pair(&mut self, number: usize, bandwidth: u32) -> anyhow::Result<Pair> {
        let (left, right) = (self.network().await?, self.network().await?);
        let gateways = [self.create(&left.vpc, bandwidth).await?, self.create(&right.vpc, bandwidth).await?];
        let addresses = [self.active(&gateways[0]).await?, self.active(&gateways[1]).await?];
        let (from, _) = self.host(&format!("l{number}"), &left).await?;
        let (to, ip) = self.host(&format!("r{number}"), &right).await?;
        let mut peers = Vec::new();
        for address in &addresses {
            let parameters = json!({"CustomerGatewayName": "bench", "IpAddress": address});
            let made = self.call("CreateCustomerGateway", parameters).await?;
            peers.push(text(&made, "/CustomerGateway/CustomerGatewayId")?);
        }
        for (network, other, gateway) in [(&left, &right, &gateways[0]), (&right, &left, &gateways[1])] {
            let route =
                json!({"DestinationCidrBlock": other.range, "GatewayType": "VPN", "GatewayId": gateway});
            self.call("CreateRoutes", json!({"RouteTableId": network.table, "Routes": [route]})).await?;
        }
        let began = Instant::now();
        for (network, other, gateway, peer) in
            [(&left, &right, &gateways[0], &peers[1]), (&right, &left, &gateways[1], &peers[0])]
        {
            let parameters = json!({
                "VpcId": network.vpc, "VpnGatewayId": gateway, "CustomerGatewayId": peer,
                "VpnConnectionName": "bench", "PreShareKey": "benchbenchbench",
                "SecurityPolicyDatabases": [
                    {"LocalCidrBlock": network.range, "RemoteCidrBlock": [other.range]},
                ],
                "IKEOptionsSpecification": {"IKEVersion": "IKEV2", "PropoEncryAlgorithm": "AES-CBC-128",
                    "PropoAuthenAlgorithm": "SHA-256", "DhGroupName": "GROUP19"},
                "IPSECOptionsSpecification": {"EncryptAlgorithm": "AES128GCM128"},
            });
            self.call("CreateVpnConnection", parameters).await?;
        }
        // A ping that waits for its answer no longer than 20 ms.
        let (to_text, limit) = (ip.to_string(), Duration::from_secs(5));
        let ping = ["ping", "-n", "-q", "-c", "1", "-W", "0.02", &to_text];
        while !from.exec(&ping, limit).await?.status.success() {
            if began.elapsed() > PATIENCE {
                bail!("no ping came back");
            }
        }
        Ok(Pair { from, to, ip, took: began.elapsed() })
    }

    async fn connections(&mut self, count: usize) -> anyhow::Result<()> {
        let mut times = Vec::new();
        for number in 0..count {
            times.push(self.pair(number, 100).await?.took);
        }
        spread("CreateVpnConnection on both ends to the first ping", times);
        Ok(())
    }

    async fn bandwidth(&mut self, bandwidth: u32) -> anyhow::Result<()> {
        let pair = self.pair(1_000 + bandwidth as usize, bandwidth).await?;
        let tcp = |reverse| pair.from.iperf(&pair.to, pair.ip, Protocol::Tcp { streams: 4 }, 5, reverse);
        let (out, back) = (tcp(false).await?, tcp(true).await?);
        let share = |measured: f64| measured / f64::from(bandwidth) * 100.0;
        println!(
            "{bandwidth} Mbit/s bought: {:.1} out ({:.0} %), {:.1} back ({:.0} %) of TCP payload",
            out.mbps,
            share(out.mbps),
            back.mbps,
            share(back.mbps)
        );
        Ok(())
    }
}

struct Pair {
    from: Machine,
    to: Machine,
    ip: IpAddr,
    took: Duration,
}

fn text(value: &Value, pointer: &str) -> anyhow::Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("the answer has no {pointer}: {value}"))
}
