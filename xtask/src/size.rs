//! `cargo xtask size`: what users download, against the budget.

use crate::step::{Outcome, Plan};
use crate::{build, root, setup};
use anyhow::Result;
use std::fs;

pub fn run() -> Result<()> {
    let mut plan = Plan::default();
    build::steps(&mut plan);
    step(&mut plan);
    let result = plan.run();
    // The table is worth seeing when it is too big, too.
    if let Ok(table) = fs::read_to_string(crate::target().join("xtask/size.txt")) {
        print!("{table}");
    }
    result.map(|_| ())
}

pub fn step(plan: &mut Plan) {
    plan.step("size", &["bundles"], |log| {
        let table = crate::target().join("xtask/size.txt");
        log.run(setup::node().arg(root().join("xtask/size.mjs")).arg(root().join("pkg")).arg(table))?;
        Ok(Outcome::Tested { passed: 1, failed: 0 })
    });
}
