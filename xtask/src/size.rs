//! `cargo xtask size`: what users download, against the budget.

use crate::step::{Outcome, Plan};
use crate::{build, root, setup};
use anyhow::Result;
use std::fs;

/// `update`: the README's table is written anew.
pub fn run(update: bool) -> Result<()> {
    let mut plan = Plan::default();
    build::steps(&mut plan);
    step(&mut plan, update);
    let result = plan.run();
    // The table is worth seeing when it is too big, too.
    if let Ok(table) = fs::read_to_string(crate::target().join("xtask/size.txt")) {
        print!("{table}");
    }
    result.map(|_| ())
}

pub fn step(plan: &mut Plan, update: bool) {
    plan.step("size", &["bundles"], move |log| {
        let table = crate::target().join("xtask/size.txt");
        let mut node = setup::node();
        node.arg(root().join("xtask/size.mjs")).arg(root().join("pkg")).arg(table).arg(root().join("README.md"));
        log.run(node.args(update.then_some("--update")))?;
        Ok(Outcome::Tested { passed: 1, failed: 0 })
    });
}
