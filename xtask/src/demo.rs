//! `cargo xtask demo`: builds and packs, then serves www/ until it is stopped.

use crate::step::Plan;
use crate::{build, pack, root, setup};
use anyhow::{Result, ensure};

pub fn run() -> Result<()> {
    let mut plan = Plan::default();
    build::steps(&mut plan);
    pack::step(&mut plan, false);
    plan.run()?;
    let status = setup::node().arg(root().join("www/serve.mjs")).status()?;
    ensure!(status.success(), "the demo's server ended: {status}");
    Ok(())
}
