//! Writes the numbers that both sides of the border to JavaScript know, src/border.rs, down for TypeScript.

use crate::root;
use anyhow::{Context, Result};
use posthaste::border::{CAUSES, NUMBERS, OVERFLOWS, POLICY, STATES, defaults};
use std::fs;
use std::path::PathBuf;

fn place() -> PathBuf {
    root().join("pkg/src/engine/codes.ts")
}

pub fn run() -> Result<()> {
    fs::write(place(), text()).with_context(|| format!("writing {}", place().display()))
}

fn text() -> String {
    let mut text = "/** Numbers that the engine and TypeScript both know. Written by `cargo xtask border`, from src/border.rs. */\n\n".to_owned();
    for number in NUMBERS {
        let says = number.says.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
        text += &format!("/** {says} */\nexport const {} = {};\n", number.name, number.value);
    }
    text += "\n/** States of a message, by their numbers. */\n";
    text += &list("STATES", &in_order(STATES.map(|(state, name)| (state as usize, name))));
    text += "/** Causes of a message's end, by their numbers. */\n";
    text += &list("CAUSES", &in_order(CAUSES.map(|(cause, name)| (cause as usize, name))));
    text += "/** Overflow policies, by their numbers. */\n";
    text += &list("OVERFLOWS", &in_order(OVERFLOWS.map(|(overflow, name)| (overflow as usize, name))));
    text += "/** The numbers of a policy, by their places, as their options are called. Durations are in milliseconds. */\n";
    text += &list("POLICY", &POLICY);
    let numbers =
        defaults().map(|number| if number.is_infinite() { "Infinity".to_owned() } else { number.to_string() });
    text += "/** The policy of a queue that names none. */\n";
    text += &format!("export const DEFAULTS: readonly number[] = [{}];\n", numbers.join(", "));
    text
}

fn list(name: &str, names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!("export const {name} = [{}] as const;\n", names.join(", "))
}

/// The names, each at the place that its number says.
fn in_order<const COUNT: usize>(names: [(usize, &'static str); COUNT]) -> [&'static str; COUNT] {
    assert!(names.iter().enumerate().all(|(place, (number, _))| place == *number), "not in order: {names:?}");
    names.map(|(_, name)| name)
}

#[test]
fn numbers_of_the_border_are_written_down() {
    assert_eq!(fs::read_to_string(place()).unwrap(), text(), "stale: run `cargo xtask border`");
}
