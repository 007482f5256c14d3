//! The house rules that a program can see: how long files and functions are, who knows vendors, who does I/O, and that
//! every path which the documents name is there.

mod length;
mod paths;
mod purity;

use std::path::Path;
use std::process::Command;

use anyhow::bail;

/// A file of the tree: its path from the root, and its text.
struct File {
    path: String,
    text: String,
}

/// Checks the whole tree.
///
/// # Errors
/// When git does not list the files, or a rule is broken.
pub fn check() -> anyhow::Result<()> {
    let files = files()?;
    let rules = [length::faults, purity::faults, paths::faults];
    let faults: Vec<String> = rules.iter().flat_map(|rule| rule(&files)).collect();
    if faults.is_empty() {
        println!("{} files are tidy", files.len());
        return Ok(());
    }
    bail!("{}", faults.join("\n"))
}

/// What git has or would take, without what is no text.
fn files() -> anyhow::Result<Vec<File>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).current_dir(&root).output()?;
    if !output.status.success() {
        bail!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let paths = String::from_utf8(output.stdout)?;
    let read = |path: &str| {
        let text = std::fs::read_to_string(root.join(path)).ok()?;
        Some(File { path: path.to_owned(), text })
    };
    Ok(paths.split_terminator('\0').filter_map(read).collect())
}
