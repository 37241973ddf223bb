//! `cargo xtask test [--all] [part...]`: every check there is; the last line adds them up.

use crate::step::{Log, Outcome, Plan};
use crate::{build, fresh, own_program, pack, ring, root, setup, sim, size, style, target};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

type Part = (&'static str, fn(&mut Plan));

/// In the order they run: what fails fastest comes first, and set-up goes on beside.
const PARTS: &[Part] = &[
    ("style", style),
    ("engine", engine),
    ("ring", ring::tests),
    ("web", web),
    ("types", types),
    ("node", node),
    ("sim", simulated),
    ("deno", deno),
    ("edge", edge),
    ("workerd", workerd),
    ("package", package),
    ("browser", browser),
];

/// What takes long for what it finds: run with `--all`, or by name.
const LONG_PARTS: &[Part] = &[("bundlers", bundlers)];

/// Without what debuggers want to know: reading that took most of the time.
const WASM: &[&str] = &["--package", "posthaste", "--target", "wasm32-unknown-unknown", "--profile", "tool"];

/// Crates that touch the web. The engine, built natively, must do without.
const WEB_CRATES: &[&str] = &["wasm-bindgen", "js-sys", "web-sys", "serde-wasm-bindgen", "getrandom"];

/// What every test of the packed package needs.
const INSTALLED: &[&str] = &["installed package"];

pub fn run(words: &[String]) -> Result<()> {
    let (flags, named): (Vec<&String>, Vec<&String>) = words.iter().partition(|word| *word == "--all");
    let known = || PARTS.iter().chain(LONG_PARTS);
    if let Some(odd) = named.iter().find(|word| !known().any(|(name, _)| name == **word)) {
        bail!("no part {odd:?}; there are: {}", known().map(|(name, _)| *name).collect::<Vec<_>>().join(" "));
    }
    let mut plan = Plan::keep_going();
    for (at, (name, part)) in known().enumerate() {
        let unasked = named.is_empty() && at < PARTS.len() || !flags.is_empty();
        if unasked || named.iter().any(|word| *word == name) {
            part(&mut plan);
        }
    }
    let tally = plan.run()?;
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed > 0 {
        std::process::exit(1);
    }
    Ok(())
}

fn style(plan: &mut Plan) {
    setup::npm_packages(plan);
    setup::node_version(plan);
    plan.step("format", &[], |log| check(log, setup::cargo().args(["fmt", "--all", "--check"])));
    plan.step("format, JavaScript", &["npm packages", "Node"], |log| check(log, &mut style::layout(true)));
    plan.step("lint, JavaScript", &["npm packages", "Node"], |log| check(log, &mut style::lint()?));
    plan.step("tidy", &[], |log| {
        tests(log, setup::cargo().args(["test", "--locked", "--package", "xtask", "--profile", "tool"]))
    });
    plan.step("clippy, native", &[], |log| {
        let clippy = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
        check(log, setup::cargo().args(clippy))
    });
    setup::wasm_target(plan);
    plan.step("clippy, wasm", &["wasm target"], |log| {
        let files: Vec<String> = wasm_tests()?.into_iter().flat_map(|name| ["--test".to_owned(), name]).collect();
        let mut clippy = setup::cargo();
        clippy.args(["clippy", "--locked"]).args(WASM).arg("--lib").args(files).args(["--", "-D", "warnings"]);
        check(log, &mut clippy)
    });
}

fn engine(plan: &mut Plan) {
    plan.step("engine without the web", &[], |log| {
        log.run(setup::cargo().args(["check", "--locked", "--package", "posthaste"]))?;
        let tree = ["tree", "--locked", "--package", "posthaste", "--edges", "normal", "--prefix", "none"];
        let tree = setup::cargo().args(tree).output()?;
        let tree = String::from_utf8(tree.stdout)?;
        ensure!(tree.starts_with("posthaste "), "cargo tree did not answer");
        if let Some(found) =
            tree.lines().find(|line| WEB_CRATES.iter().any(|name| line.split(' ').next() == Some(name)))
        {
            bail!("a native build of the engine has {found}");
        }
        Ok(Outcome::Tested { passed: 1, failed: 0 })
    });
    plan.step("engine tests", &[], |log| {
        tests(
            log,
            setup::cargo().args(["test", "--locked", "--package", "posthaste", "--profile", "trial", "--no-fail-fast"]),
        )
    });
}

fn web(plan: &mut Plan) {
    setup::browsers(plan);
    setup::firefox_driver(plan);
    setup::wasm_target(plan);
    setup::node_version(plan);
    plan.step("wasm in Node", &["wasm target", "Node"], |log| {
        let files = wasm_tests()?.into_iter().filter(|name| name != "web").collect();
        wasm(log, files, |_| Ok(()))
    });
    plan.step("wasm in Chromium, page", &["wasm target", "browsers"], |log| {
        wasm(log, wasm_tests()?, |test| chromium(test.env("WASM_BINDGEN_USE_BROWSER", "1")))
    });
    plan.step("wasm in Chromium, worker", &["wasm target", "browsers"], |log| {
        wasm(log, wasm_tests()?, |test| chromium(test.env("WASM_BINDGEN_USE_DEDICATED_WORKER", "1")))
    });
    plan.step("wasm in Firefox, page", &["wasm target", "browsers", "geckodriver"], |log| {
        wasm(log, wasm_tests()?, |test| firefox(test.env("WASM_BINDGEN_USE_BROWSER", "1")))
    });
    plan.step("wasm in Firefox, worker", &["wasm target", "browsers", "geckodriver"], |log| {
        wasm(log, wasm_tests()?, |test| firefox(test.env("WASM_BINDGEN_USE_DEDICATED_WORKER", "1")))
    });
}

fn chromium(test: &mut Command) -> Result<()> {
    test.env("CHROMEDRIVER", setup::chromedriver()?);
    Ok(())
}

fn firefox(test: &mut Command) -> Result<()> {
    test.env("GECKODRIVER", setup::geckodriver()?);
    Ok(())
}

/// The test files that run in wasm. Of these, `web` needs a browser.
fn wasm_tests() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for file in fs::read_dir(root().join("tests"))? {
        let file = file?.path();
        let is_rust = file.extension().is_some_and(|ending| ending == "rs");
        if is_rust && fs::read_to_string(&file)?.contains("cfg(target_arch = \"wasm32\")") {
            names.push(file.file_stem().context("a file has a name")?.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Runs test files in wasm by wasm-bindgen's own runner, which `place` tells where.
fn wasm(log: &Log, files: Vec<String>, place: impl FnOnce(&mut Command) -> Result<()>) -> Result<Outcome> {
    if files.is_empty() {
        bail!("no tests for here in tests/*.rs");
    }
    let mut test = setup::cargo();
    let runner = format!("target.wasm32-unknown-unknown.runner=[{:?},\"test-runner\"]", own_program()?);
    test.args(["test", "--locked", "--no-fail-fast", "--config", &runner]).args(WASM);
    for file in &files {
        test.args(["--test", file]);
    }
    let drivers = ["CHROMEDRIVER", "GECKODRIVER", "SAFARIDRIVER", "MSEDGEDRIVER"];
    for variable in drivers.map(|name| [name.to_owned(), format!("{name}_REMOTE")]).concat() {
        test.env_remove(variable);
    }
    test.env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", capabilities()?);
    test.env("WASM_BINDGEN_TEST_TIMEOUT", "120").env("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "30");
    place(&mut test)?;
    tests(log, &mut test)
}

/// The file that tells the drivers which browsers to start, and how.
fn capabilities() -> Result<PathBuf> {
    let file = target().join("xtask/webdriver.json");
    let chromium = setup::chromium().unwrap_or_default();
    let firefox = setup::firefox().unwrap_or_default();
    let flags = "\"--headless\", \"--no-sandbox\", \"--disable-gpu\", \"--disable-quic\", \"--no-first-run\", \
                 \"--disable-background-networking\", \"--disable-component-update\", \"--disable-sync\"";
    fs::write(
        &file,
        format!(
            "{{\n  \"goog:chromeOptions\": {{ \"binary\": {chromium:?}, \"args\": [{flags}] }},\n  \
             \"moz:firefoxOptions\": {{ \"binary\": {firefox:?}, \"args\": [\"-headless\"] }}\n}}\n"
        ),
    )?;
    Ok(file)
}

/// The tarball, installed where the tests import it from as any application would.
pub fn installed(plan: &mut Plan) {
    build::steps(plan);
    pack::step(plan, false);
    plan.step("installed package", &["tarball", "npm packages"], |log| {
        let tests = root().join("tests");
        let old = tests.join("node_modules/posthaste");
        if old.exists() {
            fs::remove_dir_all(&old)?;
        }
        let mut install = setup::npm();
        install.args(["install", "--no-save", "--no-audit", "--no-fund"]).arg(pack::tarball()?);
        log.run(install.current_dir(&tests))?;
        Ok(Outcome::Done)
    });
}

fn types(plan: &mut Plan) {
    installed(plan);
    plan.step("types", INSTALLED, |log| {
        let projects = fresh::files(&root().join("tests/types"))?;
        let projects: Vec<_> = projects.iter().filter(|file| file.ends_with("tsconfig.json")).collect();
        let mut failed = 0;
        for project in &projects {
            let tsc = log.run(setup::node().arg("node_modules/typescript/bin/tsc").arg("--project").arg(project));
            failed += usize::from(tsc.is_err());
        }
        Ok(Outcome::Tested { passed: projects.len() - failed, failed })
    });
}

fn node(plan: &mut Plan) {
    installed(plan);
    plan.step("package in Node", INSTALLED, |log| node_tests(log, "node", 400));
}

fn simulated(plan: &mut Plan) {
    installed(plan);
    plan.step("package in simulated worlds", INSTALLED, sim::tests);
}

/// Deno itself comes with the packages of tests/package.json.
fn deno(plan: &mut Plan) {
    installed(plan);
    plan.step("package in Deno", INSTALLED, |log| node_tests(log, "deno", 120));
}

/// Runtimes of the edge: they come with the packages of npm.
fn edge(plan: &mut Plan) {
    installed(plan);
    plan.step("package in edge runtimes", INSTALLED, |log| node_tests(log, "edge", 120));
}

/// workerd comes with miniflare.
fn workerd(plan: &mut Plan) {
    installed(plan);
    plan.step("package in workerd", INSTALLED, |log| node_tests(log, "workerd", 240));
}

fn package(plan: &mut Plan) {
    installed(plan);
    setup::browsers(plan);
    size::step(plan, false);
    plan.step("package where it is used", &["installed package", "browsers"], |log| node_tests(log, "package", 300));
}

fn bundlers(plan: &mut Plan) {
    installed(plan);
    setup::browsers(plan);
    setup::bundlers(plan);
    plan.step("package in bundlers", &["installed package", "browsers", "bundlers"], |log| {
        node_tests(log, "bundlers", 600)
    });
}

fn browser(plan: &mut Plan) {
    installed(plan);
    setup::browsers(plan);
    setup::webkit(plan);
    plan.step("package in browsers", &["installed package", "browsers", "webkit"], |log| {
        // A process a browser, two at a time: each starts its browser once, and waits for it most of the time. The slowest first.
        let files = ["firefox", "chromium", "webkit"]
            .iter()
            .map(|kind| root().join(format!("tests/browser/in/{kind}.mjs")))
            .collect();
        node_files(log, files, 1200)
    });
}

/// A program that checks one thing.
fn check(log: &Log, command: &mut Command) -> Result<Outcome> {
    log.run(command)?;
    Ok(Outcome::Tested { passed: 1, failed: 0 })
}

/// `node --test` on the files `tests/<folder>/*.test.mjs`. A file that takes longer than `seconds` has failed.
fn node_tests(log: &Log, folder: &str, seconds: u32) -> Result<Outcome> {
    let files = fresh::files(&root().join("tests").join(folder))?;
    let is_test = |file: &&PathBuf| file.to_string_lossy().ends_with(".test.mjs");
    node_files(log, files.iter().filter(is_test).cloned().collect(), seconds)
}

/// `node --test` on files, two at a time: small machines have two cores, and a test waits half of the time.
fn node_files(log: &Log, files: Vec<PathBuf>, seconds: u32) -> Result<Outcome> {
    let mut test = setup::node();
    test.args(["--test", "--test-reporter=spec", "--test-concurrency=2"]);
    tests(log, test.arg(format!("--test-timeout={}", seconds * 1000)).args(files))
}

/// Runs a program that runs tests, and counts them.
pub fn tests(log: &Log, command: &mut Command) -> Result<Outcome> {
    let result = log.run(command);
    let (mut passed, mut failed) = (0, 0);
    for line in log.text()?.lines() {
        let words: Vec<&str> = line.split([' ', ';']).filter(|word| !word.is_empty()).collect();
        match words[..] {
            ["test", "result:", _, more, "passed", fewer, "failed", ..] => {
                passed += more.parse::<usize>().unwrap_or(0);
                failed += fewer.parse::<usize>().unwrap_or(0);
            }
            ["ℹ", "pass", count] => passed += count.parse::<usize>().unwrap_or(0),
            ["ℹ", "fail" | "cancelled", count] => failed += count.parse::<usize>().unwrap_or(0),
            _ => {}
        }
    }
    if failed == 0 {
        result?;
    }
    if passed + failed == 0 {
        bail!("no tests were run");
    }
    Ok(Outcome::Tested { passed, failed })
}
