//! `cargo xtask pack`: the npm package as users get it, one tarball in target/pack.

use crate::step::{Log, Outcome, Plan};
use crate::{build, root, setup, target};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The folder the tarball, and only it, is put in.
fn folder() -> PathBuf {
    target().join("pack")
}

pub fn run(update: bool) -> Result<()> {
    let mut plan = Plan::default();
    build::steps(&mut plan);
    step(&mut plan, update);
    plan.run()?;
    println!("{}", tarball()?.display());
    Ok(())
}

/// Packs what the build made. `update`: takes the list of files as it is now for the right one.
pub fn step(plan: &mut Plan, update: bool) {
    plan.step("tarball", build::BUILT, move |log| pack(log, update));
}

/// The tarball made last.
pub fn tarball() -> Result<PathBuf> {
    let mut files = fs::read_dir(folder())?.filter_map(|entry| Some(entry.ok()?.path()));
    files.find(|path| path.extension().is_some_and(|ending| ending == "tgz")).context("no tarball was made")
}

fn pack(log: &Log, update: bool) -> Result<Outcome> {
    if folder().exists() {
        fs::remove_dir_all(folder())?;
    }
    fs::create_dir_all(folder())?;
    let package = root().join("pkg");
    // npm takes these two along by itself, but only from the package's own folder, and no third.
    fs::copy(root().join("README.md"), package.join("README.md")).context("README.md")?;
    let licence = ["LICENSE", "LICENSE-MIT", "LICENSE-APACHE"].map(|name| fs::read_to_string(root().join(name)));
    let licence = licence.into_iter().collect::<Result<Vec<_>, _>>().context("LICENSE")?;
    fs::write(package.join("LICENSE"), licence.join("\n----\n\n"))?;
    log.run(setup::npm().args(["pack", "--silent", "--pack-destination"]).arg(folder()).current_dir(package))?;

    let listing = Command::new("tar").arg("-tzf").arg(tarball()?).output().context("tar is needed")?;
    let mut files: Vec<&str> = str::from_utf8(&listing.stdout)?.lines().collect();
    files.sort_unstable();
    let files = files.join("\n") + "\n";
    let snapshot = root().join("xtask/tarball.txt");
    if update {
        fs::write(&snapshot, &files)?;
    }
    let expected = fs::read_to_string(&snapshot).unwrap_or_default();
    let missing: Vec<&str> = expected.lines().filter(|file| !files.lines().any(|other| other == *file)).collect();
    let stray: Vec<&str> = files.lines().filter(|file| !expected.lines().any(|other| other == *file)).collect();
    if !missing.is_empty() || !stray.is_empty() {
        bail!(
            "the tarball is not what xtask/tarball.txt lists: missing {missing:?}, not expected {stray:?}. \
             If that is meant: cargo xtask pack --update"
        );
    }
    Ok(Outcome::Done)
}
