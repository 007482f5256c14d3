//! uxfrm's databases as they grow: what one more SA with its policy costs, in time and memory, an SPI for an SA's successor, a look
//! at the timers, and finding a packet's policy. Needs no root.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use uxfrm::database::{Clock, Database, View};
use uxfrm::xfrm::constants::{
    AF_INET, ALLOCSPI, DELSA, NEWPOLICY, NEWSA, NLM_F_ACK, NLM_F_REQUEST, XFRM_MODE_TUNNEL, XFRM_POLICY_OUT,
    XFRMA_ALG_AEAD, XFRMA_IF_ID, XFRMA_TMPL,
};
use uxfrm::xfrm::lifetime::{Limits, Usage};
use uxfrm::xfrm::policy::{PolicyInfo, Template};
use uxfrm::xfrm::selector::{Flow, Selector};
use uxfrm::xfrm::state::{SaId, SaInfo};
use uxfrm::xfrm::wire::{Header, Reader, Writer, messages};

/// `cargo xtask bench scale`.
#[derive(Debug, clap::Args)]
pub struct Scale {
    /// Tunnels that are added in a block.
    #[arg(long, default_value_t = 2000)]
    pub block: u32,
    /// Blocks, one on top of the other.
    #[arg(long, default_value_t = 8)]
    pub blocks: u32,
    /// All tunnels on one interface instead of one each.
    #[arg(long)]
    pub one_interface: bool,
    /// Among how many workers SPIs are dealt out.
    #[arg(long, default_value_t = 4)]
    pub workers: u32,
}

const NOW: Clock = Clock { wall: 1_700_000_000, monotonic: 1000 };
const LOOKUPS: u32 = 100_000;
const SOFT_SECONDS: u64 = 3000;

/// Runs it and prints a table.
///
/// # Errors
/// When the databases refuse a request.
pub fn run(options: &Scale) -> anyhow::Result<()> {
    let mut database = Database::for_workers(options.workers);
    // As the data path has it: a picture for each change.
    let mut view = Arc::new(database.view());
    println!(
        "| tunnels | one more, µs | memory of one, bytes | SPI of a successor, µs | timers, µs | policy of a packet, ns |"
    );
    println!("|---|---|---|---|---|---|");
    for block in 0..options.blocks {
        let memory = memory_bytes()?;
        let begun = Instant::now();
        for number in block * options.block..(block + 1) * options.block {
            let if_id = if options.one_interface { 1 } else { number + 1 };
            add(&mut database, &mut view, number, if_id)?;
        }
        let one_more = micros(begun.elapsed()) / f64::from(options.block);
        let memory = memory_bytes()?.saturating_sub(memory) / u64::from(options.block);
        let successor = succeed(&mut database)?;
        let begun = Instant::now();
        for _ in 0..100 {
            database.run_timers(NOW);
        }
        let timers = micros(begun.elapsed()) / 100.0;
        let tunnels = (block + 1) * options.block;
        let lookup = look_up(&view, tunnels, options.one_interface)?;
        println!("| {tunnels} | {one_more:.1} | {memory} | {successor:.1} | {timers:.1} | {lookup:.0} |");
    }
    Ok(())
}

/// What this process has in memory of its own.
fn memory_bytes() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// Microseconds for an SPI where there are SAs between the same addresses that it may replace, and for giving it up.
fn succeed(database: &mut Database) -> anyhow::Result<f64> {
    const TIMES: u32 = 1000;
    let ask = |kind| {
        move |fill: &dyn Fn(&mut Writer)| {
            let mut writer = Writer::new(Header { kind, flags: NLM_F_REQUEST, sequence: 1, port: 0 });
            fill(&mut writer);
            writer.finish()
        }
    };
    let allocate = ask(ALLOCSPI)(&|w| {
        let info = info(0, 0);
        info.write(w);
        w.u32(0xc000_0000).u32(0xcfff_ffff);
    });
    // After all soft limits, so that there is a predecessor.
    let late = Clock { monotonic: NOW.monotonic + SOFT_SECONDS * 1000, ..NOW };
    let begun = Instant::now();
    for _ in 0..TIMES {
        let answer = database.handle_datagram(&allocate, late);
        let reply = answer.messages.first().and_then(|reply| messages(reply).next());
        let id =
            SaInfo::read(&mut Reader::new(reply.context("no answer")?.payload)).ok().context("no SPI")?.id;
        ensure!(database.handle_datagram(&ask(DELSA)(&|w| id.write(w)), late).changed, "no SPI to give up");
    }
    Ok(micros(begun.elapsed()) / f64::from(TIMES))
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn add(database: &mut Database, view: &mut Arc<View>, number: u32, if_id: u32) -> anyhow::Result<()> {
    for request in [state(number, if_id), policy(number, if_id)] {
        let answer = database.handle_datagram(&request, NOW);
        ensure!(answer.changed, "request {number} was refused");
        *view = Arc::new(database.view());
    }
    Ok(())
}

/// Nanoseconds for finding one packet's policy.
fn look_up(view: &View, tunnels: u32, one_interface: bool) -> anyhow::Result<f64> {
    let begun = Instant::now();
    for number in (0..tunnels).cycle().step_by(7919).take(LOOKUPS as usize) {
        let if_id = if one_interface { 1 } else { number + 1 };
        let flow = Flow {
            family: AF_INET,
            source: network(number, 9),
            destination: network(0, 1),
            protocol: 17,
            source_port: 1,
            destination_port: 2,
        };
        let found = view.interfaces.get(&if_id).and_then(|interface| interface.outbound_policy(&flow));
        ensure!(found.is_some_and(|policy| policy.state.is_some()), "no policy for tunnel {number}");
    }
    Ok(micros(begun.elapsed()) * 1000.0 / f64::from(LOOKUPS))
}

fn network(number: u32, host: u8) -> [u8; 16] {
    let [_, _, high, low] = number.to_be_bytes();
    let mut address = [0; 16];
    address[..4].copy_from_slice(&[10, high, low, host]);
    address
}

fn request(kind: u16, if_id: u32, fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let flags = NLM_F_REQUEST | NLM_F_ACK;
    let mut writer = Writer::new(Header { kind, flags, sequence: 1, port: 0 });
    fill(&mut writer);
    writer.attribute(XFRMA_IF_ID, |w| {
        w.u32(if_id);
    });
    writer.finish()
}

fn info(number: u32, reqid: u32) -> SaInfo {
    let id = SaId { destination: [192, 0, 2, 2].into(), spi: 0x1000 + number, protocol: 50 };
    SaInfo {
        selector: Selector::default(),
        id,
        source: [192, 0, 2, 1].into(),
        limits: Limits { soft_add: SOFT_SECONDS, hard_add: 3600, ..Limits::NONE },
        usage: Usage::default(),
        statistics: [0; 3],
        sequence: 0,
        reqid,
        mode: XFRM_MODE_TUNNEL,
        replay_window: 32,
        flags: 0,
    }
}

fn state(number: u32, if_id: u32) -> Vec<u8> {
    request(NEWSA, if_id, |w| {
        info(number, number + 1).write(w);
        let name = b"rfc4106(gcm(aes))";
        // Key and check value in bits, then the key with its salt.
        w.attribute(XFRMA_ALG_AEAD, |w| {
            w.bytes(name).zeros(64 - name.len()).u32(160).u32(128).bytes(&[7; 20]);
        });
    })
}

fn policy(number: u32, if_id: u32) -> Vec<u8> {
    let selector =
        Selector { source: network(number, 0), source_prefix: 24, family: AF_INET, ..Selector::default() };
    let info = PolicyInfo { selector, priority: 1000, direction: XFRM_POLICY_OUT, ..PolicyInfo::default() };
    let template = Template {
        destination: [192, 0, 2, 2].into(),
        source: [192, 0, 2, 1].into(),
        spi: 0,
        protocol: 50,
        reqid: number + 1,
        mode: XFRM_MODE_TUNNEL,
        share: 0,
        optional: 0,
        algorithms: [u32::MAX; 3],
    };
    request(NEWPOLICY, if_id, |w| {
        info.write(w);
        w.attribute(XFRMA_TMPL, |w| template.write(w));
    })
}
