//! The demo's own service.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context;
use causeway_client::AccessKey;
use causeway_lab::Lab;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::serve::EngineChoice;
use crate::{ctl, node};

/// The file that tells a directory of the demo from one of a service that people rely on.
const MARK: &str = "made-by-demo";

/// Takes a directory for the demo, which removes every gateway of that directory in the end.
fn claim(dir: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        dir.join(MARK).exists() || !dir.join("store.sqlite").exists(),
        "{} holds the state of a service, whose gateways the demo would remove: give it another directory",
        dir.display()
    );
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    std::fs::write(dir.join(MARK), "").with_context(|| format!("writing into {}", dir.display()))
}

/// A running service.
pub struct Child {
    process: tokio::process::Child,
    /// Where it answers.
    pub address: SocketAddr,
    /// Its development key.
    pub key: AccessKey,
    /// Its data directory.
    pub data_dir: PathBuf,
    engine: EngineChoice,
    _temporary: Option<tempfile::TempDir>,
}

impl Child {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn start(engine: EngineChoice, data_dir: Option<PathBuf>) -> anyhow::Result<Self> {
        if let Some(dir) = &data_dir {
            claim(dir)?;
        }
        let temporary = if data_dir.is_none() { Some(tempfile::tempdir()?) } else { None };
        let data_dir =
            data_dir.or(temporary.as_ref().map(|dir| dir.path().to_owned())).context("a directory")?;
        let word = match engine {
            EngineChoice::Memory => "memory",
            EngineChoice::Linux => "linux",
        };
        let mut process = Command::new(std::env::current_exe()?)
            .args(["serve", "--listen", "127.0.0.1:0", "--cleanup", "--engine", word])
            .arg("--data-dir")
            .arg(&data_dir)
            .env("CAUSEWAY_LOG", std::env::var("CAUSEWAY_LOG").unwrap_or_else(|_| "error".to_owned()))
            .stdout(Stdio::piped())
            // Ctrl-C is for the demo, which then stops the service in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("starting the service")?;
        let out = process.stdout.take().context("the service has an output")?;
        let line = BufReader::new(out).lines().next_line().await?.context("the service did not get ready")?;
        let after = |mark: &str| line.split(mark).nth(1).and_then(|rest| rest.split_whitespace().next());
        let address = after("http://").context("no address in the ready line")?.parse()?;
        let (id, secret) =
            after("key=").and_then(|key| key.split_once(':')).context("no key in the ready line")?;
        let key = AccessKey { id: id.to_owned(), secret: secret.to_owned() };
        println!("The service is ready at http://{address} (engine {word}).\n");
        Ok(Self { process, address, key, data_dir, engine, _temporary: temporary })
    }

    /// The lab beside it.
    ///
    /// # Errors
    /// When the service has no Linux engine.
    pub fn lab(&self) -> anyhow::Result<Lab> {
        let (tag, run_dir) = node::existing(&self.data_dir)?;
        Ok(Lab::new(&tag, run_dir))
    }

    /// How to point clients here.
    ///
    /// # Errors
    /// When the service does not answer.
    pub fn endpoints(&self) -> anyhow::Result<String> {
        ctl::endpoints::text(&ctl::ask(&self.data_dir, &crate::control::Ask::Status)?)
    }

    /// Removes the lab, and stops the service, which removes what it made.
    ///
    /// # Errors
    /// When something stays.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let mut lab_removed = Ok(());
        if self.engine == EngineChoice::Linux {
            // A terminal that is gone must not end this with a panic.
            let _ = writeln!(std::io::stderr(), "\nCleaning up.");
            // Whatever stays of the lab, the service has to be told to clean up as well.
            lab_removed = self.remove_lab().await.context("removing the lab");
        }
        if let Some(pid) = self.process.id() {
            let pid = rustix::process::Pid::from_raw(pid.cast_signed()).context("a process id")?;
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        let status = self.process.wait().await?;
        anyhow::ensure!(status.success(), "the service ended with {status}");
        lab_removed
    }

    async fn remove_lab(&self) -> anyhow::Result<()> {
        Ok(self.lab()?.clear().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_takes_no_directory_of_a_service() {
        let parent = tempfile::tempdir().unwrap();
        let (own, service) = (parent.path().join("own"), parent.path().join("service"));
        claim(&own).unwrap();
        std::fs::write(own.join("store.sqlite"), "").unwrap();
        claim(&own).unwrap();
        std::fs::create_dir(&service).unwrap();
        std::fs::write(service.join("store.sqlite"), "").unwrap();
        assert!(claim(&service).is_err());
    }
}
