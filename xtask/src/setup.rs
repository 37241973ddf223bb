//! Set-up steps: what the other commands need on the machine. Each one does nothing when it finds its thing there.

use crate::step::{Log, Outcome, Plan};
use crate::{fresh, root, target};
use anyhow::{Context, Result, bail};
use std::env;
use std::path::PathBuf;
use std::process::Command;

const GECKODRIVER: &str = "0.37.1";
const CHROMIUM: &[&str] =
    &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", MAC_CHROME];
const MAC_CHROME: &str = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";
const FIREFOX: &[&str] = &["firefox-esr", "firefox", "/Applications/Firefox.app/Contents/MacOS/firefox"];

/// The compiler's target for wasm.
pub fn wasm_target(plan: &mut Plan) {
    plan.step("wasm target", &[], |log| {
        toolchain_has(log, "lib/rustlib/wasm32-unknown-unknown/lib", &["target", "add", "wasm32-unknown-unknown"])
    });
}

/// The sources of the standard library: the module is built with one of its own.
pub fn rust_sources(plan: &mut Plan) {
    plan.step("rust sources", &[], |log| {
        toolchain_has(log, "lib/rustlib/src/rust/library", &["component", "add", "rust-src"])
    });
}

/// Sees that the toolchain has a folder; `rustup`: how it gets there.
fn toolchain_has(log: &Log, folder: &str, rustup: &[&str]) -> Result<Outcome> {
    if sysroot()?.join(folder).is_dir() {
        return Ok(Outcome::Fresh);
    }
    log.run(Command::new("rustup").args(rustup).current_dir(root()))?;
    Ok(Outcome::Done)
}

/// Where the toolchain lies.
pub fn sysroot() -> Result<PathBuf> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).current_dir(root()).output();
    Ok(PathBuf::from(String::from_utf8(sysroot.context("rustc is needed")?.stdout)?.trim()))
}

/// esbuild, TypeScript, Playwright and so on, as `tests/package-lock.json` names them.
pub fn npm_packages(plan: &mut Plan) {
    plan.beside("npm packages", |log| npm_ci(log, root().join("tests")));
}

/// webpack, Parcel, Next.js and so on, as `tests/bundlers/package-lock.json` names them: half a gigabyte.
pub fn bundlers(plan: &mut Plan) {
    plan.beside("bundlers", |log| npm_ci(log, root().join("tests/bundlers")));
}

/// What the lock file in this folder names.
fn npm_ci(log: &Log, folder: PathBuf) -> Result<Outcome> {
    let inputs = [folder.join("package.json"), folder.join("package-lock.json")];
    fresh::unless(&inputs, &[folder.join("node_modules/.package-lock.json")], || {
        log.run(npm().args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder))
    })
}

/// Chromium, its driver and Firefox.
pub fn browsers(plan: &mut Plan) {
    plan.beside("browsers", |log| {
        if chromium().is_ok() && chromedriver().is_ok() && firefox().is_ok() {
            return Ok(Outcome::Fresh);
        }
        apt_install(log, &["chromium", "chromium-driver", "firefox-esr"])?;
        chromium()?;
        chromedriver()?;
        firefox()?;
        Ok(Outcome::Done)
    });
}

/// What posthaste is measured beside on Node.
pub fn redis(plan: &mut Plan) {
    plan.beside("redis-server", |log| {
        let redis = || find(&["redis-server"]).context("redis-server is not here: install Redis");
        if redis().is_ok() {
            return Ok(Outcome::Fresh);
        }
        apt_install(log, &["redis-server"])?;
        redis()?;
        Ok(Outcome::Done)
    });
}

/// Installs packages where apt is there and may do so.
fn apt_install(log: &Log, packages: &[&str]) -> Result<()> {
    if find(&["apt-get"]).is_none() || !is_root() {
        return Ok(());
    }
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    log.run(apt().arg("update"))?;
    log.run(apt().args(["install", "-y", "--no-install-recommends"]).args(packages))
}

/// Firefox's driver, which Debian does not have.
pub fn firefox_driver(plan: &mut Plan) {
    plan.beside("geckodriver", |log: &Log| {
        if geckodriver().is_ok() {
            return Ok(Outcome::Fresh);
        }
        let mut install = cargo();
        install.args(["install", "geckodriver", "--version", GECKODRIVER, "--locked", "--debug", "--root"]);
        install.arg(target().join("tools")).env("CARGO_PROFILE_DEV_DEBUG", "false");
        log.run(&mut install)?;
        Ok(Outcome::Done)
    });
}

/// WebKit with its driver, and a display for it. Only Debian and its like pack them; elsewhere its tests are skipped.
pub fn webkit(plan: &mut Plan) {
    plan.beside("webkit", |log| {
        let found = find(&["WebKitWebDriver"]).is_some() && find(&["Xvfb"]).is_some();
        if found {
            return Ok(Outcome::Fresh);
        }
        apt_install(log, &["webkit2gtk-driver", "xvfb", "xauth"])?;
        Ok(Outcome::Done)
    });
}

pub fn chromium() -> Result<PathBuf> {
    find(CHROMIUM).context("Chromium is not here: install Chromium or Google Chrome")
}

pub fn chromedriver() -> Result<PathBuf> {
    find(&["chromedriver"])
        .context("chromedriver is not here: install the one of your Chromium (Debian: chromium-driver)")
}

pub fn firefox() -> Result<PathBuf> {
    find(FIREFOX).context("Firefox is not here: install Firefox or Firefox ESR")
}

pub fn geckodriver() -> Result<PathBuf> {
    let own = target().join("tools/bin").join(format!("geckodriver{}", env::consts::EXE_SUFFIX));
    find(&["geckodriver"]).or(own.is_file().then_some(own)).context("geckodriver is not here")
}

/// The first of these programs that the machine has.
fn find(names: &[&str]) -> Option<PathBuf> {
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
    names.iter().find_map(|name| {
        let file = format!("{name}{}", env::consts::EXE_SUFFIX);
        folders.iter().map(|folder| folder.join(&file)).find(|path| path.is_file())
    })
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// The cargo that runs us, in the root of the repository.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// node, in the folder its packages are found from.
pub fn node() -> Command {
    let mut command = Command::new("node");
    command.current_dir(root().join("tests"));
    command
}

pub fn npm() -> Command {
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

/// Node that is too old fails late and oddly; this says so first.
pub fn node_version(plan: &mut Plan) {
    plan.step("Node", &[], |_| {
        let output = Command::new("node").arg("--version").output().context("Node.js 20.19 or newer is needed")?;
        let version = String::from_utf8(output.stdout)?;
        let mut numbers = version.trim().trim_start_matches('v').split('.').map(|part| part.parse().unwrap_or(0));
        let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if found < (20, 19) {
            bail!("Node.js 20.19 or newer is needed; this is {}", version.trim());
        }
        Ok(Outcome::Fresh)
    });
}
