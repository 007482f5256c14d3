//! The API's benchmark: ours beside moto_server, in turn, in one run.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use causeway_client::tencent::Destination;
use causeway_client::{AccessKey, Client, SignedRequest, alibaba, nonce, now, tencent};
use serde_json::{Value, json};

use super::Api;
use super::load::{Figures, Load, Requests, wire};
use super::moto;
use super::service::Server;

const ALIBABA_VERSION: &str = "2016-04-28";
const VPC: Destination<'_> = Destination { service: "vpc", version: "2017-03-12", region: "ap-guangzhou" };
/// Gateways of one network: what fits the link to its router.
const PER_NETWORK: usize = 200;
/// moto's answers grow with its gateways; more than these would measure nothing else.
const MOTO_SIZE_MAX: usize = 2_000;
/// Requests with a nonce that are signed beforehand for each second: more than are answered in it.
const SIGNED_PER_SECOND: usize = 90_000;

/// Measures and prints a table.
pub async fn run(options: &Api) -> anyhow::Result<()> {
    let server = Server::causeway(&options.causeway, "memory")?;
    let idle = server.memory_mib().context("the service's memory")?;
    println!(
        "start to ready line: {:.1} ms; idle memory: {idle:.1} MiB\n",
        server.started_in.as_secs_f64() * 1e3
    );
    let moto = options.moto.as_deref().map(Moto::start).transpose()?;
    let mut bench = Bench::new(server, options);
    println!("| gateways | call | calls/s | p50 | p99 | server CPU per call |\n|---|---|---|---|---|---|");
    for &size in &options.sizes {
        bench.grow(size).await?;
        if let Some(moto) = &moto {
            moto.grow(size.min(MOTO_SIZE_MAX), options).await?;
        }
        let mut rows: Vec<(String, Vec<Figures>)> = Vec::new();
        for _ in 0..options.rounds {
            let mut measured = bench.measure().await?;
            if let Some(moto) = &moto {
                measured.extend(moto.measure(options).await?);
            }
            for (name, figures) in measured {
                match rows.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, all)) => all.push(figures),
                    None => rows.push((name, vec![figures])),
                }
            }
        }
        for (name, figures) in rows {
            print_row(size, &name, &median(figures));
        }
        let memory = bench.server.memory_mib().unwrap_or_default();
        let present: usize = bench.made.iter().sum();
        println!("| {size} | memory with {present} gateways | {memory:.0} MiB | | | |");
    }
    let present: usize = bench.made.iter().sum();
    let again = bench.server.restarted(&options.causeway)?;
    println!(
        "\nstart to ready line with {present} gateways in the store: {:.0} ms; memory then: {:.0} MiB",
        again.started_in.as_secs_f64() * 1e3,
        again.memory_mib().unwrap_or_default()
    );
    Ok(())
}

fn print_row(size: usize, name: &str, figures: &Figures) {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "| {size} | {name} | {:.0} | {:.2} ms | {:.2} ms | {:.1} µs |",
        figures.per_second,
        ms(figures.p50),
        ms(figures.p99),
        figures.server_cpu.as_secs_f64() * 1e6
    );
}

fn median(mut figures: Vec<Figures>) -> Figures {
    figures.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    figures[figures.len() / 2]
}

struct Bench<'a> {
    options: &'a Api,
    server: Server,
    key: AccessKey,
    host: String,
    /// Networks of each API, used one after the other.
    networks: [Vec<String>; 2],
    /// Gateways made of each API.
    made: [usize; 2],
}

impl<'a> Bench<'a> {
    fn new(server: Server, options: &'a Api) -> Self {
        let host = server.address.to_string();
        Self { options, server, key: Server::key(), host, networks: Default::default(), made: [0; 2] }
    }

    /// Makes networks until `more` further gateways of an API have a place.
    async fn make_room(&mut self, api: usize, more: usize) -> anyhow::Result<()> {
        let mut client = Client::new(self.server.address, self.key.clone());
        while self.networks[api].len() * PER_NETWORK < self.made[api] + more {
            let id = if api == 0 {
                let parameters = [("RegionId", "cn-hangzhou"), ("CidrBlock", "10.0.0.0/8")];
                client.alibaba(ALIBABA_VERSION, "CreateVpc", &parameters).await?["VpcId"].take()
            } else {
                let parameters = json!({"VpcName": "bench", "CidrBlock": "10.0.0.0/16"});
                client.tencent(VPC, "CreateVpc", &parameters).await?["Vpc"]["VpcId"].take()
            };
            self.networks[api].push(id.as_str().context("a VpcId")?.to_owned());
        }
        Ok(())
    }

    fn alibaba(&self, action: &str, parameters: &[(&str, &str)]) -> SignedRequest {
        let mut owned: Vec<(String, String)> =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        owned.push(("RegionId".to_owned(), "cn-hangzhou".to_owned()));
        alibaba::sign(&self.key, &self.host, ALIBABA_VERSION, action, &owned, now(), nonce())
    }

    /// Reads with a nonce each, enough for the time of one measurement.
    fn alibaba_reads(&self, action: &str, parameters: &[(&str, &str)]) -> Requests {
        let count = self.options.seconds as usize * SIGNED_PER_SECOND;
        Requests::Once((0..count).map(|_| wire(&self.alibaba(action, parameters))).collect())
    }

    fn tencent(&self, action: &str, parameters: &Value) -> SignedRequest {
        tencent::sign(&self.key, &self.host, VPC, action, parameters, now())
    }

    /// `count` creations of gateways of an API.
    async fn creations(&mut self, api: usize, count: usize) -> anyhow::Result<Requests> {
        self.make_room(api, count).await?;
        let of = |number: usize| {
            let network = &self.networks[api][number / PER_NETWORK];
            wire(&if api == 0 {
                let parameters = [
                    ("VpcId", network.as_str()),
                    ("Bandwidth", "5"),
                    ("InstanceChargeType", "POSTPAY"),
                    ("Period", "1"),
                ];
                self.alibaba("CreateVpnGateway", &parameters)
            } else {
                let name = "VpnGatewayName";
                let parameters = json!({"VpcId": network, name: "bench", "InternetMaxBandwidthOut": 5});
                self.tencent("CreateVpnGateway", &parameters)
            })
        };
        let requests = (self.made[api]..self.made[api] + count).map(of).collect();
        self.made[api] += count;
        Ok(Requests::Once(requests))
    }

    fn drive(
        &self,
        connections: usize,
        time: Option<Duration>,
        requests: &Requests,
    ) -> anyhow::Result<Figures> {
        let cpu = || self.server.cpu();
        let (address, proof) = (self.server.address, "\"VpnGatewayId\":\"vpn");
        Load { address, connections, requests, time, proof, cpu: &cpu }.drive()
    }

    async fn create(&mut self, api: usize, count: usize) -> anyhow::Result<Figures> {
        let requests = self.creations(api, count).await?;
        self.drive(self.options.create_connections, None, &requests)
    }

    /// Makes gateways until there are `size` of each API.
    async fn grow(&mut self, size: usize) -> anyhow::Result<()> {
        for api in [0, 1] {
            let missing = size.saturating_sub(self.made[api]);
            if missing > 0 {
                let figures = self.create(api, missing).await?;
                let name = ["Alibaba", "Tencent"][api];
                print_row(size, &format!("{name}: {missing} made to get here"), &figures);
            }
        }
        Ok(())
    }

    async fn measure(&mut self) -> anyhow::Result<Vec<(String, Figures)>> {
        let mut client = Client::new(self.server.address, self.key.clone());
        let region = ("RegionId", "cn-hangzhou");
        let page = client.alibaba(ALIBABA_VERSION, "DescribeVpnGateways", &[region]).await?;
        let id = &page["VpnGateways"]["VpnGateway"][0]["VpnGatewayId"];
        let id = id.as_str().context("a gateway")?;
        let page = client.tencent(VPC, "DescribeVpnGateways", &json!({"Limit": 1})).await?;
        let tencent_id = page["VpnGatewaySet"][0]["VpnGatewayId"].as_str().context("a gateway")?;
        let middle = (self.made[0] / 2 / 10 + 1).to_string();
        let of_tencent = |parameters: &Value| {
            Requests::Again(vec![wire(&self.tencent("DescribeVpnGateways", parameters))])
        };
        type Read<'a> = (&'a str, Box<dyn Fn() -> Requests + 'a>);
        let reads: [Read<'_>; 4] = [
            (
                "Alibaba DescribeVpnGateway by id",
                Box::new(|| self.alibaba_reads("DescribeVpnGateway", &[("VpnGatewayId", id)])),
            ),
            (
                "Tencent DescribeVpnGateways by id",
                Box::new(|| of_tencent(&json!({"VpnGatewayIds": [tencent_id]}))),
            ),
            (
                "Alibaba DescribeVpnGateways, a page of 10 in the middle",
                Box::new(|| {
                    let page = [("PageSize", "10"), ("PageNumber", middle.as_str())];
                    self.alibaba_reads("DescribeVpnGateways", &page)
                }),
            ),
            (
                "Tencent DescribeVpnGateways, a page of 10 in the middle",
                Box::new(|| of_tencent(&json!({"Offset": self.made[1] / 2, "Limit": 10}))),
            ),
        ];
        let time = Some(Duration::from_secs(self.options.seconds));
        let mut rows = Vec::new();
        let is_asked = |name: &str| name.contains(&self.options.only);
        for (name, requests) in reads.iter().filter(|(name, _)| is_asked(name)) {
            rows.push(((*name).to_owned(), self.drive(self.options.connections, time, &requests())?));
        }
        drop(reads);
        for (api, name) in ["Alibaba", "Tencent"].into_iter().enumerate() {
            // A tenth of the gateways at most, so that the creations do not change what is measured.
            let count = (self.made[api] / 10).clamp(500, 10_000);
            let name = format!("{name} CreateVpnGateway, durable");
            if name.contains(&self.options.only) {
                rows.push((name, self.create(api, count).await?));
            }
        }
        Ok(rows)
    }
}

struct Moto {
    server: Server,
    host: String,
}

impl Moto {
    fn start(binary: &Path) -> anyhow::Result<Self> {
        let server = Server::moto(binary)?;
        let host = server.address.to_string();
        Ok(Self { server, host })
    }

    async fn ids(&self) -> anyhow::Result<Vec<String>> {
        let mut client = Client::new(self.server.address, Server::key());
        let body = client.send(moto::request(&self.host, moto::list())).await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        let ids = text.split("<vpnGatewayId>").skip(1).filter_map(|rest| rest.split('<').next());
        Ok(ids.map(str::to_owned).collect())
    }

    fn drive(
        &self,
        body: &str,
        count: Option<usize>,
        time: Option<Duration>,
        options: &Api,
    ) -> anyhow::Result<Figures> {
        let request = wire(&moto::request(&self.host, body.to_owned()));
        let requests = match count {
            Some(count) => Requests::Once(vec![request; count]),
            None => Requests::Again(vec![request]),
        };
        let cpu = || self.server.cpu();
        let (address, connections, proof) = (self.server.address, options.connections, "<vpnGatewayId>");
        Load { address, connections, requests: &requests, time, proof, cpu: &cpu }.drive()
    }

    async fn grow(&self, size: usize, options: &Api) -> anyhow::Result<()> {
        let missing = size.saturating_sub(self.ids().await?.len());
        if missing > 0 {
            self.drive(&moto::create(), Some(missing), None, options)?;
        }
        Ok(())
    }

    async fn measure(&self, options: &Api) -> anyhow::Result<Vec<(String, Figures)>> {
        let ids = self.ids().await?;
        let time = Some(Duration::from_secs(options.seconds));
        let id = ids.first().context("moto has a gateway")?;
        let calls = [
            ("describe by id", moto::by_id(id), None, time),
            ("list of all", moto::list(), None, time),
            ("create", moto::create(), Some(200), None),
        ];
        let mut rows = Vec::new();
        for (name, body, count, time) in calls {
            let size = ids.len().div_ceil(1_000) * 1_000;
            rows.push((
                format!("moto (up to {size} gateways) {name}"),
                self.drive(&body, count, time, options)?,
            ));
        }
        Ok(rows)
    }
}
