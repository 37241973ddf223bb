//! Appends: their numbers, what they cost, what they see, and what is left of those that fail.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::lab::{self, answer, append, js, new_store, read, refusal, step, value};

#[wasm_bindgen_test]
async fn numbers_grow_and_records_come_back() {
    let (store, name) = new_store().await;
    for number in 1..=3 {
        assert_eq!(append(&store, &step(number, "[]")).await, f64::from(number));
    }
    assert_eq!(read(&store, 1.0).await, r#"{"numbers":[1,2,3],"records":[[1],[2],[3]]}"#);
    assert_eq!(read(&store, 3.0).await, r#"{"numbers":[3],"records":[[3]]}"#);
    assert_eq!(read(&store, 4.0).await, r#"{"numbers":[],"records":[]}"#);
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn a_blind_append_sees_nothing_and_is_one_transaction_with_one_request() {
    let (store, name) = new_store().await;
    let decide = answer("globalThis.tailSeen = tail, { record: new Uint8Array(1), bodies: [{ a: 1 }], chunk: -1 }");
    let calls = js("return lab.count()", &[]).await;
    append(&store, &decide).await;
    js("lab.restore()", &[]).await;
    let counted = js("return JSON.stringify(a)", &[&calls]).await;
    assert_eq!(counted, r#"{"transaction":1,"put":1,"commit":1}"#);
    assert!(value("globalThis.tailSeen").is_undefined());
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn a_blind_append_decides_before_the_call_returns() {
    let (store, name) = new_store().await;
    let decide = answer("globalThis.decided = true, undefined");
    let promise = store.append(0.0, decide, false);
    assert_eq!(value("globalThis.decided"), true);
    assert_eq!(promise.await.unwrap(), 0);
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn an_append_after_the_tail_sees_what_came_since_and_nothing_comes_between() {
    let (store, name) = new_store().await;
    let other = lab::open(&name).await;
    append(&store, &step(7, "[1, 2]")).await;
    let decide = answer("globalThis.tailSeen = tail, { record: new Uint8Array([8]), bodies: [], chunk: -1 }");
    let raced = other.append(0.0, step(9, "[]"), false);
    let number = store.append(1.0, decide, false).await.unwrap();
    let seen = lab::shown(&value("globalThis.tailSeen"));
    assert_eq!(raced.await.unwrap(), 2);
    assert_eq!((number, seen.as_str()), (3.into(), r#"{"numbers":[1,2],"records":[[7],[9]]}"#));
    lab::done(&[&store, &other], &name).await;
}

#[wasm_bindgen_test]
async fn an_append_of_nothing_answers_zero_and_writes_nothing() {
    let (store, name) = new_store().await;
    for from in [0.0, 1.0, 2.0] {
        assert_eq!(store.append(from, answer("undefined"), false).await.unwrap(), 0);
    }
    assert_eq!(append(&store, &step(1, "[]")).await, 1.0);
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn what_decide_throws_is_the_rejection_and_nothing_is_written() {
    let (store, name) = new_store().await;
    append(&store, &step(1, "[]")).await;
    for from in [0.0, 1.0, 2.0] {
        let decide = answer("(() => { throw new RangeError('not today') })()");
        let refused = refusal(store.append(from, decide, false)).await;
        assert_eq!(refused, ("RangeError".into(), "not today".into()));
        let senseless = refusal(store.append(from, answer("{ record: 'text' }"), false)).await;
        assert_eq!(senseless.0, "TypeError");
    }
    assert_eq!(read(&store, 1.0).await, r#"{"numbers":[1],"records":[[1]]}"#);
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn decide_may_use_the_store_itself() {
    let (store, name) = new_store().await;
    let store = Rc::new(store);
    let inner: Rc<Cell<Option<[Promise; 2]>>> = Rc::default();
    let decide = Closure::<dyn Fn() -> JsValue>::new({
        let (store, inner) = (store.clone(), inner.clone());
        move || {
            inner.set(Some([store.append(0.0, step(2, "[]"), false), store.read(1.0)]));
            value("{ record: new Uint8Array([1]), bodies: [], chunk: -1 }")
        }
    });
    let decide: Function = decide.into_js_value().unchecked_into();
    for (from, number, other, tail) in [(0.0, 2, 1, "[1]"), (1.0, 3, 4, "[1,2,3,4]")] {
        assert_eq!(store.append(from, decide.clone(), false).await.unwrap(), number);
        let [appended, read] = inner.take().expect("was decided");
        assert_eq!(appended.await.unwrap(), other);
        let read = lab::shown(&read.await.unwrap());
        assert!(read.contains(&["\"numbers\":", tail].concat()), "{read}");
    }
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn concurrent_appends_get_a_number_each() {
    let (store, name) = new_store().await;
    let other = lab::open(&name).await;
    let mut numbers = Vec::new();
    let pending: Vec<_> = (0..50)
        .flat_map(|place| [(&store, f64::from(place % 2)), (&other, 0.0)])
        .map(|(store, from)| store.append(from, step(1, "[]"), false))
        .collect();
    for promise in pending {
        numbers.push(promise.await.unwrap().as_f64().unwrap());
    }
    numbers.sort_by(f64::total_cmp);
    assert_eq!(numbers, (1..=100).map(f64::from).collect::<Vec<_>>());
    lab::done(&[&store, &other], &name).await;
}

#[wasm_bindgen_test]
async fn a_long_tail_is_read_whole_and_in_order() {
    let (store, name) = new_store().await;
    let pending: Vec<_> = (0..600).map(|_| store.append(0.0, step(5, "['body']"), false)).collect();
    for promise in pending {
        promise.await.unwrap();
    }
    let tail = store.read(1.0).await.unwrap();
    let ordered = js("return a.records.length == 600 && a.numbers.every((n, i) => n === i + 1)", &[&tail]).await;
    assert_eq!(ordered, true);
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn a_body_that_cannot_be_cloned_is_refused_and_named_and_nothing_is_written() {
    let (store, name) = new_store().await;
    append(&store, &step(1, "[]")).await;
    let bodies = "['good', () => 1, new Map(), Symbol('x')]";
    for (from, chunk) in [(0.0, -1), (2.0, -1), (0.0, 0), (2.0, 0), (0.0, 1)] {
        let decide = ["{ record: new Uint8Array([2]), bodies: ", bodies, ", chunk: ", &chunk.to_string(), " }"];
        let refused = refusal(store.append(from, answer(&decide.concat()), false)).await;
        assert_eq!(refused.0, "DataCloneError");
    }
    let named = store.refused(value(bodies).unchecked_into()).await.unwrap();
    assert_eq!(
        js("return a.map((error) => error && error.name).join()", &[&named]).await,
        ",DataCloneError,,DataCloneError"
    );
    assert_eq!(read(&store, 1.0).await, r#"{"numbers":[1],"records":[[1]]}"#);
    assert_eq!(js("return (await lab.keys(a)).join()", &[&name.as_str().into()]).await, "-3,0,1");
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn a_record_that_is_a_view_is_stored_without_what_surrounds_it() {
    let (store, name) = new_store().await;
    append(&store, &answer("{ record: new Uint8Array(1000).subarray(10, 12), bodies: [], chunk: -1 }")).await;
    let size = js("return (await lab.get(a, 1))[0].buffer.byteLength", &[&name.as_str().into()]).await;
    assert_eq!(size, 2);
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn durability_is_what_was_asked_for() {
    let (store, name) = new_store().await;
    let asked = js(
        "const asked = [];
        lab.patch(IDBDatabase.prototype, 'transaction', (original) => function (...args) {
            asked.push(args[2].durability);
            return original.apply(this, args);
        });
        return asked",
        &[],
    )
    .await;
    store.append(0.0, step(1, "[]"), false).await.unwrap();
    store.append(0.0, step(1, "[]"), true).await.unwrap();
    store.append(1.0, step(1, "[]"), true).await.unwrap();
    js("lab.restore()", &[]).await;
    assert_eq!(js("return a.join()", &[&asked]).await, "relaxed,strict,strict");
    assert!(store.strict);
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn appends_leave_nothing_behind_in_memory() {
    let (store, name) = new_store().await;
    let decides = [step(1, "[{ a: 1 }]"), step(2, "[{ a: 2 }]")];
    let mut warm = 0;
    for round in 0..1500 {
        // Blind, and after the tail.
        let from = if round % 4 == 3 { f64::from(round + 1) } else { 0.0 };
        store.append(from, decides[round as usize % 2].clone(), false).await.unwrap();
        if round == 200 {
            warm = memory();
        }
    }
    assert_eq!(memory(), warm);
    lab::done(&[&store], &name).await;
}

fn memory() -> u32 {
    let memory: js_sys::WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    memory.buffer().unchecked_into::<js_sys::ArrayBuffer>().byte_length()
}
