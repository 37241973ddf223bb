//! `cargo xtask <command>`: everything that needs doing with this repository, set-up included.

mod bench;
mod border;
mod build;
mod demo;
mod fresh;
mod kills;
mod pack;
mod ring;
mod sabotage;
mod setup;
mod sim;
mod size;
mod step;
mod style;
mod test;
#[cfg(test)]
mod tidy;

use anyhow::{Context, Result};
use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask <command>

  demo             the demo, served at http://localhost:5173
  test [part...]   every check; parts: style engine ring web types node sim deno edge workerd package browser; --all: bundlers, too
  sim              the packed package in simulated worlds: --seed N --minutes N --only KIND, others in tests/sim/README.md
  sabotage [NN...] plants the faults of tests/sim/sabotage, one after another, and sees that sim finds each
  bench [name...]  the benchmarks: memory durable workers node deno workerd; options: those of www/bench/run.mjs
  kills [name...]  kills over and over: chromium firefox file deno workerd; options: --count N --seed N
  border           writes the numbers that Rust and TypeScript share down for TypeScript
  format           lays out all Rust, JavaScript and TypeScript
  build            the package, in pkg/
  pack [--update]  its tarball; prints the path. --update: takes over a changed list of its files
  size [--update]  bytes of what users download, against the budget; --update: writes the README's table
";

fn main() -> ExitCode {
    let mut words: Vec<String> = env::args().skip(1).collect();
    let command = if words.is_empty() { String::new() } else { words.remove(0) };
    let result = match command.as_str() {
        "demo" => demo::run(),
        "test" => test::run(&words),
        "bench" => bench::run(&words),
        "kills" => kills::run(&words),
        "border" => border::run(),
        "format" => style::run(),
        "build" => build::run(),
        "pack" => pack::run(words.iter().any(|word| word == "--update")),
        "sim" => sim::run(&words),
        "size" => size::run(words.iter().any(|word| word == "--update")),
        "sabotage" => sabotage::run(&words),
        // What it runs for each fault.
        "rebuild" => build::again(),
        // The tools of wasm-bindgen, which our own steps call.
        "bindgen" => wasm_bindgen_cli::wasm_bindgen::run_cli_with_args(tool(&words)),
        "test-runner" => wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(tool(&words)),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn tool(words: &[String]) -> Vec<String> {
    [&["xtask".to_owned()], words].concat()
}

/// Ourselves, as a program to run. By the name we were called by: it still holds when a newer build has taken our place.
fn own_program() -> Result<PathBuf> {
    let name = env::args_os().next().context("a program has a name")?;
    Ok(std::path::absolute(name)?)
}

/// The root of the repository, or of a copy of it.
fn root() -> PathBuf {
    let here = || Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ lies in the repository").to_owned();
    env::var_os(sabotage::ROOT).map_or_else(here, PathBuf::from)
}

/// Where everything made goes that is not part of the package.
fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}
