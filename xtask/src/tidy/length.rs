//! A file is one noun or one action, a function one step.

use super::File;

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
/// What is looked at: code, not data and prose.
const CODE: [&str; 4] = [".rs", ".py", ".js", ".sh"];
/// One table each, and not to be cut: an exhaustive match of errors, a script of requests.
const TABLES: [(&str, &str); 3] = [
    ("crates/dialect-alibaba/src/errors.rs", "refuse"),
    ("crates/dialect-tencent/src/errors.rs", "refuse"),
    ("crates/uxfrm/tests/kernel/states.rs", "script"),
];

pub(super) fn faults(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    let is_code = |path: &str| path == "dev" || CODE.iter().any(|end| path.ends_with(end));
    for file in files.iter().filter(|file| is_code(&file.path)) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            faults.push(format!("{}: {lines} lines, {FILE_LINES_MAX} at most", file.path));
        }
        if !file.path.ends_with(".rs") {
            continue;
        }
        for (name, line, lines) in functions(&file.text) {
            if lines > FUNCTION_LINES_MAX && !TABLES.contains(&(&file.path, name)) {
                faults.push(format!(
                    "{}:{line}: {name} has {lines} lines, {FUNCTION_LINES_MAX} at most",
                    file.path
                ));
            }
        }
    }
    faults
}

/// Name, first line and length of every function with a body of several lines. Rustfmt puts its last brace under the
/// line that it begins with.
fn functions(text: &str) -> Vec<(&str, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let Some(name) = function_name(line.trim_start()) else { continue };
        // A declaration without a body ends with a semicolon before any brace is open.
        let opened = lines[at..].iter().find(|line| line.ends_with('{') || line.ends_with([';', '}']));
        if !opened.is_some_and(|line| line.ends_with('{')) {
            continue;
        }
        let last = lines[at..].iter().position(|line| line.strip_prefix(indent) == Some("}"));
        if let Some(last) = last {
            found.push((name, at + 1, last + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let is_qualifier = |word: &str| {
        matches!(word, "const" | "async" | "unsafe" | "extern" | "\"C\"") || word.starts_with("pub")
    };
    let is_function = before.split_whitespace().all(is_qualifier);
    let end = after.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    is_function.then(|| &after[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_with_their_length() {
        let text = "trait T {\n    fn declared(\n        &self,\n    );\n}\n\npub(crate) async fn long(\n    a: u8,\n) \
                    -> u8 {\n    let f = fn_like();\n    if a > 1 {\n        2\n    }\n}\nfn short() {}\n// fn not one {\n";
        assert_eq!(functions(text), [("long", 7, 8)]);
    }

    #[test]
    fn what_is_too_long_is_told() {
        let body = "    step();\n".repeat(FUNCTION_LINES_MAX);
        let file = |path: &str, text: String| File { path: path.into(), text };
        let long = file("a.rs", format!("fn go() {{\n{body}}}\n"));
        let table = file(TABLES[0].0, format!("fn refuse() {{\n{body}}}\n"));
        let lines = file("b.py", "pass\n".repeat(FILE_LINES_MAX + 1));
        let prose = file("c.md", "word\n".repeat(FILE_LINES_MAX + 1));
        let told = faults(&[long, table, lines, prose]);
        assert_eq!(told, ["a.rs:1: go has 72 lines, 70 at most", "b.py: 401 lines, 400 at most"]);
    }
}
