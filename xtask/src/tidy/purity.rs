//! Who knows vendors, and who does I/O or reads a clock (invariants 1 and 2 of `ARCHITECTURE.md`).

use super::File;

/// Crates of the core and of the data plane: they know no vendor.
const NEUTRAL: [&str; 12] = [
    "model",
    "ops",
    "plan",
    "store",
    "engine",
    "engine-linux",
    "reconcile",
    "peerconfig",
    "dialect",
    "server",
    "lab",
    "uxfrm",
];
const VENDORS: [&str; 5] = ["alibaba", "aliyun", "alicloud", "tencent", "qcloud"];

/// Crates whose every result is made of their arguments alone.
const PURE: [&str; 4] = ["model", "ops", "plan", "peerconfig"];
const IMPURE: [&str; 15] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "SystemTime",
    "Instant",
    "async fn",
    "tokio",
    "aws_lc_rs::rand",
    "getrandom",
];

pub(super) fn faults(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    let of = |crates: &[&str], path: &str| {
        crates.iter().any(|name| path.starts_with(&format!("crates/{name}/src/")))
    };
    for file in files.iter().filter(|file| file.path.ends_with(".rs")) {
        let (neutral, pure) = (of(&NEUTRAL, &file.path), of(&PURE, &file.path));
        for (number, line) in (1..).zip(file.text.lines()) {
            let at = format!("{}:{number}", file.path);
            let lower = line.to_lowercase();
            if let Some(vendor) = VENDORS.iter().find(|vendor| neutral && lower.contains(**vendor)) {
                faults.push(format!("{at}: only dialects know \"{vendor}\""));
            }
            let code = line.split("//").next().unwrap_or_default();
            if let Some(word) = IMPURE.iter().find(|word| pure && code.contains(**word)) {
                faults.push(format!("{at}: \"{word}\" in a crate without I/O, clock and randomness"));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_and_clocks_are_told_where_they_may_not_be() {
        let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
        let files = [
            file("crates/ops/src/a.rs", "// Instant\nlet now = Instant::now();\n"),
            file("crates/server/src/b.rs", "use std::time::Instant;\n/// As Tencent does it.\n"),
            file("crates/dialect-tencent/src/c.rs", "// Tencent\n"),
        ];
        let told = faults(&files);
        assert_eq!(
            told,
            [
                "crates/ops/src/a.rs:2: \"Instant\" in a crate without I/O, clock and randomness",
                "crates/server/src/b.rs:2: only dialects know \"tencent\"",
            ]
        );
    }
}
