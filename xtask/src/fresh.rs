//! Knows what need not be made again: a stamp beside each output says what it was made from.

use crate::step::Outcome;
use crate::target;
use anyhow::{Context, Result};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// Does `work`, unless all `outputs` are there and were made from `inputs` as they are now. A folder stands for its files.
pub fn unless(inputs: &[PathBuf], outputs: &[PathBuf], work: impl FnOnce() -> Result<()>) -> Result<Outcome> {
    let mut names = DefaultHasher::new();
    outputs.hash(&mut names);
    let stamp = target().join("xtask/made").join(format!("{:016x}", names.finish()));
    let now = digest(inputs)?;
    if outputs.iter().all(|output| output.exists()) && fs::read_to_string(&stamp).is_ok_and(|made| made == now) {
        return Ok(Outcome::Fresh);
    }
    // A stamp must never outlive a half-made output.
    if stamp.exists() {
        fs::remove_file(&stamp)?;
    }
    work()?;
    fs::create_dir_all(stamp.parent().context("a stamp has a folder")?)?;
    fs::write(&stamp, now)?;
    Ok(Outcome::Done)
}

fn digest(inputs: &[PathBuf]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for input in inputs {
        for file in files(input)? {
            file.hash(&mut hasher);
            fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?.hash(&mut hasher);
        }
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// The files under a folder, sorted, without those that npm put there; a file is itself.
pub fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries: Vec<PathBuf> =
        fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    entries.retain(|entry| !entry.ends_with("node_modules"));
    entries.sort();
    let mut found = Vec::new();
    for entry in entries {
        found.append(&mut files(&entry)?);
    }
    Ok(found)
}
