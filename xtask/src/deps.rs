//! The dependency rules of the architecture: which crate may use which.

use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

/// A crate and the crates of the workspace that it may depend on. `ARCHITECTURE.md` says why.
const ALLOWED: &[(&str, &[&str])] = &[
    ("causeway-model", &[]),
    ("causeway-ops", &["causeway-model"]),
    ("causeway-plan", &["causeway-model"]),
    ("causeway-peerconfig", &["causeway-model"]),
    ("causeway-store", &["causeway-model"]),
    ("causeway-engine", &["causeway-model", "causeway-plan"]),
    ("uxfrm", &[]),
    ("causeway-engine-linux", &["causeway-model", "causeway-plan", "causeway-engine", "uxfrm"]),
    (
        "causeway-lab",
        &["causeway-model", "causeway-plan", "causeway-engine", "causeway-engine-linux", "uxfrm"],
    ),
    ("causeway-reconcile", &["causeway-model", "causeway-plan", "causeway-store", "causeway-engine"]),
    ("causeway-dialect", &["causeway-model", "causeway-ops"]),
    (
        "causeway-dialect-alibaba",
        &["causeway-model", "causeway-ops", "causeway-dialect", "causeway-peerconfig"],
    ),
    (
        "causeway-dialect-tencent",
        &["causeway-model", "causeway-ops", "causeway-dialect", "causeway-peerconfig"],
    ),
    ("causeway-client", &["causeway-model", "causeway-dialect"]),
    ("causeway-server", &["causeway-model", "causeway-ops", "causeway-store", "causeway-dialect"]),
];
/// Crates that put the others together, or only serve their development.
const FREE: &[&str] = &["causeway", "xtask"];

/// Checks every crate of the workspace.
///
/// # Errors
/// When a crate uses one that it may not, or is not in the table.
pub fn check() -> anyhow::Result<()> {
    let output =
        Command::new(env!("CARGO")).args(["metadata", "--no-deps", "--format-version=1"]).output()?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    let names: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut faults = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        if FREE.contains(&name) {
            continue;
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            faults.push(format!("{name} is not in the table of xtask/src/deps.rs"));
            continue;
        };
        let dependencies = package["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
        // Tests may use more than the crate itself.
        let of_crate = dependencies.iter().filter(|dependency| dependency["kind"] != "dev");
        for used in of_crate.filter_map(|dependency| dependency["name"].as_str()) {
            if names.contains(&used) && !allowed.contains(&used) {
                faults.push(format!("{name} may not depend on {used}"));
            }
        }
    }
    if faults.is_empty() {
        println!("{} crates keep the dependency rules", names.len());
        return Ok(());
    }
    bail!("{}", faults.join("\n"))
}
