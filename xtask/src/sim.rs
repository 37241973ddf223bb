//! `cargo xtask sim [--option...]`: the packed package in worlds of our own making. The options are those of tests/sim/run.mjs.

use crate::step::{Log, Outcome, Plan};
use crate::{root, setup, test};
use anyhow::{Result, ensure};
use std::env;
use std::process::Command;

/// Runs worlds by `words`; first makes the package that runs in them, unless `--package` names another.
pub fn run(words: &[String]) -> Result<()> {
    if !words.iter().any(|word| word == "--package") {
        let mut plan = Plan::default();
        test::installed(&mut plan);
        plan.run()?;
    }
    let here = env::current_dir()?;
    let status = program().current_dir(here).args(words).status()?;
    ensure!(status.success(), "the simulator found something");
    Ok(())
}

/// What is checked each time: scenarios, that a seed is the same twice, and seeds that never change.
pub fn tests(log: &Log) -> Result<Outcome> {
    test::tests(log, program().arg("--test"))
}

fn program() -> Command {
    let mut node = setup::node();
    // Microtasks are run by the world, not when Node likes.
    node.args(["--allow-natives-syntax", "--expose-gc", "--no-warnings"]).arg(root().join("tests/sim/run.mjs"));
    node
}
