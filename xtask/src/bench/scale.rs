//! uxfrm's databases as they grow: what one more SA with its policy costs, a look at the timers, and finding a packet's
//! policy. Needs no root.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use uxfrm::database::{Clock, Database, View};
use uxfrm::xfrm::constants::{
    AF_INET, NEWPOLICY, NEWSA, NLM_F_ACK, NLM_F_REQUEST, XFRM_MODE_TUNNEL, XFRM_POLICY_OUT, XFRMA_ALG_AEAD,
    XFRMA_IF_ID, XFRMA_TMPL,
};
use uxfrm::xfrm::lifetime::{Limits, Usage};
use uxfrm::xfrm::policy::{PolicyInfo, Template};
use uxfrm::xfrm::selector::{Flow, Selector};
use uxfrm::xfrm::state::{SaId, SaInfo};
use uxfrm::xfrm::wire::{Header, Writer};

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
}

const NOW: Clock = Clock { wall: 1_700_000_000, monotonic: 1000 };
const LOOKUPS: u32 = 100_000;

/// Runs it and prints a table.
///
/// # Errors
/// When the databases refuse a request.
pub fn run(options: &Scale) -> anyhow::Result<()> {
    let mut database = Database::default();
    // As the data path has it: a picture for each change.
    let mut view = Arc::new(database.view());
    println!("| tunnels | one more, µs | timers, µs | policy of a packet, ns |\n|---|---|---|---|");
    for block in 0..options.blocks {
        let begun = Instant::now();
        for number in block * options.block..(block + 1) * options.block {
            let if_id = if options.one_interface { 1 } else { number + 1 };
            add(&mut database, &mut view, number, if_id)?;
        }
        let one_more = micros(begun.elapsed()) / f64::from(options.block);
        let begun = Instant::now();
        for _ in 0..100 {
            database.run_timers(NOW);
        }
        let timers = micros(begun.elapsed()) / 100.0;
        let tunnels = (block + 1) * options.block;
        let lookup = look_up(&view, tunnels, options.one_interface)?;
        println!("| {tunnels} | {one_more:.1} | {timers:.1} | {lookup:.0} |");
    }
    Ok(())
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

fn state(number: u32, if_id: u32) -> Vec<u8> {
    let id = SaId { destination: [192, 0, 2, 2].into(), spi: 0x1000 + number, protocol: 50 };
    let info = SaInfo {
        selector: Selector::default(),
        id,
        source: [192, 0, 2, 1].into(),
        limits: Limits { soft_add: 3000, hard_add: 3600, ..Limits::NONE },
        usage: Usage::default(),
        statistics: [0; 3],
        sequence: 0,
        reqid: number + 1,
        mode: XFRM_MODE_TUNNEL,
        replay_window: 32,
        flags: 0,
    };
    request(NEWSA, if_id, |w| {
        info.write(w);
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
