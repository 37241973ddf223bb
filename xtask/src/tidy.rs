//! The rules of style that no other tool knows, as tests.

use crate::root;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CODE: &[&str] = &["rs", "ts", "mts", "mjs", "js", "css", "html"];
const TEXT: &[&str] = &["toml", "md", "json", "txt", "yml"];

/// What others made, or we make.
const NOT_OURS: &[&str] = &["target", "node_modules", ".git", "pkg/dist", "pkg/wasm"];

const LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc", "manager"];

/// Every text file of the repository that people write, by its path from the root.
fn sources() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(&root(), &mut found);
    assert!(found.len() > 20, "these are not all the sources: {:?}", found.keys());
    found
}

fn collect(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        if NOT_OURS.iter().any(|other| name == *other || name.ends_with(&format!("/{other}"))) {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        } else if CODE.contains(&&*ending) || TEXT.contains(&&*ending) {
            found.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

fn code() -> impl Iterator<Item = (String, String)> {
    let is_code = |name: &str| CODE.iter().any(|ending| name.ends_with(&format!(".{ending}")));
    sources().into_iter().filter(move |(name, _)| is_code(name))
}

fn nothing(found: Vec<String>, what: &str) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn files_are_short() {
    let count = |(name, text): (String, String)| (text.lines().count(), name);
    let long = code().map(count).filter(|(lines, _)| *lines > LINES_MAX);
    nothing(long.map(|(lines, name)| format!("{name}: {lines} lines")).collect(), "files past 500 lines");
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    for (name, text) in code().filter(|(name, _)| name.ends_with(".rs")) {
        let lines: Vec<&str> = text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let indent = &line[..line.len() - line.trim_start().len()];
            let mut words = line.split_whitespace().take(5);
            // rustfmt puts the brace that ends a function under the place where it begins.
            if !line.contains("//") && words.any(|word| word == "fn") {
                let end = format!("{indent}}}");
                let length = lines[start..].iter().position(|line| *line == end).map_or(1, |last| last + 1);
                if length > FUNCTION_LINES_MAX {
                    long.push(format!("{name}:{}: {length} lines", start + 1));
                }
            }
        }
    }
    nothing(long, "functions past 70 lines");
}

#[test]
fn files_say_what_they_are_for() {
    let opens = |text: &str| {
        let text = text.strip_prefix("<!doctype html>").unwrap_or(text).trim_start();
        ["//", "/*", "<!--"].iter().any(|mark| text.starts_with(mark))
    };
    let silent = code().filter(|(_, text)| !opens(text));
    nothing(silent.map(|(name, _)| name).collect(), "files that do not open with a comment");
}

#[test]
fn names_say_something() {
    let is_empty = |name: &String| {
        let parts = name.split('/').map(|part| part.split('.').next().unwrap_or(""));
        parts.into_iter().any(|part| EMPTY_NAMES.contains(&part))
    };
    nothing(sources().into_keys().filter(is_empty).collect(), "names that say nothing");
}

/// What lies beside the folders of the code: a stray file at the top is the first that a reader sees.
const TOP: &[&str] = &[
    ".cargo",
    ".ci",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "pkg",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "src",
    "tests",
    "www",
    "xtask",
];

#[test]
fn nothing_lies_about() {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let names = listed.split_terminator('\0').filter(|name| !TOP.contains(&name.split('/').next().unwrap_or("")));
    nothing(names.map(str::to_owned).collect(), "files that belong nowhere");
}

#[test]
fn nothing_is_left_for_later() {
    // In halves, so as not to find ourselves.
    let marks = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"], ["HA", "CK"]].map(|halves| halves.concat());
    let mut found = Vec::new();
    for (name, text) in sources() {
        for (at, line) in text.lines().enumerate() {
            let mut words = line.split(|letter: char| !letter.is_ascii_alphanumeric());
            if words.any(|word| marks.iter().any(|mark| mark == word)) {
                found.push(format!("{name}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    nothing(found, "marks of unfinished work");
}

#[test]
fn lock_files_name_no_registry() {
    let locks = sources().into_iter().filter(|(name, _)| name.ends_with("package-lock.json"));
    let naming = locks.filter(|(_, text)| text.contains("\"resolved\""));
    nothing(naming.map(|(name, _)| name).collect(), "lock files with addresses");
}
