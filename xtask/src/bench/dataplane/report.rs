//! The table of a run: medians, and ratios to plain routing.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::USUAL_CONGESTION;
use super::measure::MEASURES;

/// A run as it is kept in a file, one line of JSON each: what was asked for, and every value of every round.
pub fn record(setting: &Value, peers: &[Value], skipped: &[String]) -> Value {
    json!({"setting": setting, "peers": peers, "skipped": skipped})
}

/// Appends a run to a file.
pub fn append(file: &Path, record: &Value) -> anyhow::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    writeln!(file, "{record}").context("writing the results")
}

/// Runs with the same setting, by its name: wire and proposal, and what else is not as usual.
pub type Runs = BTreeMap<String, Vec<Value>>;

/// The runs of a file.
///
/// # Errors
/// Where it can't be read, or a line is no JSON.
pub fn read(file: &Path) -> anyhow::Result<Runs> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let mut runs = Runs::new();
    for line in text.lines() {
        let run: Value = serde_json::from_str(line)?;
        runs.entry(name_of(&run["setting"])).or_default().push(run);
    }
    Ok(runs)
}

fn name_of(setting: &Value) -> String {
    let mut name = format!("{}-{}", text(&setting["wire"]), text(&setting["esp"]));
    let workers: Vec<String> = setting["workers"].as_array().into_iter().flatten().map(text).collect();
    if workers != ["0"] {
        name += &format!("-workers{}", workers.join("+"));
    }
    for (key, usual) in [("worker_share", 100), ("streams", 0), ("rekey_seconds", 0)] {
        if let Some(other) = setting[key].as_u64().filter(|value| *value != usual) {
            name += &format!("-{}{other}", key.trim_start_matches("worker_").trim_end_matches("_seconds"));
        }
    }
    if let Some(other) = setting["congestion"].as_str().filter(|name| *name != USUAL_CONGESTION) {
        name += &format!("-{other}");
    }
    if setting["bounded"] == "sender" {
        name += "-sender";
    }
    name
}

/// Prints the tables of a file, one for each setting: what was measured in several runs stands in one.
///
/// # Errors
/// As [`read`].
pub fn print_file(file: &Path, losses: bool) -> anyhow::Result<()> {
    for (name, runs) in read(file)? {
        println!("\n## {name}");
        print(&runs, losses);
    }
    Ok(())
}

/// Prints the table of runs with the same setting, and with `losses` those of drops.
pub fn print(runs: &[Value], losses: bool) {
    print!("{}", table(runs));
    if losses {
        print!("{}", losses_tables(runs));
    }
}

/// The middle value; of two the mean.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
    Some((low + high) / 2.0)
}

/// The Markdown table of runs with the same setting.
pub fn table(runs: &[Value]) -> String {
    let Some(first) = runs.first() else { return String::new() };
    let setting = &first["setting"];
    let mut out = format!(
        "\nWire `{}`, ESP {}, workers {}, TCP by {}; medians of {} rounds of {} s, peers in turn. {}\n\n",
        text(&setting["wire"]),
        text(&setting["esp"]),
        text(&setting["workers"]),
        text(&setting["congestion"]),
        range(runs, "rounds"),
        range(runs, "seconds"),
        text(&setting["machine"]),
    );
    if setting["worker_share"].as_u64().is_some_and(|share| share < 100) {
        let (share, streams) = (&setting["worker_share"], &setting["streams"]);
        out += &format!(
            "Each of uxfrm's workers has {share} % of a CPU; SAs for single streams: {streams}.\n\n"
        );
    }
    for name in peer_names(runs) {
        let version = runs.iter().flat_map(peers).find(|peer| peer["name"] == *name);
        out += &format!("- {name}: {}\n", version.map(|peer| text(&peer["version"])).unwrap_or_default());
    }
    let mut skipped: Vec<String> =
        runs.iter().flat_map(|run| run["skipped"].as_array().into_iter().flatten()).map(text).collect();
    skipped.dedup();
    skipped.iter().for_each(|missing| out += &format!("- not measured: {missing}\n"));
    out + "\n" + &short_table(runs, &[])
}

/// The peers of runs, in their order.
pub fn peer_names(runs: &[Value]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in runs.iter().flat_map(peers).map(|peer| text(&peer["name"])) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The table alone; of measures those whose names begin with one of `rows`, or all, and of peers those that have any.
pub fn short_table(runs: &[Value], rows: &[&str]) -> String {
    let wanted = |measure: &&str| rows.is_empty() || rows.iter().any(|row| measure.starts_with(row));
    let mut names = peer_names(runs);
    names.retain(|name| {
        MEASURES.into_iter().filter(wanted).any(|measure| value(runs, name, measure).is_some())
    });
    let mut out = format!("| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for measure in MEASURES.into_iter().filter(wanted) {
        let medians: Vec<_> = names.iter().map(|name| value(runs, name, measure)).collect();
        if medians.iter().all(Option::is_none) {
            continue;
        }
        let plain = value(runs, "plain", measure);
        let cells: Vec<String> = names
            .iter()
            .zip(medians)
            .map(|(name, own)| cell(own, plain.filter(|_| name != "plain" && is_compared(measure))))
            .collect();
        out += &format!("| {measure} | {} |\n", cells.join(" | "));
    }
    out
}

/// For each test a table of what TCP sent again and of the drops on the way: sums of all rounds, peers side by side.
fn losses_tables(runs: &[Value]) -> String {
    // By test and counter: peers with their sums.
    let mut sums: BTreeMap<&str, BTreeMap<&str, BTreeMap<&str, u64>>> = BTreeMap::new();
    let mut names: Vec<&str> = Vec::new();
    for peer in runs.iter().flat_map(peers) {
        let name = peer["name"].as_str().unwrap_or_default();
        if !names.contains(&name) {
            names.push(name);
        }
        for (test, rounds) in peer["losses"].as_object().into_iter().flatten() {
            let counters = rounds.as_array().into_iter().flatten().filter_map(Value::as_object).flatten();
            for (counter, by) in counters {
                let of_test = sums.entry(test).or_default();
                *of_test.entry(counter).or_default().entry(name).or_default() += by.as_u64().unwrap_or(0);
            }
        }
    }
    let mut out = String::new();
    for (test, counters) in sums {
        out += &format!(
            "\n| {test}, all rounds | {} |\n|---|{}\n",
            names.join(" | "),
            "---|".repeat(names.len())
        );
        for (counter, of_peers) in counters {
            let cells = names.iter().map(|name| of_peers.get(name).copied().unwrap_or(0).to_string());
            out += &format!("| {counter} | {} |\n", cells.collect::<Vec<_>>().join(" | "));
        }
    }
    out
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn peers(run: &Value) -> impl Iterator<Item = &Value> {
    run["peers"].as_array().into_iter().flatten()
}

/// The smallest and the largest value of a setting.
fn range(runs: &[Value], name: &str) -> String {
    let values = || runs.iter().filter_map(|run| run["setting"][name].as_u64());
    match (values().min(), values().max()) {
        (Some(least), Some(most)) if least < most => format!("{least} to {most}"),
        (least, _) => least.unwrap_or_default().to_string(),
    }
}

/// The median of all runs' values.
pub fn value(runs: &[Value], name: &str, measure: &str) -> Option<f64> {
    let peers = runs.iter().flat_map(peers).filter(|peer| peer["name"] == name);
    let values: Vec<f64> = peers
        .flat_map(|peer| peer["values"][measure].as_array().into_iter().flatten())
        .filter_map(Value::as_f64)
        .collect();
    median(&values)
}

fn is_compared(measure: &str) -> bool {
    !measure.contains("sent again") && !measure.contains("memory")
}

/// A median, with its ratio to plain routing's where that says something.
fn cell(own: Option<f64>, plain: Option<f64>) -> String {
    let Some(own) = own else { return "–".into() };
    let digits = match own {
        100.0.. => 0,
        10.0.. => 1,
        0.001.. => 2 + usize::from(own < 1.0),
        _ => 0,
    };
    match plain.filter(|plain| *plain > 0.0) {
        Some(plain) => format!("{own:.digits$} ({:.2})", own / plain),
        None => format!("{own:.digits$}"),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A run of one round.
    pub fn run_of(wire: &str, esp: &str, values: &[(&str, &str, f64)]) -> Value {
        let names: std::collections::BTreeSet<&str> = values.iter().map(|(name, ..)| *name).collect();
        let peers: Vec<Value> = names
            .iter()
            .map(|name| {
                let own = values.iter().filter(|(of, ..)| of == name);
                let values: BTreeMap<&str, [f64; 1]> = own.map(|(_, key, value)| (*key, [*value])).collect();
                json!({"name": name, "version": "1", "values": values,
                    "losses": {"tcp1": [{"near host, Tcp RetransSegs": 2}, {"near host, Tcp RetransSegs": 3}]}})
            })
            .collect();
        let setting = json!({"wire": wire, "esp": esp, "workers": [0], "streams": 0, "worker_share": 100,
            "rounds": 1, "seconds": 1, "machine": "one"});
        record(&setting, &peers, &[])
    }

    /// Runs of one setting, `gro-x`.
    pub fn runs() -> Runs {
        let values =
            [("plain", MEASURES[0], 8.0), ("uxfrm", MEASURES[0], 4.0), ("plain", "idle RTT, ms", 0.1)];
        Runs::from([("gro-x".to_owned(), vec![run_of("gro", "x", &values)])])
    }

    #[test]
    fn settings_have_names() {
        let of = |workers: Value, share, streams| {
            name_of(
                &json!({"wire": "gro", "esp": "x", "workers": workers, "worker_share": share, "streams": streams}),
            )
        };
        assert_eq!(of(json!([0]), 100, 0), "gro-x");
        let bounded =
            json!({"wire": "gro", "esp": "x", "workers": [0], "worker_share": 5, "bounded": "sender"});
        assert_eq!(name_of(&bounded), "gro-x-share5-sender");
        let rekeyed = json!({"wire": "gro", "esp": "x", "workers": [0], "rekey_seconds": 1});
        assert_eq!(name_of(&rekeyed), "gro-x-rekey1");
        let cubic = json!({"wire": "gro", "esp": "x", "workers": [0], "congestion": "cubic"});
        assert_eq!(name_of(&cubic), "gro-x-cubic");
        assert_eq!(of(json!([1, 2]), 100, 0), "gro-x-workers1+2");
        assert_eq!(of(json!([1, 8]), 5, 8), "gro-x-workers1+8-share5-streams8");
    }

    #[test]
    fn peers_without_a_value_have_no_column() {
        let table = short_table(&runs()["gro-x"], &["idle"]);
        assert_eq!(table.lines().next(), Some("| | plain |"), "{table}");
        let table = short_table(&runs()["gro-x"], &["TCP", "idle"]);
        assert_eq!(table.lines().next(), Some("| | plain | uxfrm |"), "{table}");
    }

    #[test]
    fn losses_are_summed_over_rounds() {
        let text = losses_tables(&runs()["gro-x"]);
        assert!(text.contains("| tcp1, all rounds | plain | uxfrm |"), "{text}");
        assert!(text.contains("| near host, Tcp RetransSegs | 5 | 5 |"), "{text}");
    }
}
