//! Connections and databases that go away: what is tried again, what is told, what never happens in silence.

use js_sys::Array;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::lab::{self, answer, append, bytes, js, new_store, new_told_store, property, read, refusal, step, value};

#[wasm_bindgen_test]
async fn a_database_deleted_under_us_is_told_and_never_made_anew() {
    let (store, name, told) = new_told_store().await;
    append(&store, &step(1, "[]")).await;
    lab::deleted(&name).await.expect("is not blocked by an open store");
    let error = told.await.unwrap();
    assert_eq!(property(&error, "name"), "StorageLostError");
    for promise in [
        store.append(0.0, step(2, "[]"), false),
        store.append(2.0, step(2, "[]"), false),
        store.read(1.0),
        store.values(vec![1.0, -1.0]),
        store.snapshot(1.0, 1.0, bytes(&[1]), vec![], vec![]),
        store.refused(Array::new()),
    ] {
        assert_eq!(refusal(promise).await.0, "StorageLostError");
    }
    assert!(!lab::exists(&name).await);
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn an_upgrade_by_a_newer_version_is_given_way() {
    let (store, name, told) = new_told_store().await;
    js("await lab.raw(a, undefined, 2, () => {})", &[&name.as_str().into()]).await;
    assert_eq!(property(&told.await.unwrap(), "name"), "VersionError");
    assert_eq!(refusal(store.read(1.0)).await.0, "VersionError");
    lab::done(&[&store], &name).await;
}

/// Makes the next call of a method of the platform throw what a lost connection throws.
const THROW_ONCE: &str =
    "lab.once(a, b, () => { throw new DOMException('The database connection is closing', 'InvalidStateError') })";

#[wasm_bindgen_test]
async fn a_lost_connection_is_opened_again_where_nothing_was_written_yet() {
    let (store, name) = new_store().await;
    let database = value("IDBDatabase.prototype");
    js(THROW_ONCE, &[&database, &"transaction".into()]).await;
    assert_eq!(append(&store, &step(1, "['x']")).await, 1.0);
    for _ in 0..2 {
        js(THROW_ONCE, &[&database, &"transaction".into()]).await;
        assert_eq!(read(&store, 1.0).await, r#"{"numbers":[1],"records":[[1]]}"#);
    }
    // In the middle of reading: the transaction dies with the connection.
    let dies = "lab.once(IDBObjectStore.prototype, 'get', function (original, args) {
        const request = original.apply(this, args);
        this.transaction.abort();
        return request;
    })";
    js(dies, &[]).await;
    assert_eq!(read(&store, 1.0).await, r#"{"numbers":[1],"records":[[1]]}"#);
    js(dies, &[]).await;
    store.values(vec![1.0, -1.0]).await.unwrap();
    js(dies, &[]).await;
    assert_eq!(store.append(1.0, step(2, "[]"), false).await.unwrap(), 2);
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn a_connection_that_stays_lost_is_the_platforms_error() {
    let (store, name) = new_store().await;
    js(
        "lab.patch(IDBDatabase.prototype, 'transaction', () => () => { throw new DOMException('gone', 'InvalidStateError') })",
        &[],
    )
    .await;
    let error = store.append(0.0, step(1, "[]"), false).await.unwrap_err();
    assert_eq!(property(&error, "name"), "InvalidStateError");
    assert!(property(&error, "outcomeUnknown").is_undefined());
    js("lab.restore()", &[]).await;
    assert_eq!(append(&store, &step(1, "[]")).await, 1.0);
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn many_operations_on_a_lost_connection_open_it_once() {
    let (store, name) = new_store().await;
    js(THROW_ONCE, &[&value("IDBDatabase.prototype"), &"transaction".into()]).await;
    let opened = js(
        "const opened = { count: 0 };
        lab.patch(IDBFactory.prototype, 'open', (original) => function (...args) { opened.count++; return original.apply(this, args); });
        return opened",
        &[],
    )
    .await;
    let pending: Vec<_> = (0..20).map(|_| store.append(0.0, step(1, "[]"), false)).collect();
    for promise in pending {
        promise.await.unwrap();
    }
    js("lab.restore()", &[]).await;
    assert_eq!(property(&opened, "count"), 1);
    lab::done(&[&store], &name).await;
}

/// A commit that is cut off: the transaction aborts without a reason, as when the storage process dies.
const CUT_OFF: &str = "lab.once(IDBTransaction.prototype, 'commit', function () { this.abort(); })";

/// The same where the platform commits by itself: once the last request has succeeded.
const CUT_OFF_LATE: &str = "let puts = 0;
    lab.patch(IDBObjectStore.prototype, 'put', (original) => function (...args) {
        const request = original.apply(this, args);
        if (++puts === 3) request.addEventListener('success', () => this.transaction.abort());
        return request;
    })";

#[wasm_bindgen_test]
async fn only_a_commit_that_was_cut_off_has_an_unknown_outcome() {
    let (store, name) = new_store().await;
    for (from, chunk, cut_off) in [(0.0, "-1", CUT_OFF), (1.0, "-1", CUT_OFF), (0.0, "1", CUT_OFF_LATE)] {
        js(cut_off, &[]).await;
        let decide = ["{ record: new Uint8Array([1]), bodies: [1, 2, 3], chunk: ", chunk, " }"].concat();
        let error = store.append(from, answer(&decide), false).await.unwrap_err();
        assert_eq!(property(&error, "outcomeUnknown"), true);
    }
    js("lab.restore()", &[]).await;
    assert_eq!(read(&store, 1.0).await, r#"{"numbers":[],"records":[]}"#);
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn a_step_cut_off_before_its_commit_is_put_again_as_it_was_decided() {
    let (store, name) = new_store().await;
    for (from, chunk) in [(0.0, "-1"), (1.0, "-1"), (0.0, "1")] {
        js("lab.once(IDBObjectStore.prototype, 'put', function (original, args) { throw new DOMException('', 'UnknownError') })", &[]).await;
        let decided = js("return globalThis.decided = { count: 0 }", &[]).await;
        let decide =
            ["(decided.count++, { record: new Uint8Array([1]), bodies: [1, 2, 3], chunk: ", chunk, " })"].concat();
        store.append(from, answer(&decide), false).await.unwrap();
        assert_eq!(property(&decided, "count"), 1);
    }
    assert_eq!(read(&store, 1.0).await, r#"{"numbers":[1,2,3],"records":[[1],[1],[1]]}"#);
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn a_full_disk_is_a_quota_error_of_certain_outcome() {
    let (store, name) = new_store().await;
    js(CUT_OFF, &[]).await;
    js(
        "a.real = Object.getOwnPropertyDescriptor(IDBTransaction.prototype, 'error');
        Object.defineProperty(IDBTransaction.prototype, 'error', { configurable: true, get: () => new DOMException('full', 'QuotaExceededError') })",
        &[&js_sys::global()],
    )
    .await;
    let error = store.append(0.0, step(1, "[]"), false).await.unwrap_err();
    js("Object.defineProperty(IDBTransaction.prototype, 'error', a.real)", &[&js_sys::global()]).await;
    assert_eq!(property(&error, "name"), "QuotaExceededError");
    assert!(property(&error, "outcomeUnknown").is_undefined());
    assert_eq!(append(&store, &step(1, "[]")).await, 1.0);
    lab::done(&[&store], &name).await;
}

/// Has the browser's own connections at hand, to give them the event of a forced close.
const KEEP_CONNECTIONS: &str = "
    const kept = [];
    lab.patch(IDBDatabase.prototype, 'transaction', (original) => function (...args) {
        if (!kept.includes(this)) kept.push(this);
        return original.apply(this, args);
    });
    return kept";

#[wasm_bindgen_test]
async fn a_connection_the_browser_closed_is_opened_again_by_itself() {
    let (store, name, told) = new_told_store().await;
    let kept = js(KEEP_CONNECTIONS, &[]).await;
    append(&store, &step(1, "[]")).await;
    js("a[0].close(); a[0].dispatchEvent(new Event('close'))", &[&kept]).await;
    assert!(told.await.unwrap().is_undefined(), "it was opened again");
    assert_eq!(append(&store, &step(2, "[]")).await, 2.0);
    js("lab.restore()", &[]).await;
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn a_journal_cleared_with_its_connection_is_lost_also_when_another_is_in_its_place() {
    for another in [false, true] {
        let (store, name, told) = new_told_store().await;
        let kept = js(KEEP_CONNECTIONS, &[]).await;
        append(&store, &step(1, "[]")).await;
        js("lab.restore()", &[]).await;
        // As when site data are cleared: no versionchange is heard, the connection is closed by force.
        js(
            "a[0].onversionchange = null;
            a[0].close();
            await lab.ended(indexedDB.deleteDatabase(b))",
            &[&kept, &name.as_str().into()],
        )
        .await;
        let new = if another { Some(lab::open(&name).await) } else { None };
        js("a[0].dispatchEvent(new Event('close'))", &[&kept]).await;
        assert_eq!(property(&told.await.unwrap(), "name"), "StorageLostError");
        assert_eq!(refusal(store.append(0.0, step(2, "[]"), false)).await.0, "StorageLostError");
        assert_eq!(lab::exists(&name).await, another);
        if let Some(new) = &new {
            assert_eq!(read(new, 1.0).await, r#"{"numbers":[],"records":[]}"#);
            new.close();
        }
        lab::done(&[&store], &name).await;
    }
}

#[wasm_bindgen_test]
async fn what_is_in_flight_ends_when_the_store_is_closed() {
    let (store, name) = new_store().await;
    let pending = [store.append(0.0, step(1, "[]"), false), store.append(1.0, step(2, "[]"), false)];
    store.close();
    store.close();
    for (place, promise) in pending.into_iter().enumerate() {
        assert_eq!(promise.await.unwrap(), place as u32 + 1);
    }
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn what_waits_for_the_connection_is_refused_when_the_store_is_closed() {
    let (store, name) = new_store().await;
    js(THROW_ONCE, &[&value("IDBDatabase.prototype"), &"transaction".into()]).await;
    let waiting = [store.append(0.0, step(1, "[]"), false), store.read(1.0)];
    store.close();
    // Of which TypeScript makes an error.
    for promise in waiting.into_iter().chain([store.read(1.0), store.reserve(false)]) {
        assert!(promise.await.unwrap_err().is_undefined());
    }
    lab::done(&[&store], &name).await;
}
