//! `causeway demo`: a VPN built through both APIs, with traffic through it.

mod alibaba;
mod child;
mod evidence;
mod packets;
mod report;
mod tencent;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use causeway_client::Client;
use futures_util::FutureExt;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};

use crate::node;
use crate::serve::EngineChoice;
use child::Child;
use report::Report;

/// How long anything of the demo may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two questions: the API allows 600 DescribeVpnConnection in a minute.
const POLL: Duration = Duration::from_millis(110);

/// `causeway demo`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Real gateways and packets (needs root), or the API part alone.
    #[arg(long, value_enum, default_value = "linux")]
    engine: EngineChoice,
    /// Where the demo's service keeps its state; a new directory that goes with the demo when none is given.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// End after the summary instead of leaving the service running until Ctrl-C.
    #[arg(long)]
    exit: bool,
}

/// Runs the demo.
///
/// # Errors
/// When something does not come up, with what was seen of it.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    if arguments.engine == EngineChoice::Linux
        && let Some(why) = node::why_no_gateways()
    {
        bail!("real gateways can't run here: {why}. `causeway demo --engine memory` shows the API part.");
    }
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        // Dropping what is under way cleans it up, so Ctrl-C is no special case. From here on no signal ends the demo by
        // itself: one that comes while its service starts is seen as soon as there is something to stop.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        // A terminal that is closed.
        let mut hangup = signal(SignalKind::hangup())?;
        let child = Child::start(arguments.engine, arguments.data_dir.clone()).await?;
        // A panic (an output that is closed, say) must not leave the demo's service and namespaces behind.
        let show = AssertUnwindSafe(show(&arguments, &child)).catch_unwind();
        let result = tokio::select! {
            result = show => result.unwrap_or_else(|_| bail!("the demo broke off")),
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
            _ = hangup.recv() => Ok(()),
        };
        child.stop().await?;
        result
    })
}

async fn show(arguments: &Arguments, child: &Child) -> anyhow::Result<()> {
    let mut client = Client::new(child.address, child.key.clone());
    let mut report = Report::default();
    let packets = arguments.engine == EngineChoice::Linux;
    let site = alibaba::site_to_site(&mut client, child, packets, &mut report).await?;
    tencent::across_clouds(&mut client, child, &site, packets, &mut report).await?;
    report.print(child, packets)?;
    if !arguments.exit {
        println!("\nThe service goes on until you press Ctrl-C; then everything is cleaned up.");
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// Shows that something is under way, and how long it took.
async fn step<T>(what: &str, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let began = Instant::now();
    let style = ProgressStyle::with_template("  {spinner} {msg} {elapsed}")?;
    let spinner = ProgressBar::new_spinner().with_style(style).with_message(what.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(100));
    let result = work.await;
    spinner.finish_and_clear();
    let took = began.elapsed().as_secs_f64();
    match &result {
        Ok(_) => println!("  ✓ {what} ({:.0} ms)", took * 1e3),
        Err(_) => println!("  ✗ {what} ({took:.1} s)"),
    }
    result.with_context(|| what.to_owned())
}

/// Asks again until the answer is there; `None` means not yet.
async fn until<T>(mut ask: impl AsyncFnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask().await? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("it did not come up within {} s", PATIENCE.as_secs());
        }
        tokio::time::sleep(POLL).await;
    }
}
