//! The table of API actions, made from the code.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, bail};
use causeway_dialect::{ActionInfo, Dialect};

const FILE: &str = "docs/coverage.md";

/// Prints the table and writes it, or checks that the file has it.
///
/// # Errors
/// When the file can't be written, or is not up to date.
pub fn run(check: bool) -> anyhow::Result<()> {
    let dialects: [(&str, Box<dyn Dialect>); 2] = [
        ("Alibaba Cloud", Box::new(causeway_dialect_alibaba::Alibaba)),
        ("Tencent Cloud", Box::new(causeway_dialect_tencent::Tencent)),
    ];
    let mut text = String::from(
        "# Coverage\n\nEvery action of both catalogues (`specs/*/catalog.json`). *Done* is carried out; *missing* \
         answers exactly as the cloud answers an action that it does not support. Made by `cargo xtask coverage`.\n",
    );
    for (name, dialect) in dialects {
        section(&mut text, name, &*dialect);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FILE);
    if check {
        let found = std::fs::read_to_string(&path).with_context(|| format!("reading {FILE}"))?;
        if found != text {
            bail!("{FILE} is not up to date: run `cargo xtask coverage`");
        }
        println!("{FILE} is up to date");
        return Ok(());
    }
    print!("{text}");
    std::fs::write(&path, text).with_context(|| format!("writing {FILE}"))
}

fn section(text: &mut String, name: &str, dialect: &dyn Dialect) {
    let done = dialect.actions();
    let mut by_service: BTreeMap<&str, Vec<ActionInfo>> = BTreeMap::new();
    let extra = done.iter().filter(|action| !dialect.catalogue().contains(action)).copied();
    for action in dialect.catalogue().into_iter().chain(extra) {
        by_service.entry(action.service).or_default().push(action);
    }
    let total: usize = by_service.values().map(Vec::len).sum();
    let _ = writeln!(
        text,
        "\n## {name}: {} of {total}\n\n| service | action | state |\n|---|---|---|",
        done.len()
    );
    for (service, mut actions) in by_service {
        actions.sort_by_key(|action| action.name);
        for action in actions {
            let state = if done.contains(&action) { "done" } else { "missing" };
            let _ = writeln!(text, "| {service} | {} | {state} |", action.name);
        }
    }
}
