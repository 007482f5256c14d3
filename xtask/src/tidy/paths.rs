//! Every path, module and test that a document names in backticks or links to is there.

use std::collections::BTreeSet;

use super::File;

/// What only a build, a run or another machine makes.
const MADE: [&str; 3] = ["target/", "~/", "/"];
const FILES: [&str; 5] = [".rs", ".md", ".py", ".sh", ".toml"];

pub(super) fn faults(files: &[File]) -> Vec<String> {
    let known: BTreeSet<&str> = files.iter().flat_map(|file| with_folders(&file.path)).collect();
    let functions: BTreeSet<&str> = files.iter().flat_map(|file| functions(&file.text)).collect();
    let mut faults = Vec::new();
    // The facts of the APIs speak of the vendors' files.
    for file in files.iter().filter(|file| file.path.ends_with(".md") && !file.path.starts_with("specs/")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (number, line) in (1..).zip(file.text.lines()) {
            let broken_links = links(line).filter(|link| !known.contains(resolved(folder, link).as_str()));
            let in_backticks = || line.split('`').skip(1).step_by(2);
            let lost_paths =
                in_backticks().filter(|text| is_path(&known, text) && !is_somewhere(&known, text));
            let lost_modules = in_backticks().filter(|text| !is_module_or_else(&known, text));
            let lost_tests = in_backticks().filter(|text| is_test(text) && !functions.contains(text));
            for lost in broken_links.chain(lost_paths).chain(lost_modules).chain(lost_tests) {
                faults.push(format!("{}:{number}: {lost} is not there", file.path));
            }
        }
    }
    faults
}

/// A path and the folders that it lies in.
fn with_folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at]).chain([path])
}

/// The names of a text's functions, in Rust and Python.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let (_, after) = line.split_once("fn ").or_else(|| line.split_once("def "))?;
        after.split(|c: char| !c.is_alphanumeric() && c != '_').next()
    })
}

/// A test's name is a sentence; shorter names may be anything.
fn is_test(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && text.matches('_').count() > 3
}

/// What a line links to within the tree.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let links = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    links.filter(|link| !link.is_empty() && !link.contains("://"))
}

/// A link of a document in a folder, from the root.
fn resolved(folder: &str, link: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// A lone name may be somebody else's, so a path has a slash; and it ends like one, or begins with a folder or a crate.
fn is_path(known: &BTreeSet<&str>, text: &str) -> bool {
    let is_made = MADE.iter().any(|start| text.starts_with(start));
    let is_of_names = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-*".contains(c));
    let Some((first, _)) = text.split_once('/').filter(|_| is_of_names && !is_made) else { return false };
    let ends_like_one = FILES.iter().any(|end| text.ends_with(end)) || text.ends_with('/');
    ends_like_one || known.contains(first) || known.contains(format!("crates/{first}").as_str())
}

/// Whether something in the tree ends with these names; a star stands for any part of one.
fn is_somewhere(known: &BTreeSet<&str>, path: &str) -> bool {
    let wanted: Vec<&str> = path.trim_end_matches('/').split('/').rev().collect();
    known.iter().any(|path| {
        let mut names = path.split('/').rev();
        wanted.iter().all(|part| {
            names.next().is_some_and(|name| match part.split_once('*') {
                Some((before, after)) => name.starts_with(before) && name.ends_with(after),
                None => *part == name,
            })
        })
    })
}

/// Whether `crate::module` is there; true for what is no such name.
fn is_module_or_else(known: &BTreeSet<&str>, text: &str) -> bool {
    let is_of_names = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(c));
    let Some((name, module)) = text.split_once("::").filter(|_| is_of_names) else { return true };
    let source = format!("crates/{}/src", name.replace('_', "-"));
    if !known.contains(source.as_str()) {
        return true;
    }
    let module = format!("{source}/{}", module.replace("::", "/"));
    known.contains(module.as_str()) || known.contains(format!("{module}.rs").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_document_names_and_is_not_there_is_told() {
        let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
        let document = "`server/src/body.rs` `src/gone.rs` `server::body` `server::gone` `std::fs` `target/x.rs`\n\
                        [one](../crates/server) [two](none.md#part) [three](https://example.org/none.md)\n\
                        `specs/*/catalog.json/` `specs/*/catalog/` `tests/` `Gone::here`\n\
                        `server/src` `server/tests` `a/b`\n\
                        `a_body_is_read_once` `a_body_is_read_twice` `a_word`\n";
        let files = [
            file("docs/a.md", document),
            file("crates/server/src/body.rs", "    async fn a_body_is_read_once() {\n"),
            file("specs/one/catalog/all.json", ""),
        ];
        let told = faults(&files);
        let wanted = [
            "docs/a.md:1: src/gone.rs is not there",
            "docs/a.md:1: server::gone is not there",
            "docs/a.md:2: none.md is not there",
            "docs/a.md:3: specs/*/catalog.json/ is not there",
            "docs/a.md:3: tests/ is not there",
            "docs/a.md:4: server/tests is not there",
            "docs/a.md:5: a_body_is_read_twice is not there",
        ];
        assert_eq!(told, wanted);
    }
}
