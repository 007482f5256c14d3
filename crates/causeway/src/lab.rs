//! `causeway lab`: hosts in a network's subnets, customer sites on the public side, and packets between them.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use causeway_dialect_alibaba::download;
use causeway_engine_linux::kernel_has_esp;
use causeway_lab::{HostSpec, Lab, Protocol, SiteSpec};
use causeway_peerconfig::swanctl;
use causeway_plan::{NetworkKey, SubnetKey};
use clap::Subcommand;
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;

use crate::control::Ask;
use crate::{ctl, node};

/// How long a command on a lab's machine may take.
const EXEC_TIME_MAX: Duration = Duration::from_secs(600);

/// `causeway lab`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The data directory of the service, which runs with `--engine linux`.
    #[arg(long, value_name = "DIR", global = true, default_value_os_t = crate::default_data_dir())]
    data_dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Attach a host to a vSwitch or subnet.
    Host {
        /// The host's name, 10 characters at most.
        name: String,
        /// The vSwitch or subnet, by its id in either API.
        #[arg(long)]
        subnet: String,
        /// The host's address in it.
        #[arg(long)]
        ip: IpAddr,
    },
    /// Make a customer site: a router with stock strongSwan on the public side, and a host behind it.
    Site {
        /// The site's name, 10 characters at most; its host is called NAME-host.
        name: String,
        /// The router's public address.
        #[arg(long)]
        public_ip: IpAddr,
        /// The site's range; the router takes its first address and the host its second.
        #[arg(long)]
        cidr: IpNet,
    },
    /// Load a swanctl.conf, or a downloaded configuration, into a site's strongSwan, in place of the one before.
    Load {
        /// The site.
        site: String,
        /// A swanctl.conf, or the JSON that a download was answered with: Alibaba's DownloadVpnConnectionConfig, or
        /// Tencent's DownloadCustomerGatewayConfiguration for strongSwan.
        file: PathBuf,
    },
    /// List hosts and sites.
    List,
    /// Run a command on a host or a site's router.
    Exec {
        /// The machine.
        name: String,
        /// The command and its arguments, after `--`.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Ping from a machine.
    Ping {
        /// The machine.
        from: String,
        /// The address.
        to: IpAddr,
        /// How often.
        #[arg(long, default_value_t = 4)]
        count: u32,
    },
    /// Measure TCP throughput from one machine to another.
    Iperf {
        /// The machine that sends.
        from: String,
        /// The machine that receives.
        to: String,
        /// The receiver's address.
        ip: IpAddr,
        /// Seconds.
        #[arg(long, default_value_t = 4)]
        seconds: u32,
        /// Streams side by side.
        #[arg(long, default_value_t = 1)]
        streams: u16,
    },
    /// Remove a host, or a site with its host; without a name everything.
    Delete {
        /// The host or site.
        name: Option<String>,
    },
}

/// Where a subnet is, as the service tells it.
#[derive(Debug, Deserialize)]
pub struct Place {
    network: NetworkKey,
    subnet: SubnetKey,
    cidr: IpNet,
    router_ip: IpAddr,
}

impl Place {
    /// A host of this subnet.
    ///
    /// # Errors
    /// When the address is not of the subnet's family.
    pub fn host(&self, name: &str, ip: IpAddr) -> anyhow::Result<HostSpec> {
        Ok(HostSpec {
            name: name.to_owned(),
            network: self.network.clone(),
            subnet: self.subnet.clone(),
            address: IpNet::new(ip, self.cidr.prefix_len())?,
            router_ip: self.router_ip,
        })
    }
}

/// A site of this name: the router has the first address of the range, the host the second.
///
/// # Errors
/// When the range has no two addresses, or the node refuses to say what its kernel can do.
pub async fn site(name: &str, public_ip: IpAddr, cidr: IpNet) -> anyhow::Result<SiteSpec> {
    let mut hosts = cidr.hosts();
    let (router, host_ip) = hosts.next().zip(hosts.next()).context("the range has two addresses")?;
    let router = IpNet::new(router, cidr.prefix_len())?;
    // Where the kernel has no ESP, the site's strongSwan uses its own.
    let libipsec = !kernel_has_esp().await?;
    Ok(SiteSpec { name: name.to_owned(), public_ip, router, host_ip, libipsec })
}

/// The swanctl.conf in a file: the file itself, what the second dialect's answer holds, or what is made of the first
/// one's.
fn swanctl_conf(site: &str, text: &str) -> anyhow::Result<String> {
    if !text.trim_start().starts_with('{') {
        return Ok(text.to_owned());
    }
    let answer: Value = serde_json::from_str(text)?;
    // SDKs print the answer, its body, or what they call the response.
    let answer = ["body", "Response"].into_iter().fold(&answer, |it, name| it.get(name).unwrap_or(it));
    match answer.get("CustomerGatewayConfiguration").and_then(Value::as_str) {
        Some(config) => Ok(config.to_owned()),
        None => Ok(swanctl::render(&download::read(site, answer)?, swanctl::Options::default())?),
    }
}

/// Runs a lab command.
///
/// # Errors
/// When there is no such machine, or the node refuses.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(command(arguments))
}

async fn command(arguments: Arguments) -> anyhow::Result<()> {
    let (tag, run_dir) = node::existing(&arguments.data_dir)?;
    let lab = Lab::new(&tag, run_dir);
    match arguments.command {
        Command::Host { name, subnet, ip } => {
            let place = ctl::ask(&arguments.data_dir, &Ask::Subnet { id: subnet })?;
            let place: Place = serde_json::from_value(place)?;
            lab.add_host(&place.host(&name, ip)?).await?;
            println!("{name} has {ip}");
        }
        Command::Site { name, public_ip, cidr } => {
            let spec = site(&name, public_ip, cidr).await?;
            lab.add_site(&spec).await?;
            println!("{name} has {public_ip}; {name}-host has {}", spec.host_ip);
        }
        Command::Load { site, file } => {
            let text =
                std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
            let config = swanctl_conf(&site, &text).with_context(|| format!("reading {}", file.display()))?;
            let said = lab.site(&site)?.load(&config).await?;
            print!("{said}");
            ensure!(said.contains("loaded connection"), "{} holds no connection", file.display());
        }
        Command::List => lab.list()?.iter().for_each(|name| println!("{name}")),
        Command::Exec { name, command } => {
            let argv: Vec<&str> = command.iter().map(String::as_str).collect();
            let finished = lab.machine(&name)?.exec(&argv, EXEC_TIME_MAX).await?;
            print!("{}", finished.stdout);
            eprint!("{}", finished.stderr);
            std::process::exit(finished.status.code().unwrap_or(1));
        }
        Command::Ping { from, to, count } => {
            let ping = lab.machine(&from)?.ping(to, count, Duration::from_millis(200)).await?;
            let rtt = ping.mean_rtt_ms.map(|rtt| format!(", {rtt:.2} ms")).unwrap_or_default();
            println!("{} of {} came back{rtt}", ping.received, ping.sent);
            if ping.received == 0 {
                std::process::exit(1);
            }
        }
        Command::Iperf { from, to, ip, seconds, streams } => {
            let server = lab.machine(&to)?;
            let protocol = Protocol::Tcp { streams };
            let result = lab.machine(&from)?.iperf(&server, ip, protocol, seconds, false).await?;
            println!("{:.1} Mbit/s, {} retransmits", result.mbps, result.retransmits.unwrap_or_default());
        }
        Command::Delete { name: Some(name) } => {
            ensure!(lab.list()?.contains(&name), "there is no host or site {name:?}");
            lab.delete(&name).await?;
        }
        Command::Delete { name: None } => lab.clear().await?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::swanctl_conf;

    #[test]
    fn a_download_is_loaded_as_it_was_answered() {
        let own = "connections {\n}\n";
        assert_eq!(swanctl_conf("branch", own).unwrap(), own);
        let second = json!({"CustomerGatewayConfiguration": own, "RequestId": "1"});
        for answer in [second.clone(), json!({"Response": second})] {
            assert_eq!(swanctl_conf("branch", &answer.to_string()).unwrap(), own);
        }
        let phase = |name: &str, more: serde_json::Value| {
            let mut members = json!({
                format!("{name}EncAlg"): "aes", format!("{name}AuthAlg"): "sha1", format!("{name}Pfs"): "group2",
                format!("{name}Lifetime"): 86400,
            });
            members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            members
        };
        let ike = json!({"IkeVersion": "ikev2", "IkeMode": "main", "Psk": "secret word", "LocalId": "203.0.113.10",
            "RemoteId": "198.51.100.6"});
        let first = json!({"VpnConnectionConfig": {
            "IkeConfig": phase("Ike", ike), "IpsecConfig": phase("Ipsec", json!({})), "Local": "203.0.113.10",
            "Remote": "198.51.100.6", "LocalSubnet": "192.168.10.0/24", "RemoteSubnet": "10.0.0.0/16",
        }});
        for answer in [first.clone(), json!({"statusCode": 200, "body": first})] {
            let config = swanctl_conf("branch", &answer.to_string()).unwrap();
            for text in ["198.51.100.6", "192.168.10.0/24", "10.0.0.0/16", "secrets"] {
                assert!(config.contains(text), "{config}");
            }
        }
        assert!(swanctl_conf("branch", r#"{"Code": "Forbidden"}"#).is_err());
        assert!(swanctl_conf("branch", "{nonsense").is_err());
    }
}
