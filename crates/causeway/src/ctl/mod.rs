//! `causeway ctl`.

pub mod endpoints;
mod gc;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::Value;

use crate::control::{Ask, socket_file};

/// `causeway ctl`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The data directory of the running service.
    #[arg(long, value_name = "DIR", global = true, default_value_os_t = crate::default_data_dir())]
    data_dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the exact lines that point each SDK, command line and Terraform provider at the service.
    Endpoints,
    /// Print addresses, engine and development key as JSON.
    Status,
    /// List orders, or pay one.
    Orders {
        #[command(subcommand)]
        command: Option<OrdersCommand>,
    },
    /// Print the certificate of the service's own authority (PEM), for clients to trust.
    Ca,
    /// Print what the IKE daemons of a gateway last logged: why a tunnel does not come up, say. Each line begins with
    /// the number of its instance.
    Log {
        /// The gateway's id, in either API.
        id: String,
    },
    /// Print where a vSwitch or subnet is in the data plane, as JSON.
    Subnet {
        /// Its id, in either API.
        id: String,
    },
    /// Remove orphans: of the running service what its store does not know, and everything of services whose data
    /// directory is gone.
    Gc {
        /// Remove everything of this node instead, whosever it was: the characters between `cw` and the dash in the
        /// names of its namespaces. No service may run it.
        #[arg(long, value_name = "TAG")]
        node: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum OrdersCommand {
    /// List every order.
    List,
    /// Pay an order, so that its gateway is provisioned.
    Pay {
        /// The order's number, as the API answered it.
        order: String,
    },
}

/// Runs a control command.
///
/// # Errors
/// When no service answers, or it refuses.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let dir = &arguments.data_dir;
    match arguments.command {
        Command::Endpoints => print!("{}", endpoints::text(&ask(dir, &Ask::Status)?)?),
        Command::Status => println!("{:#}", ask(dir, &Ask::Status)?),
        Command::Orders { command: None | Some(OrdersCommand::List) } => {
            println!("{:#}", ask(dir, &Ask::Orders)?);
        }
        Command::Orders { command: Some(OrdersCommand::Pay { order }) } => {
            ask(dir, &Ask::Pay { order: order.clone() })?;
            println!("order {order} is paid");
        }
        Command::Ca => {
            let file = crate::tls::authority_file(dir);
            let text = std::fs::read_to_string(&file)
                .with_context(|| {
                format!(
                    "{}: the service has no authority of its own before its first start with --tls-listen, and none \
                     where it is given a certificate",
                    file.display()
                )
            })?;
            print!("{text}");
        }
        Command::Log { id } => {
            let lines: Vec<String> = serde_json::from_value(ask(dir, &Ask::Log { id })?)?;
            lines.iter().for_each(|line| println!("{line}"));
        }
        Command::Subnet { id } => println!("{:#}", ask(dir, &Ask::Subnet { id })?),
        Command::Gc { node } => println!("{:#}", gc::run(dir, node.as_deref())?),
    }
    Ok(())
}

/// Asks the running service.
///
/// # Errors
/// When no service answers, or it refuses.
pub fn ask(data_dir: &Path, ask: &Ask) -> anyhow::Result<Value> {
    let path = socket_file(data_dir);
    let socket = UnixStream::connect(&path).with_context(|| {
        format!("no service answers at {} (is it running, with this --data-dir?)", path.display())
    })?;
    writeln!(&socket, "{}", serde_json::to_string(ask)?)?;
    let mut line = String::new();
    BufReader::new(&socket).read_line(&mut line)?;
    let answer: Value = serde_json::from_str(&line).context("the service answered something unreadable")?;
    match answer.get("error").and_then(Value::as_str) {
        Some(error) => bail!("{error}"),
        None => Ok(answer),
    }
}
