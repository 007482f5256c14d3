//! Tasks of the repository: `cargo xtask --help`.

mod bench;
mod coverage;
mod deps;
mod tidy;

use clap::{Parser, Subcommand};

/// Tasks of the repository.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Check that no crate depends on one that the architecture does not allow it.
    Deps,
    /// Check the house rules: lengths of files and functions, what crates may know, paths that documents name.
    Tidy,
    /// Print the table of API actions and write it to docs/coverage.md.
    Coverage {
        /// Only check that the file is up to date.
        #[arg(long)]
        check: bool,
    },
    /// Measure.
    Bench {
        #[command(subcommand)]
        what: Box<bench::What>,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Deps => deps::check(),
        Task::Tidy => tidy::check(),
        Task::Coverage { check } => coverage::run(check),
        Task::Bench { what } => bench::run(&what),
    }
}
