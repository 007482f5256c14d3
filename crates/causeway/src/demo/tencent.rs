//! The second half: a gateway made through the Tencent Cloud API, connected to the Alibaba gateway, each through its
//! own API.

use std::net::IpAddr;

use anyhow::Context;
use causeway_client::Client;
use causeway_client::tencent::Destination;
use serde_json::{Value, json};

use super::alibaba::{self, Built};
use super::child::Child;
use super::evidence;
use super::report::Report;
use super::{step, until};
use crate::control::Ask;
use crate::ctl;
use crate::lab::Place;

const VPC: Destination<'_> = Destination { service: "vpc", version: "2017-03-12", region: "ap-guangzhou" };
const VPC_CIDR: &str = "172.16.0.0/16";
const SUBNET_CIDR: &str = "172.16.1.0/24";
const HOST_IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(172, 16, 1, 100));
/// Mbit/s bought.
const BANDWIDTH: u32 = 50;

async fn call(client: &mut Client, action: &str, parameters: Value) -> anyhow::Result<Value> {
    Ok(client.tencent(VPC, action, &parameters).await?)
}

fn text(value: &Value, pointer: &str) -> anyhow::Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("the answer has no {pointer}"))
}

/// Builds the second cloud, connects it to the first, and sends traffic across.
pub async fn across_clouds(
    client: &mut Client,
    child: &Child,
    other: &Built,
    packets: bool,
    report: &mut Report,
) -> anyhow::Result<()> {
    println!("\nTencent Cloud API: a VPC and a VPN gateway, connected to the Alibaba gateway");
    let (vpc, subnet) = step("CreateVpc, CreateSubnet", network(client)).await?;
    let (gateway, public_ip) =
        step("CreateVpnGateway, until DescribeVpnGateways says AVAILABLE", gateway(client, &vpc)).await?;
    let psk = format!("{:032x}", causeway_client::nonce());
    let mine = step("both: CreateCustomerGateway, CreateVpnConnection", async {
        let theirs = their_connection(client, other, &public_ip, &psk).await?;
        let mine = connection(client, &vpc, &gateway, other, &psk).await?;
        routes(client, &vpc, &gateway, other.range).await?;
        report.row("Connections across", &format!("{mine} (Tencent), {theirs} (Alibaba)"));
        anyhow::Ok((mine, theirs))
    })
    .await?;
    report.row("Tencent VPN gateway", &format!("{gateway} at {public_ip}, {BANDWIDTH} Mbit/s bought"));
    step("until DescribeVpnConnections says AVAILABLE, and ipsec_sa_established on the other side", async {
        until(async || {
            let found = call(client, "DescribeVpnConnections", json!({"VpnConnectionIds": [mine.0]})).await?;
            Ok((found.pointer("/VpnConnectionSet/0/NetStatus") == Some(&json!("AVAILABLE"))).then_some(()))
        })
        .await?;
        alibaba::wait_for_tunnel(client, &mine.1).await
    })
    .await?;
    report.row("Tunnel across (APIs)", "NetStatus AVAILABLE, ipsec_sa_established");
    if packets && let Some(server) = &other.host {
        let place: Place = serde_json::from_value(ctl::ask(&child.data_dir, &Ask::Subnet { id: subnet })?)?;
        let lab = child.lab()?;
        let host = lab.add_host(&place.host("tc-host", HOST_IP)?).await?;
        let to = IpAddr::from([10, 10, 1, 100]);
        let carried = step("Tencent's host to Alibaba's host: ping, iperf3", async {
            evidence::measured(&host, server, to).await
        })
        .await?;
        report.carried("Cloud to cloud", &carried, BANDWIDTH);
    }
    Ok(())
}

async fn network(client: &mut Client) -> anyhow::Result<(String, String)> {
    let made = call(client, "CreateVpc", json!({"VpcName": "demo", "CidrBlock": VPC_CIDR})).await?;
    let vpc = text(&made, "/Vpc/VpcId")?;
    let parameters = json!({
        "VpcId": vpc, "SubnetName": "demo", "CidrBlock": SUBNET_CIDR, "Zone": "ap-guangzhou-3",
    });
    let made = call(client, "CreateSubnet", parameters).await?;
    Ok((vpc, text(&made, "/Subnet/SubnetId")?))
}

async fn gateway(client: &mut Client, vpc: &str) -> anyhow::Result<(String, String)> {
    let parameters = json!({
        "VpcId": vpc, "VpnGatewayName": "demo", "InternetMaxBandwidthOut": BANDWIDTH,
        "InstanceChargeType": "POSTPAID_BY_HOUR",
    });
    let id = text(&call(client, "CreateVpnGateway", parameters).await?, "/VpnGateway/VpnGatewayId")?;
    let public_ip = until(async || {
        let found = call(client, "DescribeVpnGateways", json!({"VpnGatewayIds": [id]})).await?;
        let gateway = &found["VpnGatewaySet"][0];
        let is_there = gateway["State"] == "AVAILABLE";
        Ok(is_there.then(|| gateway["PublicIpAddress"].as_str().unwrap_or_default().to_owned()))
    })
    .await?;
    Ok((id, public_ip))
}

/// The connection on the Alibaba gateway.
async fn their_connection(
    client: &mut Client,
    other: &Built,
    public_ip: &str,
    psk: &str,
) -> anyhow::Result<String> {
    let customer = [("IpAddress", public_ip), ("Name", "tencent")];
    let customer = alibaba::call(client, "CreateCustomerGateway", &customer).await?;
    let ike = json!({
        "Psk": psk, "IkeVersion": "ikev2", "IkeEncAlg": "aes256", "IkeAuthAlg": "sha256", "IkePfs": "group14",
    });
    let ipsec = json!({"IpsecEncAlg": "aes256", "IpsecAuthAlg": "sha256", "IpsecPfs": "disabled"});
    let (ike, ipsec) = (ike.to_string(), ipsec.to_string());
    let parameters = [
        ("VpnGatewayId", other.gateway.as_str()),
        ("CustomerGatewayId", customer["CustomerGatewayId"].as_str().context("a customer gateway")?),
        ("LocalSubnet", other.range),
        ("RemoteSubnet", VPC_CIDR),
        ("EffectImmediately", "true"),
        ("IkeConfig", ike.as_str()),
        ("IpsecConfig", ipsec.as_str()),
        ("Name", "tencent"),
    ];
    // The gateway takes one change at a time.
    let made = until(async || match alibaba::call(client, "CreateVpnConnection", &parameters).await {
        Ok(made) => Ok(Some(made)),
        Err(error) if error.to_string().contains("Configuring") => Ok(None),
        Err(error) => Err(error),
    })
    .await?;
    made["VpnConnectionId"].as_str().map(str::to_owned).context("a connection")
}

async fn connection(
    client: &mut Client,
    vpc: &str,
    gateway: &str,
    other: &Built,
    psk: &str,
) -> anyhow::Result<String> {
    let parameters = json!({"CustomerGatewayName": "alibaba", "IpAddress": other.public_ip});
    let customer = text(
        &call(client, "CreateCustomerGateway", parameters).await?,
        "/CustomerGateway/CustomerGatewayId",
    )?;
    let parameters = json!({
        "VpcId": vpc, "VpnGatewayId": gateway, "CustomerGatewayId": customer,
        "VpnConnectionName": "alibaba", "PreShareKey": psk,
        "SecurityPolicyDatabases": [{"LocalCidrBlock": VPC_CIDR, "RemoteCidrBlock": [other.range]}],
        "IKEOptionsSpecification": {
            "IKEVersion": "IKEV2", "PropoEncryAlgorithm": "AES-CBC-256", "PropoAuthenAlgorithm": "SHA-256",
            "DhGroupName": "GROUP14",
        },
        "IPSECOptionsSpecification": {
            "EncryptAlgorithm": "AES-CBC-256", "IntegrityAlgorith": "SHA-256", "PfsDhGroup": "NULL",
        },
    });
    let made = call(client, "CreateVpnConnection", parameters).await?;
    text(&made, "/VpnConnection/VpnConnectionId")
}

/// In this cloud the owner routes the network's traffic to the gateway.
async fn routes(client: &mut Client, vpc: &str, gateway: &str, range: &str) -> anyhow::Result<()> {
    let filters = json!({"Filters": [
        {"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]},
    ]});
    let found = call(client, "DescribeRouteTables", filters).await?;
    let table = text(&found, "/RouteTableSet/0/RouteTableId")?;
    let parameters = json!({"RouteTableId": table, "Routes": [{
        "DestinationCidrBlock": range, "GatewayType": "VPN", "GatewayId": gateway,
        "RouteDescription": "demo", "Enabled": true,
    }]});
    call(client, "CreateRoutes", parameters).await?;
    Ok(())
}
