//! A server of the benchmark's own, ended with it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use causeway_client::AccessKey;

/// The development key of the benchmark's service.
const KEY: (&str, &str) = ("AKIDBENCHMARKBENCHMARK00", "benchmarkbenchmarkbenchmark00000");
/// No quota and no rate limit stands in the way of the load.
const CONFIG: &str = r#"
rate_limits = false
[[accounts]]
id = "1000000000000001"
[accounts.quotas]
networks_per_region = 1000000
subnets_per_network = 1000000
gateways_per_region = 10000000
gateways_per_network = 10000000
customer_gateways_per_region = 10000000
connections_per_gateway = 1000
"#;

/// A running server.
pub struct Server {
    child: Child,
    /// Where it answers.
    pub address: SocketAddr,
    /// How long it took from its start to its ready line.
    pub started_in: Duration,
    /// Where the service keeps its state.
    pub data_dir: PathBuf,
    dir: Option<tempfile::TempDir>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM, so that the service can clean up.
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts the service with an empty store on the disk that holds the target directory.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn causeway(binary: &Path, engine: &str) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir_in("target")?;
        std::fs::write(dir.path().join("causeway.toml"), CONFIG)?;
        Self::start(binary, engine, dir)
    }

    /// Ends the service (of the memory engine) and starts it again with the store that it has.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn restarted(mut self, binary: &Path) -> anyhow::Result<Self> {
        let dir = self.dir.take().context("a service with a store")?;
        drop(self);
        Self::start(binary, "memory", dir)
    }

    fn start(binary: &Path, engine: &str, dir: tempfile::TempDir) -> anyhow::Result<Self> {
        let began = Instant::now();
        let mut child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--cleanup", "--engine", engine])
            .arg("--data-dir")
            .arg(dir.path().join("data"))
            .arg("--config")
            .arg(dir.path().join("causeway.toml"))
            .arg(format!("--dev-key={}:{}", KEY.0, KEY.1))
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", binary.display()))?;
        let mut line = String::new();
        let out = child.stdout.take().context("the service has an output")?;
        BufReader::new(out).read_line(&mut line)?;
        let started_in = began.elapsed();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next());
        let address = address.and_then(|text| text.parse().ok()).context("the service did not get ready")?;
        let data_dir = dir.path().join("data");
        Ok(Self { child, address, started_in, data_dir, dir: Some(dir) })
    }

    /// Starts moto_server on a free port.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn moto(binary: &Path) -> anyhow::Result<Self> {
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let began = Instant::now();
        let child = Command::new(binary)
            .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {}", binary.display()))?;
        let mut server =
            Self { child, address, started_in: Duration::ZERO, data_dir: PathBuf::new(), dir: None };
        while std::net::TcpStream::connect(address).is_err() {
            if began.elapsed() > Duration::from_secs(60) {
                bail!("{} does not answer", binary.display());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        server.started_in = began.elapsed();
        Ok(server)
    }

    /// The key that its requests are signed with.
    pub fn key() -> AccessKey {
        AccessKey { id: KEY.0.to_owned(), secret: KEY.1.to_owned() }
    }

    /// Processor time that the server has used so far, in user and kernel mode, to 10 ms.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // The name, in parentheses, may hold anything; times are the 14th and 15th field (proc_pid_stat(5)).
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|it| it.parse::<u64>().ok());
        let ticks_per_s = rustix::param::clock_ticks_per_second();
        Duration::from_secs_f64(ticks.sum::<u64>() as f64 / ticks_per_s as f64)
    }

    /// Resident memory in MiB.
    pub fn memory_mib(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib / 1024.0)
    }
}
