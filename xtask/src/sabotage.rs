//! `cargo xtask sabotage [NN...] [--build]`: plants one fault after another in a copy of the sources, and sees that the package
//! simulator finds each within five minutes. `--build`: only makes the packages.
//!
//! A fault is a file in tests/sim/sabotage: what it breaks, then for each file of ours a text that is there once, and what
//! stands there instead. What the sound package fails at, too, proves nothing.

use crate::{build, own_program, root, setup, target};
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const LONGEST: Duration = Duration::from_secs(5 * 60);
/// Each with every world; the same for every fault.
const FIRST_SEED: &str = "1";
const SEEDS: &str = "400";

/// Says to our own program, run again, where the repository is.
pub const ROOT: &str = "POSTHASTE_ROOT";

struct Fault {
    name: String,
    breaks: String,
    /// Worlds of the simulator that can show it; all where it names none.
    worlds: Option<String>,
    changes: Vec<Change>,
}

struct Change {
    file: String,
    from: String,
    to: String,
}

struct Found {
    seed: String,
    kind: String,
    after: Duration,
}

pub fn run(words: &[String]) -> Result<()> {
    let (flags, wanted): (Vec<&String>, Vec<&String>) = words.iter().partition(|word| word.starts_with("--"));
    let faults = faults()?;
    if let Some(odd) = wanted.iter().find(|word| !faults.iter().any(|fault| fault.name.starts_with(word.as_str()))) {
        bail!("no fault begins with {odd:?}; they are in {}", folder().display());
    }
    let chosen = |fault: &&Fault| wanted.is_empty() || wanted.iter().any(|word| fault.name.starts_with(word.as_str()));
    let sound = package(None)?;
    let mut lines = Vec::new();
    for fault in faults.iter().filter(chosen) {
        let line = match package(Some(fault)) {
            Err(error) => Err(format!("NOT PLANTED  {}: {error:#}", fault.name)),
            Ok(_) if flags.iter().any(|flag| *flag == "--build") => Ok(format!("built        {}", fault.name)),
            Ok(made) => told(fault, hunt(&made, &sound, fault)?),
        };
        println!("{}", line.as_ref().unwrap_or_else(|failure| failure));
        lines.push(line);
    }
    let missed: Vec<_> = lines.iter().filter_map(|line| line.as_ref().err()).collect();
    println!("\n{}", lines.iter().map(|line| line.clone().unwrap_or_else(|line| line)).collect::<Vec<_>>().join("\n"));
    println!("{} of {} faults are found", lines.len() - missed.len(), lines.len());
    ensure!(missed.is_empty(), "the simulator does not see everything");
    Ok(())
}

fn told(fault: &Fault, found: Option<Found>) -> Result<String, String> {
    let Fault { name, breaks, .. } = fault;
    match found {
        Some(Found { seed, kind, after }) => Ok(format!("found {:>4} s  {name}: {kind}, {seed}", after.as_secs())),
        None => Err(format!("NOT FOUND     {name}: {breaks}")),
    }
}

fn folder() -> PathBuf {
    root().join("tests/sim/sabotage")
}

fn faults() -> Result<Vec<Fault>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder())?.map(|entry| Ok(entry?.path())).collect::<Result<_, std::io::Error>>()?;
    files.retain(|file| file.extension().is_some_and(|ending| ending == "patch"));
    files.sort();
    files.iter().map(|file| parse(file).with_context(|| file.display().to_string())).collect()
}

/// `breaks: …`, `worlds: a,b` (optional), then changes: `--- file`, the text that is there once, `===`, what stands there instead.
fn parse(file: &Path) -> Result<Fault> {
    let text = fs::read_to_string(file)?;
    let mut parts = text.strip_suffix('\n').unwrap_or(&text).split("\n--- ");
    let head = parts.next().unwrap_or_default();
    let said = |what: &str| head.lines().find_map(|line| line.strip_prefix(what)).map(str::to_owned);
    let change = |part: &str| {
        let (file, rest) = part.split_once('\n')?;
        let (from, to) = rest.split_once("===\n")?;
        Some(Change { file: file.trim().to_owned(), from: from.strip_suffix('\n')?.to_owned(), to: to.to_owned() })
    };
    let changes: Option<Vec<Change>> = parts.map(change).collect();
    let name = file.file_stem().context("a file has a name")?.to_string_lossy().into_owned();
    let changes = changes.filter(|changes| !changes.is_empty()).context("no change in it")?;
    Ok(Fault {
        name,
        breaks: said("breaks: ").context("it does not say what it breaks")?,
        worlds: said("worlds: "),
        changes,
    })
}

fn scratch() -> PathBuf {
    target().join("sabotage")
}

/// The built package with the fault, or without any: the folder of its bundles. Made once for the sources as they are.
fn package(fault: Option<&Fault>) -> Result<PathBuf> {
    let tree = scratch().join("tree");
    let mark = copy(&tree, fault)?;
    let made = scratch().join("made").join(fault.map_or("sound", |fault| &fault.name));
    let stamp = made.join("stamp");
    if fs::read_to_string(&stamp).is_ok_and(|known| known == mark) {
        return Ok(made);
    }
    let mut build = Command::new(own_program()?);
    build.arg("rebuild").env(ROOT, &tree).env("CARGO_TARGET_DIR", scratch().join("target")).env(build::QUICKLY, "1");
    let output = build.output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "it does not build: {}",
        said.lines().rev().take(12).collect::<Vec<_>>().join(" | ")
    );
    if made.exists() {
        fs::remove_dir_all(&made)?;
    }
    fs::create_dir_all(&made)?;
    fs::copy(tree.join("pkg/package.json"), made.join("package.json"))?;
    for name in ["index.js", "engine.js", "errors.js", "ports-part.js", "rings.js", "client.js"] {
        fs::copy(tree.join("pkg/dist").join(name), made.join(name))?;
    }
    fs::write(stamp, mark)?;
    Ok(made)
}

/// Makes the tree what the repository is, with the fault in it. What is the same is not touched: it need not be built again.
fn copy(tree: &Path, fault: Option<&Fault>) -> Result<String> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "--"])
        .args([
            "Cargo.toml",
            "Cargo.lock",
            "rust-toolchain.toml",
            ".cargo",
            "src",
            "pkg",
            "xtask",
            "benches",
            "tests/package.json",
        ])
        .current_dir(root())
        .output()?;
    let mut mark = DefaultHasher::new();
    let mut left: HashSet<String> =
        fault.iter().flat_map(|fault| &fault.changes).map(|change| change.file.clone()).collect();
    for name in String::from_utf8(listed.stdout)?.lines().filter(|name| root().join(name).is_file()) {
        let mut content = fs::read(root().join(name))?;
        if left.remove(name) {
            let changes = fault.iter().flat_map(|fault| &fault.changes).filter(|change| change.file == name);
            content = planted(String::from_utf8(content)?, changes)?.into_bytes();
        }
        (name, &content).hash(&mut mark);
        let copy = tree.join(name);
        if fs::read(&copy).ok().as_ref() != Some(&content) {
            fs::create_dir_all(copy.parent().context("a file has a folder")?)?;
            fs::write(copy, content)?;
        }
    }
    ensure!(left.is_empty(), "there is no {left:?}");
    let modules = tree.join("tests/node_modules");
    if !modules.exists() {
        #[cfg(unix)]
        std::os::unix::fs::symlink(root().join("tests/node_modules"), &modules)?;
        #[cfg(windows)]
        std::os::windows::fs::symlink_dir(root().join("tests/node_modules"), &modules)?;
    }
    Ok(format!("{:016x}", mark.finish()))
}

fn planted<'a>(mut text: String, changes: impl Iterator<Item = &'a Change>) -> Result<String> {
    for Change { file, from, to } in changes {
        let count = text.matches(from.as_str()).count();
        ensure!(count == 1, "{file} has this {count} times, not once: {from}");
        text = text.replacen(from.as_str(), to, 1);
    }
    Ok(text)
}

/// Runs the simulator on a package, from a seed on; calls `heard` with the seed, the world and the kind of each violation
/// until it answers true.
fn simulate(
    made: &Path,
    seeds: [&str; 2],
    worlds: Option<&str>,
    mut heard: impl FnMut(&str, &str, &str) -> bool,
) -> Result<()> {
    let mut node = setup::node();
    node.args(["--allow-natives-syntax", "--expose-gc", "--no-warnings"]).arg(root().join("tests/sim/run.mjs"));
    node.args(["--quiet", "--on", "--minutes", "5", "--seed", seeds[0], "--seeds", seeds[1], "--package"]).arg(made);
    if let Some(worlds) = worlds {
        node.args(["--only", worlds]);
    }
    let mut child = node.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    for line in BufReader::new(child.stdout.take().context("it has an output")?).lines() {
        let line = line?;
        let found = line.strip_prefix("VIOLATION of seed ").and_then(|rest| {
            let (seed, rest) = rest.split_once(", world ")?;
            let (world, rest) = rest.split_once(": ")?;
            Some((seed, world, rest.split(" at ").next()?))
        });
        if found.is_some_and(|(seed, world, kind)| heard(seed, world, kind)) {
            child.kill()?;
            break;
        }
    }
    child.wait()?;
    Ok(())
}

/// Whether the sound package passes with that seed. It should with every one; where it does not, another must show the fault.
fn holds(sound: &Path, seed: &str, world: &str) -> Result<bool> {
    let mut holds = true;
    simulate(sound, [seed, "1"], Some(world), |_, _, _| {
        holds = false;
        true
    })?;
    Ok(holds)
}

fn hunt(made: &Path, sound: &Path, fault: &Fault) -> Result<Option<Found>> {
    let start = Instant::now();
    let (mut found, mut failure) = (None, None);
    simulate(made, [FIRST_SEED, SEEDS], fault.worlds.as_deref(), |seed, world, kind| {
        let after = start.elapsed();
        if after > LONGEST {
            return true;
        }
        match holds(sound, seed, world) {
            Ok(true) => {
                found = Some(Found { seed: format!("seed {seed}, world {world}"), kind: kind.to_owned(), after });
            }
            Ok(false) => {}
            Err(error) => failure = Some(error),
        }
        found.is_some() || failure.is_some()
    })?;
    failure.map_or(Ok(found), Err)
}

/// A change of a file must not leave a fault behind that can't be planted any more: it would be found years later.
#[test]
fn every_fault_can_be_planted() {
    let mut known = 0;
    for fault in faults().unwrap() {
        for change in &fault.changes {
            let text = fs::read_to_string(root().join(&change.file)).unwrap();
            planted(text, std::iter::once(change)).unwrap();
        }
        known += 1;
    }
    assert!(known >= 40, "{known} faults");
}
