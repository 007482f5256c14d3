//! Benchmarks: ours and a peer's side by side in one run.

mod api;
mod dataplane;
mod gateways;
mod load;
mod moto;
mod scale;
mod service;

use std::path::PathBuf;

use clap::Subcommand;

/// What is measured.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Requests per second of the API, beside moto_server on the same machine.
    Api(Api),
    /// Real gateways: how fast they come, what they weigh, what they carry. Needs root.
    Gateways(Gateways),
    /// Throughput, packet rates, latency, CPU and memory of uxfrm beside other tunnels in user space. Needs root.
    Dataplane(dataplane::Dataplane),
    /// uxfrm for minutes under a steady load with rekeys: packets lost, memory over time. Needs root.
    Soak(dataplane::soak::Soak),
    /// uxfrm's databases with thousands of tunnels: adding one more, timers, finding a packet's policy.
    Scale(scale::Scale),
    /// What the data plane's benchmark starts as its peer `relay`.
    #[command(hide = true)]
    Relay(dataplane::relay::Relay),
}

/// `cargo xtask bench api`.
#[derive(Debug, clap::Args)]
pub struct Api {
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 3)]
    pub seconds: u64,
    /// Rounds; the medians are told.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Numbers of gateways to measure at, ascending.
    #[arg(long, value_delimiter = ',', default_value = "100,10000,100000")]
    pub sizes: Vec<usize>,
    /// Connections of the load.
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    /// Only the calls of ours whose name in the table contains this.
    #[arg(long, default_value = "")]
    pub only: String,
    /// Connections of the load that makes gateways: one commit holds what waits at once.
    #[arg(long, default_value_t = 64)]
    pub create_connections: usize,
    /// The service's binary, built with `cargo build --release`.
    #[arg(long, default_value = "target/release/causeway")]
    pub causeway: PathBuf,
    /// `moto_server` (`pip install 'moto[ec2,server]'`); without it only ours is measured.
    #[arg(long)]
    pub moto: Option<PathBuf>,
}

/// `cargo xtask bench gateways`.
#[derive(Debug, clap::Args)]
pub struct Gateways {
    /// Gateways made one after the other.
    #[arg(long, default_value_t = 20)]
    pub one_by_one: usize,
    /// Gateways made at once.
    #[arg(long, default_value_t = 100)]
    pub at_once: usize,
    /// Pairs connected, one after the other.
    #[arg(long, default_value_t = 10)]
    pub connections: usize,
    /// Bandwidths to buy and measure, in Mbit/s.
    #[arg(long, value_delimiter = ',', default_value = "5,10,20,50,100,200,500,1000")]
    pub bandwidths: Vec<u32>,
    /// The service's binary, built with `cargo build --release`.
    #[arg(long, default_value = "target/release/causeway")]
    pub causeway: PathBuf,
}

/// Runs a benchmark and prints its table.
///
/// # Errors
/// When a service can't be started or answers wrongly.
pub fn run(what: &What) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match what {
        What::Api(options) => runtime.block_on(api::run(options)),
        What::Gateways(options) => runtime.block_on(gateways::run(options)),
        What::Dataplane(options) => dataplane::run(options),
        What::Soak(options) => dataplane::soak::run(options),
        What::Scale(options) => scale::run(options),
        What::Relay(options) => dataplane::relay::run(options),
    }
}
