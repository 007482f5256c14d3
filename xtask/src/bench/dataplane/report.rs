//! The table of a run: medians, and ratios to plain routing.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

/// A run as it is kept in a file, one line of JSON each: what was asked for, and every value of every round.
pub fn record(setting: &Value, peers: &[(String, String, Value)], skipped: &[String]) -> Value {
    let peers: Vec<Value> = peers
        .iter()
        .map(|(name, version, values)| json!({"name": name, "version": version, "values": values}))
        .collect();
    json!({"setting": setting, "peers": peers, "skipped": skipped})
}

/// Appends a run to a file.
pub fn append(file: &Path, record: &Value) -> anyhow::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    writeln!(file, "{record}").context("writing the results")
}

/// Prints the runs of a file, one table for each setting: what was measured in several runs stands in one.
pub fn print_file(file: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let mut groups: Vec<(String, Vec<Value>)> = Vec::new();
    for line in text.lines() {
        let run: Value = serde_json::from_str(line)?;
        let key =
            format!("{} {} {}", run["setting"]["wire"], run["setting"]["esp"], run["setting"]["workers"]);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, runs)) => runs.push(run),
            None => groups.push((key, vec![run])),
        }
    }
    for (_, runs) in groups {
        print!("{}", table(&runs));
    }
    Ok(())
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
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut out = format!(
        "\nWire `{}`, ESP {}, workers {}; medians of {} rounds of {} s, peers in turn. {}\n\n",
        text(&setting["wire"]),
        text(&setting["esp"]),
        text(&setting["workers"]),
        setting["rounds"],
        setting["seconds"],
        text(&setting["machine"]),
    );
    let mut names: Vec<String> = Vec::new();
    for peer in runs.iter().flat_map(peers) {
        let name = text(&peer["name"]);
        if !names.contains(&name) {
            out += &format!("- {name}: {}\n", text(&peer["version"]));
            names.push(name);
        }
    }
    for missing in runs.iter().flat_map(|run| run["skipped"].as_array().into_iter().flatten()) {
        out += &format!("- not measured: {}\n", text(missing));
    }
    out += &format!("\n| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for run in runs {
        for measure in measures(run) {
            let cells: Vec<String> = names.iter().map(|name| cell(run, name, &measure)).collect();
            out += &format!("| {measure} | {} |\n", cells.join(" | "));
        }
    }
    out
}

fn peers(run: &Value) -> impl Iterator<Item = &Value> {
    run["peers"].as_array().into_iter().flatten()
}

fn measures(run: &Value) -> Vec<String> {
    let mut all: Vec<String> = peers(run)
        .flat_map(|peer| peer["values"].as_object().into_iter().flatten())
        .map(|(name, _)| name.clone())
        .collect();
    all.sort();
    all.dedup();
    all
}

fn value(run: &Value, name: &str, measure: &str) -> Option<f64> {
    let peer = peers(run).find(|peer| peer["name"] == name)?;
    let values: Vec<f64> = peer["values"][measure].as_array()?.iter().filter_map(Value::as_f64).collect();
    median(&values)
}

/// A median, with its ratio to plain routing's where that says something.
fn cell(run: &Value, name: &str, measure: &str) -> String {
    let Some(own) = value(run, name, measure) else { return "–".into() };
    let digits = if own >= 100.0 {
        0
    } else if own >= 10.0 {
        1
    } else {
        3
    };
    let plain = value(run, "plain", measure).filter(|plain| *plain > 0.0);
    match plain {
        Some(plain) if name != "plain" && !measure.contains("sent again") && !measure.contains("memory") => {
            format!("{own:.digits$} ({:.2})", own / plain)
        }
        _ => format!("{own:.digits$}"),
    }
}
