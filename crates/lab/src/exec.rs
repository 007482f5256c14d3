//! Running programs on the lab's machines.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use causeway_engine_linux::netns::Namespace;
use tokio::process::{Child, Command};

use crate::error::LabError;

/// A host or router of the lab.
#[derive(Debug, Clone)]
pub struct Machine {
    namespace: Namespace,
}

/// What a program left.
#[derive(Debug, Clone)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Machine {
    /// What runs programs in a namespace.
    pub fn new(namespace: Namespace) -> Self {
        Self { namespace }
    }

    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Runs a program to its end, at most for `limit`.
    ///
    /// # Errors
    /// [`LabError::Io`] when it cannot be started, [`LabError::Timeout`]. A status other than 0 is none.
    pub async fn exec(&self, argv: &[&str], limit: Duration) -> Result<Finished, LabError> {
        let output = self.command(argv)?.stdin(Stdio::null()).kill_on_drop(true).output();
        let output = tokio::time::timeout(limit, output).await;
        let output = output.map_err(|_| LabError::Timeout(argv.join(" ")))?;
        let unstarted =
            |error: std::io::Error| LabError::Command { command: argv.join(" "), output: error.to_string() };
        let output = output.map_err(unstarted)?;
        Ok(Finished {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs a program that has to succeed, and returns what it wrote.
    ///
    /// # Errors
    /// As [`exec`](Self::exec), and [`LabError::Command`] for a status other than 0.
    pub async fn run(&self, argv: &[&str], limit: Duration) -> Result<String, LabError> {
        let finished = self.exec(argv, limit).await?;
        if finished.status.success() {
            return Ok(finished.stdout);
        }
        let output = format!("{}{}", finished.stdout, finished.stderr);
        Err(LabError::Command { command: argv.join(" "), output: output.trim().to_owned() })
    }

    /// Starts a program that ends with the returned handle.
    ///
    /// # Errors
    /// [`LabError::Io`] when it cannot be started.
    pub fn start(&self, argv: &[&str]) -> Result<Child, LabError> {
        let mut command = self.command(argv)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        Ok(command.spawn()?)
    }

    pub(crate) fn command(&self, argv: &[&str]) -> Result<Command, LabError> {
        let (program, args) =
            argv.split_first().ok_or(std::io::ErrorKind::InvalidInput).map_err(std::io::Error::from)?;
        let mut command = self.namespace.command(program)?;
        command.args(args);
        Ok(Command::from(command))
    }
}
