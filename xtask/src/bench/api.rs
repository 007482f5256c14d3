//! The API's benchmark.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use causeway_client::tencent::Destination;
use causeway_client::{AccessKey, Client, SignedRequest, alibaba, nonce, now, tencent};
use serde_json::{Value, json};

use super::Api;
use super::load::{Figures, Until, drive};
use super::moto;
use super::service::Server;

const ALIBABA_VERSION: &str = "2016-04-28";
const VPC: Destination<'_> = Destination { service: "vpc", version: "2017-03-12", region: "ap-guangzhou" };
/// Gateways of one network: what fits the link to its router.
const PER_NETWORK: usize = 200;
/// moto's answers grow with its gateways; more than these would measure nothing else.
const MOTO_SIZE_MAX: usize = 2_000;

/// Measures and prints a table.
pub async fn run(options: &Api) -> anyhow::Result<()> {
    let ours = Server::causeway(&options.causeway, "memory")?;
    let idle = ours.memory_mib().context("the service's memory")?;
    println!(
        "start to ready line: {:.1} ms; idle memory: {idle:.1} MiB\n",
        ours.started_in.as_secs_f64() * 1e3
    );
    let moto = options.moto.as_deref().map(Moto::start).transpose()?;
    let bench = Bench::new(ours, options);
    println!("| gateways | call | calls/s | p50 | p99 |\n|---|---|---|---|---|");
    let mut present = 0;
    for &size in &options.sizes {
        bench.grow(&mut present, size).await?;
        if let Some(moto) = &moto {
            moto.grow(size.min(MOTO_SIZE_MAX), options).await?;
        }
        let mut rows: Vec<(String, Vec<Figures>)> = Vec::new();
        for _ in 0..options.rounds {
            let mut measured = bench.measure(&mut present).await?;
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
            let median = median(figures);
            let ms = |time: Duration| time.as_secs_f64() * 1e3;
            println!(
                "| {size} | {name} | {:.0} | {:.2} ms | {:.2} ms |",
                median.per_second,
                ms(median.p50),
                ms(median.p99)
            );
        }
    }
    println!("\nmemory with {present} gateways: {:.0} MiB", bench.server.memory_mib().unwrap_or_default());
    Ok(())
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
    networks: [Rc<RefCell<Vec<String>>>; 2],
    /// Gateways made of each API.
    made: [Rc<Cell<usize>>; 2],
}

type Make = Box<dyn Fn() -> SignedRequest>;

impl<'a> Bench<'a> {
    fn new(server: Server, options: &'a Api) -> Self {
        let host = server.address.to_string();
        Self {
            options,
            server,
            key: Server::key(),
            host,
            networks: Default::default(),
            made: Default::default(),
        }
    }

    /// Makes networks until `more` further gateways of each API have a place.
    async fn make_room(&self, more: usize) -> anyhow::Result<()> {
        let mut client = Client::new(self.server.address, self.key.clone());
        for (api, networks) in self.networks.iter().enumerate() {
            while networks.borrow().len() * PER_NETWORK < self.made[api].get() + more {
                let id = if api == 0 {
                    let parameters = [("RegionId", "cn-hangzhou"), ("CidrBlock", "10.0.0.0/8")];
                    client.alibaba(ALIBABA_VERSION, "CreateVpc", &parameters).await?["VpcId"].take()
                } else {
                    let parameters = json!({"VpcName": "bench", "CidrBlock": "10.0.0.0/16"});
                    client.tencent(VPC, "CreateVpc", &parameters).await?["Vpc"]["VpcId"].take()
                };
                networks.borrow_mut().push(id.as_str().context("a VpcId")?.to_owned());
            }
        }
        Ok(())
    }

    fn until(&self) -> Until {
        Until::Elapsed(Duration::from_secs(self.options.seconds))
    }

    fn alibaba(
        &self,
        action: &'static str,
        parameters: &[(&str, &str)],
    ) -> impl Fn() -> SignedRequest + use<> {
        let (key, host) = (self.key.clone(), self.host.clone());
        let mut owned: Vec<(String, String)> =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        owned.push(("RegionId".to_owned(), "cn-hangzhou".to_owned()));
        move || alibaba::sign(&key, &host, ALIBABA_VERSION, action, &owned, now(), nonce())
    }

    fn tencent(&self, action: &'static str, parameters: Value) -> impl Fn() -> SignedRequest + use<> {
        let (key, host) = (self.key.clone(), self.host.clone());
        move || tencent::sign(&key, &host, VPC, action, &parameters, now())
    }

    /// The network of the next gateway of an API.
    fn next_network(&self, api: usize) -> impl Fn() -> String + use<> {
        let (networks, made) = (Rc::clone(&self.networks[api]), Rc::clone(&self.made[api]));
        move || {
            let number = made.replace(made.get() + 1);
            networks.borrow()[number / PER_NETWORK].clone()
        }
    }

    fn creations(&self) -> [(&'static str, Make); 2] {
        let (key, host) = (self.key.clone(), self.host.clone());
        let network = self.next_network(0);
        let alibaba = move || {
            let parameters = [
                ("RegionId", "cn-hangzhou"),
                ("VpcId", &network()),
                ("Bandwidth", "5"),
                ("InstanceChargeType", "POSTPAY"),
                ("Period", "1"),
            ];
            let parameters: Vec<_> =
                parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            alibaba::sign(&key, &host, ALIBABA_VERSION, "CreateVpnGateway", &parameters, now(), nonce())
        };
        let (key, host) = (self.key.clone(), self.host.clone());
        let network = self.next_network(1);
        let tencent = move || {
            let parameters =
                json!({"VpcId": network(), "VpnGatewayName": "bench", "InternetMaxBandwidthOut": 5});
            tencent::sign(&key, &host, VPC, "CreateVpnGateway", &parameters, now())
        };
        [("Alibaba CreateVpnGateway", Box::new(alibaba)), ("Tencent CreateVpnGateway", Box::new(tencent))]
    }

    /// Makes gateways until there are `size` of each API.
    async fn grow(&self, present: &mut usize, size: usize) -> anyhow::Result<()> {
        let missing = size.saturating_sub(*present);
        if missing == 0 {
            return Ok(());
        }
        self.make_room(missing).await?;
        for (_, make) in self.creations() {
            let connections = self.options.connections * 4;
            drive(self.server.address, connections, Until::Count(missing), move |_| make(), is_made).await?;
        }
        *present = size;
        Ok(())
    }

    async fn measure(&self, present: &mut usize) -> anyhow::Result<Vec<(String, Figures)>> {
        let (address, connections) = (self.server.address, self.options.connections);
        let mut rows = Vec::new();
        let mut client = Client::new(address, self.key.clone());
        let region = ("RegionId", "cn-hangzhou");
        let page = client.alibaba(ALIBABA_VERSION, "DescribeVpnGateways", &[region]).await?;
        let id =
            page["VpnGateways"]["VpnGateway"][0]["VpnGatewayId"].as_str().context("a gateway")?.to_owned();
        let page = client.tencent(VPC, "DescribeVpnGateways", &json!({"Limit": 1})).await?;
        let tencent_id = page["VpnGatewaySet"][0]["VpnGatewayId"].as_str().context("a gateway")?.to_owned();
        let middle = (*present / 2 / 10 + 1).to_string();
        let reads: [(&str, Make); 4] = [
            (
                "Alibaba DescribeVpnGateway by id",
                Box::new(self.alibaba("DescribeVpnGateway", &[("VpnGatewayId", &id)])),
            ),
            (
                "Tencent DescribeVpnGateways by id",
                Box::new(self.tencent("DescribeVpnGateways", json!({"VpnGatewayIds": [tencent_id]}))),
            ),
            (
                "Alibaba DescribeVpnGateways, a page of 10 in the middle",
                Box::new(self.alibaba("DescribeVpnGateways", &[("PageSize", "10"), ("PageNumber", &middle)])),
            ),
            (
                "Tencent DescribeVpnGateways, a page of 10 in the middle",
                Box::new(self.tencent("DescribeVpnGateways", json!({"Offset": *present / 2, "Limit": 10}))),
            ),
        ];
        for (name, make) in reads {
            let figures = drive(address, connections, self.until(), move |_| make(), is_found).await?;
            rows.push((name.to_owned(), figures));
        }
        let count = (*present / 10).clamp(200, 20_000);
        self.make_room(count).await?;
        for (name, make) in self.creations() {
            // A tenth of the gateways at most, so that the creations do not change what is measured.
            let connections = connections * 4;
            let figures = drive(address, connections, Until::Count(count), move |_| make(), is_made).await?;
            rows.push((format!("{name}, durable"), figures));
        }
        Ok(rows)
    }
}

fn contains(answer: &[u8], text: &str) -> bool {
    answer.windows(text.len()).any(|window| window == text.as_bytes())
}

fn is_made(answer: &[u8]) -> bool {
    contains(answer, "\"VpnGatewayId\":\"vpn")
}

fn is_found(answer: &[u8]) -> bool {
    contains(answer, "\"VpnGatewayId\":\"vpn")
}

struct Moto {
    server: Server,
    host: Rc<str>,
}

impl Moto {
    fn start(binary: &Path) -> anyhow::Result<Self> {
        let server = Server::moto(binary)?;
        let host = server.address.to_string().into();
        Ok(Self { server, host })
    }

    fn requests(&self, body: String) -> impl Fn(usize) -> SignedRequest + use<> {
        let host = Rc::clone(&self.host);
        move |_| moto::request(&host, body.clone())
    }

    async fn ids(&self) -> anyhow::Result<Vec<String>> {
        let mut client = Client::new(self.server.address, Server::key());
        let body = client.send(moto::request(&self.host, moto::list())).await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        let ids = text.split("<vpnGatewayId>").skip(1).filter_map(|rest| rest.split('<').next());
        Ok(ids.map(str::to_owned).collect())
    }

    async fn grow(&self, size: usize, options: &Api) -> anyhow::Result<()> {
        let missing = size.saturating_sub(self.ids().await?.len());
        if missing > 0 {
            let requests = self.requests(moto::create());
            drive(self.server.address, options.connections, Until::Count(missing), requests, is_moto).await?;
        }
        Ok(())
    }

    async fn measure(&self, options: &Api) -> anyhow::Result<Vec<(String, Figures)>> {
        let ids = self.ids().await?;
        let until = Until::Elapsed(Duration::from_secs(options.seconds));
        let id = ids.first().context("moto has a gateway")?;
        let calls = [
            ("describe by id", moto::by_id(id), until),
            ("list of all", moto::list(), until),
            ("create", moto::create(), Until::Count(200)),
        ];
        let mut rows = Vec::new();
        for (name, body, until) in calls {
            let requests = self.requests(body);
            let figures = drive(self.server.address, options.connections, until, requests, is_moto).await?;
            let size = ids.len().div_ceil(1_000) * 1_000;
            rows.push((format!("moto (up to {size} gateways) {name}"), figures));
        }
        Ok(rows)
    }
}

fn is_moto(answer: &[u8]) -> bool {
    contains(answer, "<vpnGatewayId>")
}
