//! Opening and deleting: one journal a name, and an answer in every case.

use wasm_bindgen_test::wasm_bindgen_test;

use crate::lab::{self, IndexedDb, append, js, new_name, new_store, property, refusal, step};

/// Lets the patience of 10 s end at the next turn of the event loop.
const NO_PATIENCE: &str =
    "lab.patch(globalThis, 'setTimeout', (original) => (work, ms) => original(work, ms === 10000 ? 0 : ms))";

#[wasm_bindgen_test]
async fn every_opening_of_a_name_is_the_same_journal() {
    let name = new_name();
    let (raced, first) = (IndexedDb::open(name.clone()), lab::open(&name).await);
    raced.await.unwrap();
    let second = lab::open(&name).await;
    let birth = property(&first.read(1.0).await.unwrap(), "birth");
    assert!(js_sys::Number::is_safe_integer(&birth));
    assert_eq!(birth, property(&second.read(1.0).await.unwrap(), "birth"));
    lab::done(&[&first, &second], &name).await;
}

#[wasm_bindgen_test]
async fn a_journal_made_anew_has_another_birth() {
    let (store, name) = new_store().await;
    append(&store, &step(1, "[]")).await;
    let before = property(&store.read(1.0).await.unwrap(), "birth");
    lab::done(&[&store], &name).await;
    let again = lab::open(&name).await;
    let after = property(&again.read(1.0).await.unwrap(), "birth");
    assert_ne!(before, after);
    assert_eq!(append(&again, &step(1, "[]")).await, 1.0);
    lab::done(&[&again], &name).await;
}

#[wasm_bindgen_test]
async fn odd_names_are_names() {
    for name in ["", "\u{1f4ee} \u{0}/..\\", &"x".repeat(1000)] {
        let name = [name, &new_name()].concat();
        let store = lab::open(&name).await;
        assert_eq!(append(&store, &step(1, "[]")).await, 1.0);
        assert!(lab::exists(&name).await);
        lab::done(&[&store], &name).await;
        assert!(!lab::exists(&name).await);
    }
}

#[wasm_bindgen_test]
async fn an_opening_that_does_not_answer_ends_with_an_error() {
    let (store, name) = new_store().await;
    store.close();
    // A connection that gives no way, and an upgrade that waits for it: openings queue behind.
    let held = js(
        "return new Promise((resolve) => { const r = indexedDB.open(a); r.onsuccess = () => resolve(r.result); })",
        &[&name.as_str().into()],
    )
    .await;
    let upgrade = js("return { ended: lab.ended(indexedDB.open(a, 2)) }", &[&name.as_str().into()]).await;
    js(NO_PATIENCE, &[]).await;
    let (error, message) = refusal(IndexedDb::open(name.clone())).await;
    js("lab.restore()", &[]).await;
    assert_eq!(error, "TimeoutError");
    assert!(message.contains(&name), "{message}");
    js("a.close(); (await b.ended).close()", &[&held, &upgrade]).await;
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn an_opening_given_up_leaves_neither_a_database_nor_a_connection() {
    let (store, name) = new_store().await;
    store.close();
    let held = js(
        "return new Promise((resolve) => { const r = indexedDB.open(a); r.onsuccess = () => resolve(r.result); })",
        &[&name.as_str().into()],
    )
    .await;
    let deletion = js("return { ended: lab.ended(indexedDB.deleteDatabase(a)) }", &[&name.as_str().into()]).await;
    js(NO_PATIENCE, &[]).await;
    assert_eq!(refusal(IndexedDb::open(name.clone())).await.0, "TimeoutError");
    js("lab.restore()", &[]).await;
    // The deletion goes on, then the opening that nobody wants any more, then this one: it finds nothing and no one.
    let was = js(
        "a.close();
        await b.ended;
        return new Promise((resolve) => { indexedDB.deleteDatabase(c).onsuccess = (event) => resolve(event.oldVersion); })",
        &[&held, &deletion, &name.as_str().into()],
    )
    .await;
    assert_eq!(was, 0);
}

#[wasm_bindgen_test]
async fn a_store_service_that_fails_once_is_asked_twice() {
    let name = new_name();
    js(
        "lab.once(IDBFactory.prototype, 'open', () => { throw new DOMException('Internal error', 'UnknownError') })",
        &[],
    )
    .await;
    let store = lab::open(&name).await;
    lab::done(&[&store], &name).await;
}
