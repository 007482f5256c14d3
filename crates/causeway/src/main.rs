//! The binary: wiring only.

mod config;
mod control;
mod ctl;
mod demo;
mod development_key;
mod lab;
mod node;
mod serve;
mod tls;

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The service allocates much and briefly, on several threads: a fifth of a request's time went to the system's
/// allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A VPN gateway service that speaks the VPN APIs of Alibaba Cloud and Tencent Cloud.
///
/// Start it with `causeway serve`; `causeway ctl endpoints` then prints how to point each SDK, command line and
/// Terraform provider at it.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service.
    Serve(serve::Arguments),
    /// Look at a running service and steer what no cloud API does: endpoints, orders, orphans.
    Ctl(ctl::Arguments),
    /// Make hosts and customer sites around real gateways, and send packets from them.
    Lab(lab::Arguments),
    /// Build a VPN through both APIs, send traffic through it, and show everything.
    Demo(demo::Arguments),
    /// Keeps one gateway instance; started by the service.
    #[command(hide = true)]
    Shim {
        /// Where and what to keep.
        arguments: Vec<String>,
    },
}

/// Where the service keeps its state unless told otherwise.
fn default_data_dir() -> PathBuf {
    match std::env::var_os("HOME") {
        Some(home) => PathBuf::from(home).join(".local/share/causeway"),
        None => PathBuf::from("/var/lib/causeway"),
    }
}

fn main() -> std::process::ExitCode {
    // A process that the data plane started from this program for itself does not come back from here.
    causeway_engine_linux::shim::child_entry();
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Ctl(arguments) => ctl::run(arguments),
        Command::Lab(arguments) => lab::run(arguments),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Shim { arguments } => return causeway_engine_linux::shim::main(&arguments),
    };
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody reads it any more, the exit status has to do.
            let _ = writeln!(std::io::stderr(), "causeway: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
