//! Hints: who hears them, and how many there are.

use js_sys::Function;
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::lab::{self, js, new_store, signal};

#[wasm_bindgen_test]
async fn a_hint_reaches_the_others_and_not_its_sender() {
    let (store, name) = new_store().await;
    let other = lab::open(&name).await;
    let (elsewhere, elsewhere_name) = new_store().await;
    let never = js("return () => { globalThis.heardOwn = true }", &[]).await;
    let (heard, moved) = signal();
    store.watch(never.clone().unchecked_into(), Function::new_no_args(""));
    elsewhere.watch(never.unchecked_into(), Function::new_no_args(""));
    other.watch(moved, Function::new_no_args(""));
    store.hint();
    heard.await.unwrap();
    // And back: by then the first would have come to everyone.
    let (answered, moved) = signal();
    store.watch(moved, Function::new_no_args(""));
    other.hint();
    answered.await.unwrap();
    assert!(lab::value("globalThis.heardOwn").is_undefined());
    lab::done(&[&store, &other], &name).await;
    lab::done(&[&elsewhere], &elsewhere_name).await;
}

/// Broadcasts are counted, time stands still, and timers wait to be run by hand.
const STILL: &str = "
    const sent = { count: 0, timers: [], now: 1e12 };
    lab.patch(BroadcastChannel.prototype, 'postMessage', () => () => { sent.count++; });
    lab.patch(Date, 'now', () => () => sent.now);
    lab.patch(globalThis, 'setTimeout', () => (work, ms) => sent.timers.push({ work, ms }));
    return sent";

#[wasm_bindgen_test]
async fn a_burst_of_hints_is_one_at_once_and_one_after() {
    let (store, name) = new_store().await;
    let sent = js(STILL, &[]).await;
    let seen = Function::new_with_args("sent", "return [sent.count, ...sent.timers.map((timer) => timer.ms)].join()");
    let seen = || seen.call1(&JsValue::UNDEFINED, &sent).unwrap();
    let pass = Function::new_with_args("sent", "sent.now += 10; sent.timers.pop()?.work()");
    (0..100).for_each(|_| store.hint());
    assert_eq!(seen(), "1,10");
    pass.call1(&JsValue::UNDEFINED, &sent).unwrap();
    assert_eq!(seen(), "2");
    (0..100).for_each(|_| store.hint());
    assert_eq!(seen(), "2,10");
    pass.call1(&JsValue::UNDEFINED, &sent).unwrap();
    pass.call1(&JsValue::UNDEFINED, &sent).unwrap();
    store.hint();
    js("lab.restore()", &[]).await;
    assert_eq!(seen(), "4");
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn a_closed_store_neither_hints_nor_hears() {
    let (store, name) = new_store().await;
    let other = lab::open(&name).await;
    let never = js("return () => { globalThis.heardClosed = true }", &[]).await;
    store.watch(never.unchecked_into(), Function::new_no_args(""));
    store.hint();
    store.hint();
    store.close();
    store.hint();
    let third = lab::open(&name).await;
    let (heard, moved) = signal();
    third.watch(moved, Function::new_no_args(""));
    other.hint();
    heard.await.unwrap();
    assert!(lab::value("globalThis.heardClosed").is_undefined());
    lab::done(&[&other, &third], &name).await;
}
