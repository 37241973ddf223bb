//! Snapshots: what they replace, and what peers find who slept meanwhile.

use wasm_bindgen_test::wasm_bindgen_test;

use crate::lab::{self, answer, append, bytes, js, new_store, read, step, value};

#[wasm_bindgen_test]
async fn a_snapshot_replaces_the_records_and_chunks_of_its_ranges() {
    let (store, name) = new_store().await;
    for number in 1..=6 {
        append(&store, &step(number, "['body']")).await;
    }
    append(&store, &answer("{ record: new Uint8Array([7]), bodies: [0, 1, 2], chunk: 0 }")).await;
    append(&store, &answer("{ record: new Uint8Array([8]), bodies: [0, 1, 2], chunk: 0 }")).await;
    append(&store, &step(9, "[]")).await;
    let written = store.snapshot(8.0, 7.0, bytes(&[1, 2, 3]), vec![1.0, 2.0, 4.0, 7.0], vec![]).await.unwrap();
    assert_eq!(written, true);
    let keys = js("return JSON.stringify(await lab.keys(a))", &[&name.as_str().into()]).await;
    assert_eq!(keys, "[-3,-1,0,3,8,9,[8,0],[8,1],[8,2]]");
    assert_eq!(append(&store, &step(10, "[]")).await, 10.0);
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn chunks_that_are_named_go_and_their_records_stay() {
    let (store, name) = new_store().await;
    for number in [1, 2] {
        append(&store, &answer(&format!("{{ record: new Uint8Array([{number}]), bodies: [0, 1, 2, 3], chunk: 0 }}")))
            .await;
    }
    let parts = vec![1.0, 0.0, 0.0, 1.0, 2.0, 1_048_575.0, 2.0, 1.0, 1.0];
    assert_eq!(store.snapshot(2.0, 0.0, bytes(&[1]), vec![], parts).await.unwrap(), true);
    let keys = js("return JSON.stringify(await lab.keys(a))", &[&name.as_str().into()]).await;
    assert_eq!(keys, "[-3,-1,0,1,2,[1,1],[2,0],[2,2],[2,3]]");
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn a_peer_that_slept_gets_the_snapshot_and_what_came_after_it() {
    let (store, name) = new_store().await;
    for number in 1..=5 {
        append(&store, &step(number, "[]")).await;
    }
    store.snapshot(4.0, 3.0, bytes(&[44]), vec![1.0, 2.0], vec![]).await.unwrap();
    let whole = r#"{"snapshot":[4,[44]],"numbers":[5],"records":[[5]]}"#;
    for from in [1.0, 2.0, 3.0] {
        assert_eq!(read(&store, from).await, whole);
    }
    // Nothing after 3 may be missing: no snapshot needed.
    assert_eq!(read(&store, 4.0).await, r#"{"numbers":[4,5],"records":[[4],[5]]}"#);
    assert_eq!(read(&store, 6.0).await, r#"{"numbers":[],"records":[]}"#);
    let decide = answer("globalThis.tailSeen = tail, { record: new Uint8Array([6]), bodies: [], chunk: -1 }");
    assert_eq!(store.append(2.0, decide, false).await.unwrap(), 6);
    assert_eq!(lab::shown(&value("globalThis.tailSeen")), whole);
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn an_older_snapshot_never_replaces_a_newer_one() {
    let (store, name) = new_store().await;
    let other = lab::open(&name).await;
    for number in 1..=5 {
        append(&store, &step(number, "[]")).await;
    }
    assert_eq!(store.snapshot(4.0, 0.0, bytes(&[44]), vec![], vec![]).await.unwrap(), true);
    for number in [3.0, 4.0] {
        let written = other.snapshot(number, number, bytes(&[33]), vec![1.0, number], vec![]).await.unwrap();
        assert_eq!(written, false);
    }
    assert_eq!(read(&other, 1.0).await, r#"{"snapshot":[4,[44]],"numbers":[5],"records":[[5]]}"#);
    assert_eq!(read(&other, 2.0).await, r#"{"numbers":[2,3,4,5],"records":[[2],[3],[4],[5]]}"#);
    lab::done(&[&store, &other], &name).await;
}

#[wasm_bindgen_test]
async fn numbers_go_on_after_everything_was_cleaned_away() {
    let (store, name) = new_store().await;
    for number in 1..=3 {
        append(&store, &step(number, "[]")).await;
    }
    store.snapshot(3.0, 3.0, bytes(&[3]), vec![1.0, 3.0], vec![]).await.unwrap();
    store.close();
    let again = lab::open(&name).await;
    assert_eq!(append(&again, &step(4, "[]")).await, 4.0);
    assert_eq!(read(&again, 3.0).await, r#"{"snapshot":[3,[3]],"numbers":[4],"records":[[4]]}"#);
    lab::done(&[&again], &name).await;
}

#[wasm_bindgen_test]
async fn the_reserve_is_given_up_once_and_made_up_for() {
    let (store, name) = new_store().await;
    append(&store, &step(1, "[]")).await;
    let size = "return (await lab.get(a, -3))?.length ?? 0";
    assert!(js(size, &[&name.as_str().into()]).await.as_f64() > Some(65_536.0), "larger than what stays in the log");
    assert_eq!(store.reserve(true).await.unwrap(), false);
    assert_eq!(store.reserve(false).await.unwrap(), true);
    assert_eq!(js(size, &[&name.as_str().into()]).await, 0);
    assert_eq!(store.reserve(false).await.unwrap(), false);
    assert_eq!(store.reserve(true).await.unwrap(), true);
    assert_eq!(store.reserve(false).await.unwrap(), true);
    lab::done(&[&store], &name).await;
}
