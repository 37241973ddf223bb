//! A command is a plan: named steps, each with one timed line on the screen and a log of its own.
//!
//! Steps run one after another; those added with `beside` run in a second lane next to them, for slow set-up that
//! others need only later. Only the main thread prints, so lines never mix.

use anyhow::{Context, Result, bail};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// No single program of a step may take longer than this: whatever hangs is ended and told.
const LONGEST: Duration = Duration::from_secs(20 * 60);

/// How a step went.
pub enum Outcome {
    Done,
    /// There was nothing to do.
    Fresh,
    /// Tests were run.
    Tested {
        passed: usize,
        failed: usize,
    },
}

type Work = Box<dyn FnOnce(&Log) -> Result<Outcome> + Send>;

struct Step {
    name: &'static str,
    needs: &'static [&'static str],
    beside: bool,
    work: Work,
}

/// What a step left behind.
struct Ended {
    result: Result<Outcome>,
    took: Duration,
}

/// What all steps of a plan add up to.
#[derive(Default)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
}

/// The steps of a command, in order.
#[derive(Default)]
pub struct Plan {
    steps: Vec<Step>,
    keep_going: bool,
}

impl Plan {
    /// A plan that goes on after a failed step, with all that does not need that step.
    pub fn keep_going() -> Plan {
        Plan { keep_going: true, ..Plan::default() }
    }

    /// Adds a step, unless the plan has one of that name. It runs when the steps it `needs` went well.
    pub fn step(
        &mut self,
        name: &'static str,
        needs: &'static [&'static str],
        work: impl FnOnce(&Log) -> Result<Outcome> + Send + 'static,
    ) {
        self.add(Step { name, needs, beside: false, work: Box::new(work) });
    }

    /// Adds a step that runs beside the others. It needs nothing.
    pub fn beside(&mut self, name: &'static str, work: impl FnOnce(&Log) -> Result<Outcome> + Send + 'static) {
        self.add(Step { name, needs: &[], beside: true, work: Box::new(work) });
    }

    fn add(&mut self, step: Step) {
        if !self.steps.iter().any(|known| known.name == step.name) {
            self.steps.push(step);
        }
    }

    /// Runs everything and prints a line a step. Fails with the first failure, or, where it keeps going, tells it in the tally.
    pub fn run(self) -> Result<Tally> {
        let mut screen = Screen::new(&self.steps, self.keep_going);
        let (beside, steps): (Vec<_>, Vec<_>) = self.steps.into_iter().partition(|step| step.beside);
        let ended: Mutex<HashMap<&str, Ended>> = Mutex::default();
        let changed = Condvar::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for step in beside {
                    let name = step.name;
                    let end = run_one(name, step.work);
                    ended.lock().unwrap().insert(name, end);
                    changed.notify_all();
                }
            });
            let wait_for = |name: &str| {
                let guard = ended.lock().unwrap();
                changed.wait_while(guard, |ended| !ended.contains_key(name)).unwrap().remove(name).unwrap()
            };
            for step in steps {
                for need in step.needs {
                    if screen.is_pending(need) {
                        screen.open(need);
                        screen.close(need, wait_for(need))?;
                    }
                }
                if let Some(need) = step.needs.iter().find(|need| screen.has_failed(need)) {
                    screen.skip(step.name, need);
                    continue;
                }
                screen.open(step.name);
                screen.close(step.name, run_one(step.name, step.work))?;
                for (name, end) in ended.lock().unwrap().drain() {
                    screen.open(name);
                    screen.close(name, end)?;
                }
            }
            for name in screen.pending() {
                screen.open(name);
                screen.close(name, wait_for(name))?;
            }
            Ok(screen.tally)
        })
    }
}

fn run_one(name: &'static str, work: Work) -> Ended {
    let start = Instant::now();
    let result = Log::new(name).and_then(|log| work(&log));
    Ended { result, took: start.elapsed() }
}

/// The lines on the screen, and what they said.
struct Screen {
    /// In the order of the plan, what runs beside first; true: not told yet.
    names: Vec<(&'static str, bool)>,
    failed: Vec<&'static str>,
    keep_going: bool,
    tally: Tally,
}

impl Screen {
    fn new(steps: &[Step], keep_going: bool) -> Screen {
        let (beside, others): (Vec<_>, Vec<_>) = steps.iter().partition(|step| step.beside);
        let names = beside.into_iter().chain(others).map(|step| (step.name, true)).collect();
        Screen { names, failed: Vec::new(), keep_going, tally: Tally::default() }
    }

    fn is_pending(&self, name: &str) -> bool {
        self.names.iter().any(|(known, pending)| *known == name && *pending)
    }

    fn has_failed(&self, name: &str) -> bool {
        self.failed.contains(&name)
    }

    fn pending(&self) -> Vec<&'static str> {
        self.names.iter().filter(|(_, pending)| *pending).map(|(name, _)| *name).collect()
    }

    fn open(&self, name: &str) {
        let place = self.names.iter().position(|(known, _)| *known == name).map_or(0, |at| at + 1);
        let total = self.names.len();
        let label = format!("[{place:>width$}/{total}] {name} ", width = total.to_string().len());
        eprint!("{label:.<46} ");
        let _ = std::io::stderr().flush();
    }

    fn close(&mut self, name: &str, end: Ended) -> Result<()> {
        let at = self.names.iter().position(|(known, _)| *known == name).context("no such step")?;
        self.names[at].1 = false;
        let name = self.names[at].0;
        let seconds = format!("{:.1} s", end.took.as_secs_f64());
        match end.result {
            Ok(Outcome::Done) => eprintln!("{seconds}"),
            Ok(Outcome::Fresh) => eprintln!("already there"),
            Ok(Outcome::Tested { passed, failed }) => {
                self.tally.passed += passed;
                self.tally.failed += failed;
                if failed == 0 {
                    eprintln!("{passed} passed, {seconds}");
                } else {
                    eprintln!("{passed} passed, {failed} FAILED, {seconds}");
                    show_log(name);
                    self.fail(name)?;
                }
            }
            Err(error) => {
                eprintln!("FAILED, {seconds}");
                show_log(name);
                eprintln!("{error:#}");
                self.tally.failed += 1;
                self.fail(name)?;
            }
        }
        Ok(())
    }

    fn skip(&mut self, name: &'static str, need: &str) {
        self.open(name);
        eprintln!("FAILED, needs \"{need}\"");
        if let Some(entry) = self.names.iter_mut().find(|(known, _)| *known == name) {
            entry.1 = false;
        }
        self.tally.failed += 1;
        self.failed.push(name);
    }

    fn fail(&mut self, name: &'static str) -> Result<()> {
        self.failed.push(name);
        if !self.keep_going {
            bail!("\"{name}\" failed; its log is {}", log_path(name).display());
        }
        Ok(())
    }
}

/// Shows the end of a step's log.
fn show_log(name: &str) {
    let path = log_path(name);
    let text = fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let hidden = lines.len().saturating_sub(100);
    eprintln!("--- {}{}", path.display(), if hidden > 0 { ", its last 100 lines" } else { "" });
    for line in &lines[hidden..] {
        eprintln!("    {line}");
    }
    eprintln!("---");
}

fn log_path(name: &str) -> PathBuf {
    crate::target().join("xtask").join("log").join(name.replace([' ', '/', ','], "-")).with_extension("log")
}

/// Where a step's programs write, and the way to run them.
pub struct Log {
    path: PathBuf,
}

impl Log {
    fn new(name: &str) -> Result<Log> {
        let path = log_path(name);
        fs::create_dir_all(path.parent().context("a log has a folder")?)?;
        File::create(&path)?;
        Ok(Log { path })
    }

    /// Runs a program to its end; fails when it does.
    pub fn run(&self, command: &mut Command) -> Result<()> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut log = OpenOptions::new().append(true).open(&self.path)?;
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        writeln!(log, "$ {program} {}", words.join(" "))?;
        let start = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{program} could not be started"))?;
        loop {
            if let Some(status) = child.try_wait()? {
                return if status.success() { Ok(()) } else { bail!("{program} failed: {status}") };
            }
            if start.elapsed() > LONGEST {
                child.kill()?;
                bail!("{program} took longer than {} minutes and was ended", LONGEST.as_secs() / 60);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Everything the step's programs have printed so far.
    pub fn text(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.path)?).into_owned())
    }
}
