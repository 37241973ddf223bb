//! What the engine costs, natively: no wasm, no JavaScript, no storage. First the memory of 1,000,000 messages by a
//! counting allocator, then times by criterion (`cargo bench --bench engine`).

mod allocator;
mod driver;

use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput};
use driver::Driver;
use posthaste::{engine::Engine, peer::Peer};

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

const MILLION: u32 = 1_000_000;

fn main() {
    print_memory();
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    sending(&mut criterion);
    receiving(&mut criterion);
    replaying(&mut criterion);
    criterion.final_summary();
}

/// Bytes of engine a message while a million are in the queue, and the time to bring them there.
fn print_memory() {
    println!("\nengine memory and time a message, {MILLION} messages in a queue");
    report("sent 10,000 together", |driver| driver.fill(MILLION, 10_000));
    report("sent 1,000 together", |driver| driver.fill(MILLION, 1_000));
    report("sent 100 together", |driver| driver.fill(MILLION, 100));
    report("sent one by one, a record each", |driver| driver.fill(MILLION, 1));
    report("sent 100 together, all leased in batches of 100", |driver| {
        driver.fill(MILLION, 100);
        for _ in 0..MILLION / 100 {
            driver.receive(100, false);
        }
    });
    through("through a memory queue, 1,000 in, out by 100", |driver| {
        driver.fill(1_000, 1_000);
        driver.drain(1_000, 100);
    });
    println!();
}

fn report(what: &str, fill: impl FnOnce(&mut Driver)) {
    let before = allocator::in_use();
    let mut driver = Driver::new(true);
    let start = Instant::now();
    fill(&mut driver);
    let spent = start.elapsed();
    let bytes = allocator::in_use() - before;
    let backlog: u64 = driver.peer.engine().queues().map(|(_, queue)| queue.backlog()).sum();
    assert_eq!(backlog, u64::from(MILLION), "all are in the queue");
    line(what, Some(bytes), spent);
}

fn through(what: &str, turn: impl Fn(&mut Driver)) {
    let mut driver = Driver::new(true);
    let start = Instant::now();
    (0..MILLION / 1_000).for_each(|_| turn(&mut driver));
    line(what, None, start.elapsed());
}

fn line(what: &str, bytes: Option<usize>, spent: Duration) {
    let a_message = bytes.map_or(String::new(), |bytes| format!("{:.2} B", bytes as f64 / f64::from(MILLION)));
    println!("  {what:<52} {a_message:>10} {:>8.0} ns", spent.as_nanos() as f64 / f64::from(MILLION));
}

fn sending(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("send");
    group.throughput(Throughput::Elements(10_000));
    for (name, together) in [("1,000 a step", 1_000), ("100 a step", 100), ("1 a step", 1)] {
        group.bench_function(name, |bench| {
            bench.iter_batched_ref(
                || Driver::new(false),
                |driver| driver.fill(10_000, together),
                BatchSize::LargeInput,
            );
        });
    }
    group.bench_function("10,000 commands in one step", |bench| {
        let many = |driver: &mut Driver| {
            (0..10_000).for_each(|_| driver.ask_send(1));
            driver.step();
        };
        bench.iter_batched_ref(|| Driver::new(false), many, BatchSize::LargeInput);
    });
    group.finish();
}

fn receiving(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("receive and ack");
    group.throughput(Throughput::Elements(10_000));
    let cases = [
        ("batches of 100", 100, 100),
        ("one by one, sent 100 together", 100, 1),
        ("one by one, sent one by one", 1, 1),
    ];
    for (name, together, max) in cases {
        let filled = || {
            let mut driver = Driver::new(false);
            driver.fill(10_000, together);
            driver
        };
        group.bench_function(name, |bench| {
            bench.iter_batched_ref(filled, |driver| driver.drain(10_000, max), BatchSize::LargeInput);
        });
    }
    group.finish();
}

/// What opening a queue costs: reading records, reading a snapshot; and what writing one costs.
fn replaying(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open");
    let mut driver = Driver::new(false);
    let (base, empty) = (driver.peer.engine().base(), driver.peer.engine().snapshot());
    let records: Vec<Vec<u8>> = (0..1_000)
        .map(|_| {
            driver.ask_send(100);
            driver.recorded_step()
        })
        .collect();
    group.throughput(Throughput::Elements(records.len() as u64));
    group.bench_function("replay 1,000 records", |bench| {
        bench.iter(|| {
            let mut peer = Peer::new(2, 2, false);
            peer.load(base, &empty).expect("a snapshot just written");
            for (number, record) in (base + 1..).zip(&records) {
                peer.apply(number, record).expect("a record just written");
            }
            assert_eq!(peer.engine().base(), base + 1_000);
            peer
        });
    });
    let mut driver = Driver::new(false);
    driver.fill(MILLION, 100);
    let engine = driver.peer.engine();
    let snapshot = engine.snapshot();
    println!("a snapshot of {MILLION} messages in 10,000 runs: {} bytes", snapshot.len());
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("write a snapshot of 10,000 runs", |bench| bench.iter(|| engine.snapshot()));
    group.bench_function("load a snapshot of 10,000 runs", |bench| {
        bench.iter(|| Engine::restore(&snapshot).expect("a snapshot just written"));
    });
    group.finish();
}
