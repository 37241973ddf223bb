//! How JavaScript and TypeScript look: laid out by dprint, looked over by oxlint, as `format.json` and `lint.json` say.

use crate::step::{Outcome, Plan};
use crate::{root, setup};
use anyhow::{Result, ensure};
use std::process::Command;

/// `cargo xtask format`.
pub fn run() -> Result<()> {
    let mut plan = Plan::default();
    setup::npm_packages(&mut plan);
    setup::node_version(&mut plan);
    plan.step("format", &["npm packages", "Node"], |log| {
        log.run(setup::cargo().args(["fmt", "--all"]))?;
        log.run(&mut layout(false))?;
        Ok(Outcome::Done)
    });
    plan.run().map(|_| ())
}

/// Lays out all files, or with `check` only names those that are laid out otherwise.
pub fn layout(check: bool) -> Command {
    let mut node = setup::node();
    node.arg(root().join("xtask/format.mjs")).args(check.then_some("--check")).current_dir(root().join("tests"));
    node
}

/// Looks over the files that are laid out, and the generated ones: what git knows, and what is new.
pub fn lint() -> Result<Command> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.ts", "*.mjs", "*.js"])
        .current_dir(root())
        .output()?;
    let listed = String::from_utf8(listed.stdout)?;
    ensure!(!listed.is_empty(), "git lists no files");
    let mut oxlint = setup::node();
    oxlint.arg(root().join("tests/node_modules/oxlint/bin/oxlint")).arg("--config").arg(root().join("xtask/lint.json"));
    oxlint.args(listed.split_terminator('\0')).current_dir(root());
    Ok(oxlint)
}
