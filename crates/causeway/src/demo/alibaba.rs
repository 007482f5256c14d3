//! The first half: a gateway made through the Alibaba Cloud API, and a customer site set up from nothing but the
//! configuration that the API hands out.

use std::net::IpAddr;

use anyhow::Context;
use causeway_client::Client;
use causeway_dialect_alibaba::download;
use causeway_lab::{Machine, Site};
use causeway_peerconfig::swanctl;
use serde_json::{Value, json};

use super::child::Child;
use super::evidence;
use super::report::Report;
use super::{step, until};
use crate::control::Ask;
use crate::lab::Place;
use crate::{ctl, lab};

const VERSION: &str = "2016-04-28";
const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");
const VPC_CIDR: &str = "10.10.0.0/16";
const VSWITCH_CIDR: &str = "10.10.1.0/24";
const HOST_IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 10, 1, 100));
const SITE_PUBLIC_IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 10));
const SITE_CIDR: &str = "192.168.10.0/24";
/// Mbit/s bought.
const BANDWIDTH: u32 = 100;

/// What the second half builds on.
pub struct Built {
    /// The gateway's id.
    pub gateway: String,
    /// Its public address.
    pub public_ip: String,
    /// The VPC's range.
    pub range: &'static str,
    /// The host in the VPC, when packets are shown.
    pub host: Option<Machine>,
}

/// Calls an action in the demo's region.
pub async fn call(client: &mut Client, action: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Value> {
    let all: Vec<(&str, &str)> = std::iter::once(REGION).chain(parameters.iter().copied()).collect();
    Ok(client.alibaba(VERSION, action, &all).await?)
}

fn text(value: &Value, member: &str) -> anyhow::Result<String> {
    value[member].as_str().map(str::to_owned).with_context(|| format!("the answer has no {member}"))
}

/// Builds VPC, gateway, customer gateway and connection, and shows what they carry.
pub async fn site_to_site(
    client: &mut Client,
    child: &Child,
    packets: bool,
    report: &mut Report,
) -> anyhow::Result<Built> {
    println!("Alibaba Cloud API: a VPC, a VPN gateway, and a customer site");
    let (vpc, vswitch) = step("CreateVpc, CreateVSwitch", network(client)).await?;
    let place = if packets {
        let place: Place =
            serde_json::from_value(ctl::ask(&child.data_dir, &Ask::Subnet { id: vswitch.clone() })?)?;
        Some(place)
    } else {
        None
    };
    let bandwidth = BANDWIDTH.to_string();
    let (gateway, public_ip) = step(
        "CreateVpnGateway, until DescribeVpnGateway says active",
        gateway(client, &vpc, &vswitch, &bandwidth),
    )
    .await?;
    let customer = [("IpAddress", "203.0.113.10"), ("Name", "demo-site")];
    let customer = text(&call(client, "CreateCustomerGateway", &customer).await?, "CustomerGatewayId")?;
    let connection =
        step("CreateCustomerGateway, CreateVpnConnection", connection(client, &gateway, &customer)).await?;
    let download = call(client, "DownloadVpnConnectionConfig", &[("VpnConnectionId", &connection)]).await?;
    let config = swanctl::render(&download::read("demo", &download)?, swanctl::Options::default())?;
    report.row("Alibaba VPN gateway", &format!("{gateway} at {public_ip}, {BANDWIDTH} Mbit/s bought"));
    report.row("Alibaba connection", &connection);
    let mut host = None;
    if let Some(place) = place {
        let lab = child.lab()?;
        let machine = lab.add_host(&place.host("vpc-host", HOST_IP)?).await?;
        let spec = lab::site("site", SITE_PUBLIC_IP, SITE_CIDR.parse()?).await?;
        let site = step("lab: a site with stock strongSwan and a host behind it", async {
            Ok(lab.add_site(&spec).await?)
        })
        .await?;
        step("lab: load the downloaded configuration, until the API says ipsec_sa_established", async {
            site.load(&config).await?;
            wait_for_tunnel(client, &connection).await
        })
        .await?;
        carry(child, &site, report).await?;
        host = Some(machine);
    } else {
        report.row(
            "Peer configuration",
            &format!("{} lines of swanctl.conf from the download", config.lines().count()),
        );
    }
    Ok(Built { gateway, public_ip, range: VPC_CIDR, host })
}

async fn network(client: &mut Client) -> anyhow::Result<(String, String)> {
    let vpc =
        text(&call(client, "CreateVpc", &[("CidrBlock", VPC_CIDR), ("VpcName", "demo")]).await?, "VpcId")?;
    until(async || {
        let vpc = call(client, "DescribeVpcAttribute", &[("VpcId", &vpc)]).await?;
        Ok((vpc["Status"] == "Available").then_some(()))
    })
    .await?;
    let parameters = [("VpcId", vpc.as_str()), ("CidrBlock", VSWITCH_CIDR), ("ZoneId", "cn-hangzhou-b")];
    let vswitch = text(&call(client, "CreateVSwitch", &parameters).await?, "VSwitchId")?;
    until(async || {
        let vswitch = call(client, "DescribeVSwitchAttributes", &[("VSwitchId", &vswitch)]).await?;
        Ok((vswitch["Status"] == "Available").then_some(()))
    })
    .await?;
    Ok((vpc, vswitch))
}

async fn gateway(
    client: &mut Client,
    vpc: &str,
    vswitch: &str,
    bandwidth: &str,
) -> anyhow::Result<(String, String)> {
    let parameters = [
        ("VpcId", vpc),
        ("VSwitchId", vswitch),
        ("Bandwidth", bandwidth),
        ("InstanceChargeType", "POSTPAY"),
        ("EnableIpsec", "true"),
        ("Name", "demo"),
    ];
    let id = text(&call(client, "CreateVpnGateway", &parameters).await?, "VpnGatewayId")?;
    let public_ip = until(async || {
        let gateway = call(client, "DescribeVpnGateway", &[("VpnGatewayId", &id)]).await?;
        Ok((gateway["Status"] == "active")
            .then(|| gateway["InternetIp"].as_str().unwrap_or_default().to_owned()))
    })
    .await?;
    Ok((id, public_ip))
}

async fn connection(client: &mut Client, gateway: &str, customer: &str) -> anyhow::Result<String> {
    let ike = json!({"IkeVersion": "ikev2", "IkeEncAlg": "aes", "IkeAuthAlg": "sha256", "IkePfs": "group14"});
    let ipsec = json!({"IpsecEncAlg": "aes", "IpsecAuthAlg": "sha256", "IpsecPfs": "group14"});
    let (ike, ipsec) = (ike.to_string(), ipsec.to_string());
    let parameters = [
        ("VpnGatewayId", gateway),
        ("CustomerGatewayId", customer),
        ("LocalSubnet", VPC_CIDR),
        ("RemoteSubnet", SITE_CIDR),
        ("EffectImmediately", "false"),
        ("IkeConfig", ike.as_str()),
        ("IpsecConfig", ipsec.as_str()),
        ("Name", "demo"),
    ];
    let id = text(&call(client, "CreateVpnConnection", &parameters).await?, "VpnConnectionId")?;
    until(async || {
        let connection = call(client, "DescribeVpnConnection", &[("VpnConnectionId", &id)]).await?;
        Ok((connection["State"] == "active").then_some(()))
    })
    .await?;
    Ok(id)
}

/// Waits until the API reports the tunnel as up.
pub async fn wait_for_tunnel(client: &mut Client, connection: &str) -> anyhow::Result<()> {
    until(async || {
        let connection = call(client, "DescribeVpnConnection", &[("VpnConnectionId", connection)]).await?;
        Ok((connection["Status"] == "ipsec_sa_established").then_some(()))
    })
    .await
}

/// Traffic from the site's host to the VPC's host, and what the public leg carried meanwhile.
async fn carry(child: &Child, site: &Site, report: &mut Report) -> anyhow::Result<()> {
    let server = child.lab()?.machine("vpc-host")?;
    let carried =
        step("site's host to VPC's host: ping, iperf3, and every packet of the public leg", async {
            evidence::carried(&site.router, &site.host, &server, HOST_IP).await
        })
        .await?;
    report.row("Tunnel (API)", "ipsec_sa_established");
    report.carried("Site to VPC", &carried, BANDWIDTH);
    Ok(())
}
