//! What was aimed at beside what was found: ratios of medians within the runs of one setting.

use serde_json::Value;

use super::measure::{FLOODS, HIGHEST_RATE, MEMORY, RTT, TCP_1, TCP_4};
use super::report::{Runs, peer_names, value};

const GCM: &str = "aes128gcm16";
const CBC: &str = "aes256-sha256";

/// One row: what it says, what was aimed at, what was found, and whether that is enough.
struct Row {
    aim: &'static str,
    found: Vec<String>,
    reached: Vec<bool>,
}

/// The rows whose runs are there, as a table; `None` where there are none.
pub fn table(runs: &Runs) -> Option<String> {
    let runs = |wire: &str, esp: &str| runs.get(&format!("{wire}-{esp}"));
    let mut rows: Vec<Row> = Vec::new();
    if let Some(gro) = runs("gro", GCM) {
        let tcp = [("1 stream", TCP_1[0]), ("4", TCP_4[0])];
        rows.push(ratios("TCP 8 times kernel-libipsec (`gro`)", gro, &tcp, &|m| of(gro, "libipsec", m), 8.0));
        let best = |m: &'static str| best_other(gro, m);
        rows.push(ratios("TCP 5 times the best other VPN in user space (`gro`)", gro, &tcp, &best, 5.0));
        rows.push(ratios("TCP 0.55 of plain, `gro`", gro, &tcp, &|m| of(gro, "plain", m), 0.55));
    }
    for (wire, aim, least) in
        [("nogro", "TCP 0.45 of plain, `nogro`", 0.45), ("super", "TCP 0.40 of plain, `super`", 0.4)]
    {
        if let Some(runs) = runs(wire, GCM) {
            let tcp = [("1 stream", TCP_1[0]), ("4", TCP_4[0])];
            rows.push(ratios(aim, runs, &tcp, &|m| of(runs, "plain", m), least));
        }
    }
    if let Some(cbc) = runs("gro", CBC) {
        let tcp = [("1 stream", TCP_1[0]), ("4", TCP_4[0])];
        let aim = "AES-256-CBC with SHA2-256: 5 times kernel-libipsec";
        rows.push(ratios(aim, cbc, &tcp, &|m| of(cbc, "libipsec", m), 5.0));
    }
    if let Some(gro) = runs("gro", GCM) {
        rows.extend(of_packets(gro));
        let again: Vec<f64> =
            [TCP_1[1], TCP_4[1]].iter().filter_map(|measure| value(gro, "uxfrm", measure)).collect();
        rows.push(Row {
            aim: "no TCP segment sent again (`gro`, medians of 1 and 4 streams)",
            reached: again.iter().map(|count| *count == 0.0).collect(),
            found: again.iter().map(|count| format!("{count:.0}")).collect(),
        });
    }
    rows.retain(|row| !row.found.is_empty());
    if rows.is_empty() {
        return None;
    }
    let mut out = String::from("| aim | found | |\n|---|---|---|\n");
    for row in rows {
        let verdict = match (row.reached.contains(&true), row.reached.contains(&false)) {
            (true, false) => "reached",
            (true, true) => "reached in part",
            _ => "not reached",
        };
        out += &format!("| {} | {} | {verdict} |\n", row.aim, row.found.join(", "));
    }
    Some(out)
}

/// Packet rates, memory in a flood, round trips.
fn of_packets(gro: &[Value]) -> Vec<Row> {
    let rate = [("", HIGHEST_RATE)];
    let aim = "UDP of 200 bytes at no more than 1 % loss: 0.5 of plain";
    let mut rows = vec![ratios(aim, gro, &rate, &|m| of(gro, "plain", m), 0.5)];
    rows.push(ratios("the same, 1.5 times the best peer", gro, &rate, &|m| best_other(gro, m), 1.5));
    if let (Some(rate), Some(flood)) = (of(gro, "uxfrm", HIGHEST_RATE), of(gro, "uxfrm", FLOODS[1])) {
        rows.push(Row {
            aim: "delivered under overload no less than that rate",
            found: vec![format!("{flood:.0} and {rate:.0} kpkt/s")],
            reached: vec![flood >= rate],
        });
    }
    if let Some(memory) = of(gro, "uxfrm", MEMORY[1]) {
        rows.push(Row {
            aim: "memory in a flood under 32 MiB",
            found: vec![format!("{memory:.1} MiB with charon")],
            reached: vec![memory < 32.0],
        });
    }
    if let (Some(own), Some(plain)) = (of(gro, "uxfrm", RTT), of(gro, "plain", RTT)) {
        rows.push(Row {
            aim: "idle RTT added under 0.12 ms",
            found: vec![format!("{:.2} ms", own - plain)],
            reached: vec![own - plain < 0.12],
        });
    }
    rows
}

fn of(runs: &[Value], peer: &str, measure: &str) -> Option<f64> {
    value(runs, peer, measure)
}

/// The best of the VPNs that are neither ours nor strongSwan's.
fn best_other(runs: &[Value], measure: &str) -> Option<f64> {
    let others = peer_names(runs).into_iter().filter(|name| {
        !["plain", "relay", "libipsec"].contains(&name.as_str()) && !name.starts_with("uxfrm")
    });
    others.filter_map(|name| value(runs, &name, measure)).reduce(f64::max)
}

/// Ours divided by another's, for some measures.
fn ratios(
    aim: &'static str,
    runs: &[Value],
    measures: &[(&str, &'static str)],
    other: &dyn Fn(&'static str) -> Option<f64>,
    least: f64,
) -> Row {
    let mut row = Row { aim, found: Vec::new(), reached: Vec::new() };
    for (name, measure) in measures {
        let (Some(own), Some(other)) = (value(runs, "uxfrm", measure), other(measure)) else { continue };
        let ratio = own / other;
        let digits = if ratio < 10.0 { 2 } else { 1 };
        let name = if name.is_empty() { String::new() } else { format!(" ({name})") };
        row.found.push(format!("{ratio:.digits$}{name}"));
        row.reached.push(ratio >= least);
    }
    row
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::run_of;
    use super::*;

    #[test]
    fn ratios_are_of_medians_and_their_verdict_follows() {
        let run = run_of(
            "gro",
            GCM,
            &[
                ("plain", TCP_1[0], 8.0),
                ("uxfrm", TCP_1[0], 4.0),
                ("libipsec", TCP_1[0], 0.4),
                ("gotatun", TCP_1[0], 1.0),
                ("boringtun", TCP_1[0], 0.5),
                ("uxfrm", TCP_1[1], 0.0),
            ],
        );
        let text = table(&Runs::from([(format!("gro-{GCM}"), vec![run])])).unwrap();
        for row in [
            "| TCP 8 times kernel-libipsec (`gro`) | 10.0 (1 stream) | reached |",
            "| TCP 5 times the best other VPN in user space (`gro`) | 4.00 (1 stream) | not reached |",
            "| TCP 0.55 of plain, `gro` | 0.50 (1 stream) | not reached |",
            "| no TCP segment sent again (`gro`, medians of 1 and 4 streams) | 0 | reached |",
        ] {
            assert!(text.contains(row), "{row} in\n{text}");
        }
        assert!(!text.contains("idle RTT") && !text.contains("nogro"), "{text}");
        assert_eq!(table(&Runs::new()), None);
    }
}
