//! `cargo xtask build`: the npm package in pkg/. The engine to wasm, its glue, the types, the bundles.

use crate::step::{Log, Outcome, Plan};
use crate::{fresh, own_program, ring, root, setup, target};
use anyhow::{Result, ensure};
use base64::Engine;
use std::env;
use std::fs;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What needs the built package needs these steps.
pub const BUILT: &[&str] = &["bundles", "type declarations"];

/// What the compiler may use, and so every browser since 2022 must have. Named one by one: "all" makes modules nobody reads.
const WASM_FEATURES: &[&str] = &[
    "--mvp-features",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-call-indirect-overlong",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Set where the module is for a test alone.
pub const QUICKLY: &str = "POSTHASTE_QUICKLY";
/// What takes the time is link-time optimisation, for size.
const QUICK: &[(&str, &str)] = &[
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_INCREMENTAL", "true"),
];

pub fn run() -> Result<()> {
    let mut plan = Plan::default();
    steps(&mut plan);
    plan.run()?;
    Ok(())
}

pub fn steps(plan: &mut Plan) {
    setup::node_version(plan);
    setup::npm_packages(plan);
    setup::wasm_target(plan);
    setup::rust_sources(plan);
    bundles(plan);
    plan.step("type declarations", &["bindings", "ring module"], declare);
}

fn bundles(plan: &mut Plan) {
    plan.step("wasm module", &["wasm target", "rust sources"], compile);
    plan.step("bindings", &["wasm module", "npm packages"], bind);
    ring::step(plan);
    plan.step("bundles", &["bindings", "ring module"], bundle);
}

/// Only the bundles, where everything that makes them is there.
pub fn again() -> Result<()> {
    let mut plan = Plan::default();
    bundles(&mut plan);
    plan.run()?;
    Ok(())
}

/// A folder of its own: cargo would throw the tests' builds away each time, for they are built otherwise.
fn module_target() -> PathBuf {
    target().join("module")
}

fn compiled() -> PathBuf {
    module_target().join("wasm32-unknown-unknown/release/posthaste.wasm")
}

/// The folder of what wasm-bindgen makes: glue, types, the module itself and its inlined form.
pub fn bound() -> PathBuf {
    root().join("pkg/wasm")
}

fn compile(log: &Log) -> Result<Outcome> {
    let before = fs::metadata(compiled()).and_then(|metadata| metadata.modified()).ok();
    let mut build = setup::cargo();
    build.args(["rustc", "--release", "--locked", "--target", "wasm32-unknown-unknown", "--package", "posthaste"]);
    // A cdylib alone: beside an rlib, cargo leaves link-time optimisation out, and the module is twice as large.
    build.args(["--lib", "--crate-type", "cdylib", "--target-dir"]).arg(module_target());
    // With a standard library made for size, and panics that trap without composing a message nobody will see: together a
    // sixth less to download. Both are unstable, but not new, and the toolchain is pinned. This unlocks them.
    build.env("RUSTC_BOOTSTRAP", "1");
    build.args(["-Z", "build-std=std", "-Z", "build-std-features=optimize_for_size"]);
    let mut flags = vec!["-Zunstable-options".to_owned(), "-Cpanic=immediate-abort".to_owned()];
    // What names source files names them without the folders of whoever builds.
    flags.extend(machine_paths()?.into_iter().map(|(path, name)| format!("--remap-path-prefix={path}={name}")));
    build.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    if env::var_os(QUICKLY).is_some() {
        build.envs(QUICK.iter().copied());
    }
    log.run(&mut build)?;
    let after = fs::metadata(compiled())?.modified().ok();
    Ok(if before == after { Outcome::Fresh } else { Outcome::Done })
}

/// The folders of this machine that a compiler might write down, and what stands for each in the module.
fn machine_paths() -> Result<Vec<(String, &'static str)>> {
    let home = env::var_os("HOME").or_else(|| env::var_os("USERPROFILE")).map(PathBuf::from);
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from).or(home.as_ref().map(|home| home.join(".cargo")));
    // The last one that fits wins.
    let paths = [(home, "home"), (cargo_home, "cargo"), (Some(setup::sysroot()?), "rust"), (Some(root()), "posthaste")];
    Ok(paths.into_iter().filter_map(|(path, name)| Some((path?.to_str()?.to_owned(), name))).collect())
}

fn bind(log: &Log) -> Result<Outcome> {
    let made = ["posthaste.js", "posthaste.d.ts", "posthaste_bg.wasm", "inline.js", "inline.d.ts"];
    let inputs =
        [compiled(), root().join("xtask/src/build.rs"), root().join("xtask/optimize.mjs"), root().join("Cargo.lock")];
    fresh::unless(&inputs, &made.map(|name| bound().join(name)), || {
        if bound().exists() {
            fs::remove_dir_all(bound())?;
        }
        let mut bindgen = Command::new(own_program()?);
        bindgen.args(["bindgen", "--target", "web", "--out-name", "posthaste"]);
        bindgen.args(["--omit-default-module-path", "--remove-name-section"]);
        bindgen.args(["--remove-producers-section", "--out-dir"]);
        log.run(bindgen.arg(bound()).arg(compiled()))?;

        let module = bound().join("posthaste_bg.wasm");
        log.run(&mut optimize(&module))?;

        let wasm = fs::read(&module)?;
        for (path, _) in machine_paths()? {
            let found = wasm.windows(path.len()).any(|window| window == path.as_bytes());
            ensure!(!found, "the wasm module names a folder of this machine: {path}");
        }
        inline(&wasm)
    })
}

/// Makes the module, and its names, as small as it goes.
fn optimize(module: &Path) -> Command {
    let mut optimize = setup::node();
    optimize.arg(root().join("xtask/optimize.mjs")).arg(module).arg(bound().join("posthaste.js")).args(WASM_FEATURES);
    // What LLVM did not inline stays apart: inlining it here made the module a tenth bigger, gzipped. The stack lies at the
    // bottom of the memory and grows down: nothing else is in the lowest kilobyte. The second round finds a little more.
    let rounds: &[&str] = if env::var_os(QUICKLY).is_some() { &[] } else { &["-O3", "-O3"] };
    optimize.args(["--skip-pass=inlining-optimizing", "--low-memory-unused"]).args(rounds);
    optimize.args(["--strip-debug", "--strip-producers", "--strip-target-features"]);
    optimize
}

/// Writes the module as a script, for the entry that brings its wasm along.
fn inline(wasm: &[u8]) -> Result<()> {
    // It finds another twentieth, over what anything faster does.
    let mut deflated = Vec::new();
    let mut options = zopfli::Options::default();
    if env::var_os(QUICKLY).is_some() {
        options.iteration_count = NonZeroU64::MIN;
    }
    zopfli::compress(options, zopfli::Format::Deflate, wasm, &mut deflated)?;
    let text = base64::engine::general_purpose::STANDARD.encode(deflated);
    let says = "// The wasm module: deflated (raw), in base64.";
    fs::write(bound().join("inline.js"), format!("{says}\nexport default \"{text}\";\n"))?;
    let declared = "declare const module: string;\nexport default module;";
    fs::write(bound().join("inline.d.ts"), format!("{says}\n{declared}\n"))?;
    Ok(())
}

/// Types of the sources, and the declarations that users get.
fn declare(log: &Log) -> Result<Outcome> {
    let package = root().join("pkg");
    let inputs = [
        package.join("src"),
        package.join("tsconfig.json"),
        package.join("package.json"),
        bound().join("posthaste.d.ts"),
    ];
    fresh::unless(&inputs, &[package.join("dist/index.d.ts"), package.join("dist/slim.d.ts")], || {
        let made = target().join("xtask/types");
        if made.exists() {
            fs::remove_dir_all(&made)?;
        }
        let mut tsc = setup::node();
        tsc.arg("node_modules/typescript/bin/tsc").arg("--project").arg(&package);
        tsc.args(["--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--rootDir"]);
        log.run(tsc.arg(package.join("src")).arg("--outDir").arg(&made))?;
        log.run(setup::node().arg(root().join("xtask/declare.mjs")).arg(&made).arg(package.join("dist")))
    })
}

fn bundle(log: &Log) -> Result<Outcome> {
    let package = root().join("pkg");
    let script = root().join("xtask/bundle.mjs");
    let scripts = ["entries.mjs", "names.mjs", "names.txt"].map(|name| root().join("xtask").join(name));
    let inputs = [&[package.join("src"), package.join("package.json"), bound(), script.clone()], &scripts[..]].concat();
    let made = [
        "index.js",
        "slim.js",
        "engine.js",
        "errors.js",
        "ports.js",
        "ports-part.js",
        "rings.js",
        "client.js",
        "posthaste.wasm",
    ]
    .map(|name| package.join("dist").join(name));
    fresh::unless(&inputs, &made, || log.run(setup::node().arg(script).arg(&package)))
}
