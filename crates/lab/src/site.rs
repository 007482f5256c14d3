//! Customer sites: a router with stock strongSwan on the fabric, and a host behind it. A site gets its
//! swanctl.conf as text, so that a lab proves the configuration that was handed out.

use std::net::IpAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use causeway_engine_linux::fabric;
use causeway_engine_linux::links;
use causeway_engine_linux::netns::{self, HOST_SYSCTLS, Namespace, ROUTER_SYSCTLS};
use ipnet::IpNet;

use crate::Lab;
use crate::error::LabError;
use crate::exec::Machine;
use crate::host;

pub(crate) const HOST_SUFFIX: &str = "-host";
/// The router's link to the fabric, and to the site's own network.
const WAN: &str = "wan";
const LAN: &str = "lan";

const START_LIMIT: Duration = Duration::from_secs(20);
const SWANCTL_LIMIT: Duration = Duration::from_secs(30);

/// A site to make.
#[derive(Debug, Clone)]
pub struct SiteSpec {
    pub name: String,
    pub public_ip: IpAddr,
    /// The router's address in the site's network, with its prefix length.
    pub router: IpNet,
    /// The host's address there.
    pub host_ip: IpAddr,
    /// strongSwan's own ESP in user space (kernel-libipsec), for kernels without ESP.
    pub libipsec: bool,
}

/// A site.
#[derive(Debug, Clone)]
pub struct Site {
    pub router: Machine,
    pub host: Machine,
    dir: PathBuf,
}

/// The name of the host behind a site.
pub(crate) fn host_of(site: &str) -> String {
    format!("{site}{HOST_SUFFIX}")
}

impl Lab {
    /// Makes a site and starts its strongSwan, without any configuration yet. One that is there is made anew.
    ///
    /// # Errors
    /// [`LabError::Node`], [`LabError::Taken`] when a gateway or another site has the public address, or
    /// [`LabError::Timeout`] when charon does not start.
    pub async fn add_site(&self, spec: &SiteSpec) -> Result<Site, LabError> {
        let router = self.namespace(&spec.name)?;
        let host = self.namespace(&host_of(&spec.name))?;
        let port = format!("s-{}", spec.name);
        let fabric = Namespace::named(self.names.fabric());
        if fabric::leads_elsewhere(&fabric, spec.public_ip, &port).await? {
            return Err(LabError::Taken(spec.public_ip));
        }
        // A charon of before would keep the ports.
        netns::end_processes(&router).await?;
        router.ensure(ROUTER_SYSCTLS).await?;
        host.ensure(HOST_SYSCTLS).await?;
        fabric::attach(&fabric, &port, &router, WAN, spec.public_ip).await?;
        links::ensure_veth((&router, LAN), (&host, host::LINK)).await?;
        let socket = router.route()?;
        links::set_addresses(&socket, LAN, &[spec.router]).await?;
        links::up(&socket, LAN).await?;
        let address = IpNet::new(spec.host_ip, spec.router.prefix_len()).expect("the length of a prefix");
        host::configure(&host, address, spec.router.addr()).await?;

        let site = self.site(&spec.name)?;
        std::fs::create_dir_all(&site.dir)?;
        site.start_charon(spec.libipsec).await?;
        Ok(site)
    }

    /// A site that exists.
    ///
    /// # Errors
    /// [`LabError::Unknown`] when there is none of this name.
    pub fn site(&self, name: &str) -> Result<Site, LabError> {
        let (router, host) = (self.machine(name)?, self.machine(&host_of(name))?);
        Ok(Site { router, host, dir: self.dir.join(name) })
    }
}

impl Site {
    /// Loads a swanctl.conf in place of the one before, and starts what it says to start. Returns what swanctl said.
    ///
    /// # Errors
    /// [`LabError::Command`] with what swanctl said against it.
    pub async fn load(&self, swanctl_conf: &str) -> Result<String, LabError> {
        let file = self.dir.join("swanctl.conf");
        write_private(&file, swanctl_conf)?;
        let file = file.display().to_string();
        self.swanctl(&["--load-all", "--clear", "--noprompt", "--file", &file]).await
    }

    /// Runs swanctl on the site's charon.
    ///
    /// # Errors
    /// [`LabError::Command`] when it fails.
    pub async fn swanctl(&self, args: &[&str]) -> Result<String, LabError> {
        let uri = format!("unix://{}", self.vici().display());
        let argv = [&["swanctl"], args, &["--uri", &uri]].concat();
        self.router.run(&argv, SWANCTL_LIMIT).await
    }

    /// What charon logged.
    ///
    /// # Errors
    /// [`LabError::Io`] when it has no log yet.
    pub fn log(&self) -> Result<String, LabError> {
        Ok(std::fs::read_to_string(self.dir.join("charon.log"))?)
    }

    fn vici(&self) -> PathBuf {
        self.dir.join("charon.vici")
    }

    async fn start_charon(&self, libipsec: bool) -> Result<(), LabError> {
        let settings = self.dir.join("strongswan.conf");
        let esp = if libipsec { "kernel-libipsec " } else { "" };
        let text = format!(
            "charon-systemd {{
  load = random nonce openssl kdf {esp}kernel-netlink socket-default vici updown
  plugins {{
    vici {{
      socket = unix://{}
    }}
  }}
  filelog {{
    stderr {{
      default = 1
      ike = 1
      time_format = %FT%T
      flush_line = yes
    }}
  }}
  journal {{
    default = -1
  }}
}}
",
            self.vici().display()
        );
        write_private(&settings, &text)?;
        let log = std::fs::File::create(self.dir.join("charon.log"))?;
        let mut command = self.router.namespace().command("/usr/sbin/charon-systemd")?;
        command.env("STRONGSWAN_CONF", &settings).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = tokio::process::Command::from(command).kill_on_drop(false).spawn()?;
        // The runtime's reaper waits for it; it is found again by its namespace.
        drop(child);
        let opened = async {
            while tokio::net::UnixStream::connect(self.vici()).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let opened = tokio::time::timeout(START_LIMIT, opened).await;
        opened.map_err(|_| LabError::Timeout("charon of a site".into()))
    }
}

fn write_private(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
