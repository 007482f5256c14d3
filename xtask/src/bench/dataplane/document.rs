//! The tables in documents: each stands between two marks, and is made again from a file of results.
//!
//! `<!-- bench gro-aes128gcm16 -->` begins a table of the runs with that wire and that proposal,
//! `<!-- bench gro-aes128gcm16: TCP 1, idle -->` one with those rows alone whose names begin so, `<!-- bench aims -->` what
//! was aimed at beside what was found. `<!-- end -->` ends each.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};

use super::aims;
use super::report::{Runs, short_table};

const BEGIN: &str = "<!-- bench ";
const END: &str = "<!-- end -->";

/// Puts the tables of a file of results into a document. What the file has no runs for stays. Returns the marks of both kinds:
/// those whose tables were made, and those that stayed.
///
/// # Errors
/// Where a file can't be read or written, or a mark has no end.
pub fn replace_tables(document: &Path, runs: &Runs) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let text = fs::read_to_string(document).with_context(|| document.display().to_string())?;
    let (text, made, stayed) = replaced(&text, runs).with_context(|| document.display().to_string())?;
    fs::write(document, text)?;
    Ok((made, stayed))
}

fn replaced(text: &str, runs: &Runs) -> anyhow::Result<(String, Vec<String>, Vec<String>)> {
    let (mut out, mut made, mut stayed) = (String::new(), Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(begin) = rest.find(BEGIN) {
        let after = &rest[begin + BEGIN.len()..];
        let (mark, after) = after.split_once(" -->\n").context("a mark that does not end its line")?;
        ensure!(!mark.contains('\n'), "a mark over several lines");
        let (old, after) = after.split_once(END).with_context(|| format!("no {END} after {mark}"))?;
        ensure!(!old.contains(BEGIN), "no {END} after {mark}");
        out += &rest[..begin];
        let new = table(mark, runs);
        out += &format!("{BEGIN}{mark} -->\n{}{END}", new.as_deref().unwrap_or(old));
        if new.is_some() { &mut made } else { &mut stayed }.push(mark.to_owned());
        rest = after;
    }
    Ok((out + rest, made, stayed))
}

fn table(mark: &str, runs: &Runs) -> Option<String> {
    let (name, rows) = mark.split_once(':').unwrap_or((mark, ""));
    if name == "aims" {
        return aims::table(runs);
    }
    let rows: Vec<&str> = rows.split(',').map(str::trim).filter(|row| !row.is_empty()).collect();
    Some(short_table(runs.get(name)?, &rows))
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::runs;
    use super::*;

    #[test]
    fn tables_between_marks_are_made_again_and_nothing_else_is_touched() {
        let text = "before\n<!-- bench gro-x: TCP 1 -->\nold\n<!-- end -->\nbetween\n\
                    <!-- bench nogro-x -->\nkept\n<!-- end -->\nafter";
        let (new, made, stayed) = replaced(text, &runs()).unwrap();
        assert_eq!((made, stayed), (vec!["gro-x: TCP 1".to_owned()], vec!["nogro-x".to_owned()]));
        assert!(new.starts_with("before\n<!-- bench gro-x: TCP 1 -->\n"), "{new}");
        assert!(new.ends_with("nogro-x -->\nkept\n<!-- end -->\nafter"), "{new}");
        assert!(
            new.contains("| TCP 1 stream, Gbit/s | 8.00 | 4.00 (0.50) |\n<!-- end -->\nbetween"),
            "{new}"
        );
        assert!(!new.contains("old") && !new.contains("idle RTT"), "{new}");
        assert_eq!(replaced(&new, &runs()).unwrap().0, new, "again the same");
    }

    #[test]
    fn a_mark_without_an_end_is_an_error() {
        for text in [
            "<!-- bench gro-x -->\n",
            "<!-- bench gro-x -->\n<!-- bench aims -->\n<!-- end -->",
            "<!-- bench x",
        ] {
            assert!(replaced(text, &runs()).is_err(), "{text}");
        }
    }
}
