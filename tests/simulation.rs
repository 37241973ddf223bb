//! A seeded simulation of the engine and its peers alone (the package that ships is simulated by tests/sim): two to five peers
//! with several queues on one journal, with stale bases, crashes, sleep, clean-up and clocks that jump. Whatever happens, every
//! promise is kept, and when faults stop everything drains. A failure names its seed; `POSTHASTE_SEED=n` runs that one alone,
//! `POSTHASTE_SEEDS=n` runs so many.

#[path = "simulation/context.rs"]
mod context;
#[path = "simulation/history.rs"]
mod history;
#[path = "simulation/ledger.rs"]
mod ledger;
#[path = "simulation/random.rs"]
mod random;
#[path = "simulation/sabotage.rs"]
mod sabotage;
#[path = "simulation/store.rs"]
mod store;
#[path = "simulation/world.rs"]
mod world;

use sabotage::Sabotage;
use std::time::Instant;
use world::World;

const SEEDS: u64 = 2000;

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Long enough for clean-up with small bodies too.
const LONG: u32 = 2500;
const SHORT: u32 = 350;

fn ran(seed: u64, steps: u32, sabotage: Sabotage) -> (World, Result<(), String>) {
    let mut world = World::new(seed, sabotage);
    let outcome = world.run(steps);
    (world, outcome)
}

#[test]
fn every_promise_is_kept_whatever_happens() {
    let seeds = match number_from("POSTHASTE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number_from("POSTHASTE_SEEDS").unwrap_or(SEEDS),
    };
    let (mut deliveries, mut crashes, mut buried, mut cleaned) = (0, 0, 0, 0);
    let (start, mut operations) = (Instant::now(), 0);
    for seed in seeds.clone() {
        let (world, outcome) = ran(seed, if seed.is_multiple_of(32) { LONG } else { SHORT }, Sabotage::None);
        if let Err(broken) = outcome {
            panic!("seed {seed}: {broken}");
        }
        deliveries += world.ledger.deliveries;
        crashes += world.crashes;
        buried += world.buried;
        operations += world.operations;
        cleaned += u64::from(world.store.floor() > 0);
    }
    println!(
        "{} seeds: {deliveries} deliveries, {crashes} crashes, {buried} buried, {cleaned} journals cleaned up",
        seeds.count()
    );
    println!("{operations} operations, {:.0} a minute", operations as f64 * 60.0 / start.elapsed().as_secs_f64());
}

#[test]
fn a_seed_is_a_whole_run() {
    let digests = [0, 1].map(|_| {
        let (world, outcome) = ran(32, LONG, Sabotage::None);
        assert_eq!(outcome, Ok(()));
        history::digest(&world.history.engine)
    });
    assert_eq!(digests[0], digests[1]);
}

/// What the checks say of worlds in which a rule is broken.
fn caught(sabotage: Sabotage) -> Vec<String> {
    (0..40).filter_map(|seed| ran(seed, LONG, sabotage).1.err()).collect()
}

fn assert_caught(sabotage: Sabotage, words: &str) {
    let caught = caught(sabotage);
    assert!(caught.iter().any(|broken| broken.contains(words)), "{sabotage:?} is not caught as such: {caught:?}");
    assert!(caught.len() >= 10, "{sabotage:?} is caught in only {} of 40 worlds", caught.len());
}

#[test]
fn settling_without_the_lease_is_caught() {
    assert_caught(Sabotage::AnyGrant, "Stolen");
}

#[test]
fn two_holders_of_a_message_are_caught() {
    assert_caught(Sabotage::TwoHolders, "without a lease");
}

#[test]
fn a_lost_commit_is_caught() {
    assert_caught(Sabotage::LostCommit, "lost");
}

#[test]
fn deleted_bodies_are_caught() {
    assert_caught(Sabotage::GreedyCleanUp, "body of");
}

#[test]
fn a_skipped_record_is_caught() {
    assert_caught(Sabotage::SkippedRecord, "disagree");
}
