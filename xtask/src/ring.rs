//! The ring: a module of its own over shared memory, and the checks that its two threads need.

use crate::step::{Log, Plan};
use crate::{build, fresh, root, setup, target};
use anyhow::{Result, ensure};
use base64::Engine;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The compiler that miri, which interprets Rust and finds undefined behaviour, comes with.
const MIRI: &str = "nightly-2026-05-20";

/// Shared memory, given by whoever makes an instance. No stack and no data lie in it: instances must not meet there.
const FLAGS: &str = "-C target-feature=+atomics,+bulk-memory,+mutable-globals -C link-arg=--shared-memory \
                     -C link-arg=--import-memory -C link-arg=--max-memory=33554432 -C link-arg=--no-stack-first \
                     -C link-arg=-zstack-size=0";

/// The first three say what the module may use.
const OPTIMIZE: &[&str] = &[
    "--enable-threads",
    "--enable-bulk-memory",
    "--enable-mutable-globals",
    "-O3",
    "--strip-debug",
    "--strip-producers",
    "--strip-target-features",
];

/// `pkg/wasm/ring.js`: the module in base64. After the bindings, which empty that folder first.
pub fn step(plan: &mut Plan) {
    plan.step("ring module", &["wasm target", "npm packages", "bindings"], |log| {
        let made = ["ring.js", "ring.d.ts"].map(|name| build::bound().join(name));
        let inputs = [root().join("src/ring"), root().join("xtask/src/ring.rs"), root().join("Cargo.lock")];
        fresh::unless(&inputs, &made, || compile(log))
    });
}

fn compile(log: &Log) -> Result<()> {
    let folder = target().join("ring");
    let mut rustc = setup::cargo();
    rustc.args(["rustc", "--release", "--locked", "--target", "wasm32-unknown-unknown", "--package", "posthaste-ring"]);
    rustc.args(["--lib", "--crate-type", "cdylib", "--target-dir"]).arg(&folder).env("RUSTFLAGS", FLAGS);
    log.run(&mut rustc)?;
    let compiled = folder.join("wasm32-unknown-unknown/release/posthaste_ring.wasm");
    let small = folder.join("ring.wasm");
    let mut optimizer = setup::node();
    optimizer.arg("node_modules/binaryen/bin/wasm-opt").args(OPTIMIZE);
    log.run(optimizer.arg(&compiled).arg("-o").arg(&small))?;
    let text = setup::node().arg("node_modules/binaryen/bin/wasm-dis").args(&OPTIMIZE[..3]).arg(&small).output()?;
    let text = String::from_utf8(text.stdout)?;
    ensure!(text.starts_with("(module"), "the ring's module cannot be read back");
    let shared = ["(mut ", "(data "].into_iter().find(|found| text.contains(found));
    ensure!(shared.is_none(), "the ring keeps a stack or data in the memory it shares: {shared:?}");

    let text = base64::engine::general_purpose::STANDARD.encode(fs::read(small)?);
    fs::write(
        build::bound().join("ring.js"),
        format!("// The ring's module, in base64.\nexport default \"{text}\";\n"),
    )?;
    fs::write(build::bound().join("ring.d.ts"), "declare const module: string;\nexport default module;\n")?;
    Ok(())
}

/// What `cargo test` adds for the ring.
pub fn tests(plan: &mut Plan) {
    plan.step("ring tests", &[], |log| {
        crate::test::tests(log, setup::cargo().args(["test", "--locked", "--package", "posthaste-ring"]))
    });
    plan.step("ring, every interleaving", &[], |log| {
        let mut loom = setup::cargo();
        loom.args(["test", "--locked", "--package", "posthaste-ring", "--test", "interleavings", "--release"]);
        loom.arg("--target-dir").arg(target().join("loom")).env("RUSTFLAGS", "--cfg loom");
        crate::test::tests(log, &mut loom)
    });
    plan.beside("miri", |log| {
        let rustup = |words: &[&str]| {
            let mut command = Command::new("rustup");
            command.args(words).current_dir(root());
            command
        };
        let there =
            rustup(&["run", MIRI, "cargo", "miri", "--version"]).output().is_ok_and(|said| said.status.success());
        if !there {
            let components = ["--profile", "minimal", "--component", "miri,rust-src"];
            log.run(rustup(&["toolchain", "install", MIRI]).args(components))?;
        }
        // One that was stopped half-way leaves a folder, too.
        fresh::unless(&[root().join("xtask/src/ring.rs")], &[sysroot().join("lib")], || {
            log.run(rustup(&["run", MIRI, "cargo", "miri", "setup"]).env("MIRI_SYSROOT", sysroot()))
        })
    });
    plan.step("ring in miri", &["miri"], |log| {
        let mut miri = Command::new("rustup");
        miri.args([
            "run",
            MIRI,
            "cargo",
            "miri",
            "test",
            "--locked",
            "--package",
            "posthaste-ring",
            "--test",
            "frames",
        ]);
        miri.env("MIRI_SYSROOT", sysroot()).env("CARGO_TARGET_DIR", target().join("miri"));
        crate::test::tests(log, miri.current_dir(root()))
    });
}

/// The standard library as miri wants it.
fn sysroot() -> PathBuf {
    target().join("miri/sysroot")
}
