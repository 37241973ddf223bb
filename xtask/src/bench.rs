//! `cargo xtask bench [name...] [--option...]`: natively by criterion, in browsers by the pages of www/bench, in Deno, Node, workerd.

use crate::step::Plan;
use crate::{build, root, setup};
use anyhow::{Result, bail, ensure};
use std::env;
use std::process::Command;

const NAMES: &[&str] = &["memory", "durable", "workers", "deno", "node", "workerd"];

/// The options, which come last, are those of www/bench/run.mjs or of the other scripts beside it.
pub fn run(words: &[String]) -> Result<()> {
    let (words, options) = words.split_at(words.iter().position(|word| word.starts_with("--")).unwrap_or(words.len()));
    if let Some(odd) = words.iter().find(|word| !NAMES.contains(&word.as_str())) {
        bail!("no benchmark {odd:?}; there are: {}", NAMES.join(", "));
    }
    let chosen = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    let mut plan = Plan::default();
    if ["memory", "durable", "workers"].into_iter().any(chosen) {
        setup::browsers(&mut plan);
    }
    if chosen("node") {
        setup::redis(&mut plan);
    }
    build::steps(&mut plan);
    plan.run()?;
    for name in NAMES {
        if !chosen(name) {
            continue;
        }
        if *name == "deno" {
            let deno = root().join("tests/node_modules/deno/bin.cjs");
            let flags = ["run", "--quiet", "--no-config", "--allow-all", "--unstable-kv"];
            let script = root().join("www/bench/deno.mjs");
            shown(setup::node().arg(deno).args(flags).arg(script).args(options))?;
            continue;
        }
        if *name == "memory" && root().join("benches").is_dir() {
            shown(setup::cargo().args(["bench", "--locked", "--package", "posthaste", "--benches", "--quiet"]))?;
        }
        let here = env::current_dir()?;
        let mut bench = setup::node();
        bench.current_dir(here);
        if *name == "node" || *name == "workerd" {
            bench.arg(root().join(format!("www/bench/{name}.mjs")));
        } else {
            bench.arg(root().join("www/bench/run.mjs")).arg(name);
        }
        shown(bench.args(options))?;
    }
    Ok(())
}

/// Runs a program whose output is the result.
fn shown(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    ensure!(status.success(), "{} failed: {status}", command.get_program().to_string_lossy());
    Ok(())
}
