//! `cargo xtask kills [name...] [--count N] [--seed N]`: kills what uses a storage, over and over, and checks the books each time.

use crate::step::Plan;
use crate::{root, setup, test};
use anyhow::{Result, bail, ensure};

const NAMES: &[&str] = &["chromium", "firefox", "file", "deno", "workerd"];

/// Without names: all, one after the other. The options are those of tests/kills/kills.mjs.
pub fn run(words: &[String]) -> Result<()> {
    let (words, options) = words.split_at(words.iter().position(|word| word.starts_with("--")).unwrap_or(words.len()));
    if let Some(odd) = words.iter().find(|word| !NAMES.contains(&word.as_str())) {
        bail!("nothing to kill of the name {odd:?}; there are: {}", NAMES.join(" "));
    }
    let chosen = |name: &&&str| words.is_empty() || words.iter().any(|word| word == **name);
    let mut plan = Plan::default();
    setup::browsers(&mut plan);
    test::installed(&mut plan);
    plan.run()?;
    for name in NAMES.iter().filter(chosen) {
        let status = setup::node().arg(root().join("tests/kills/kills.mjs")).arg(name).args(options).status()?;
        ensure!(status.success(), "the books of {name} are not right");
    }
    Ok(())
}
