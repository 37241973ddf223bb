//! What the tests of the store work with: databases of their own, steps to append, and hands on the platform's classes.

use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use posthaste::web::indexeddb;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(inline_js = r#"
    /** Runs `body` as an async function of `args`. */
    export async function run(body, args) {
        const AsyncFunction = (async () => {}).constructor;
        return new AsyncFunction("lab", ...args.map((_, i) => "abcd"[i]), body)(lab, ...args);
    }

    const ended = (request) => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
        if ("onblocked" in request) request.onblocked = () => {};
    });
    const real = new Map();

    const lab = {
        ended,
        /** The database as it is, past the store. */
        async raw(name, work, version, upgrade) {
            const request = indexedDB.open(name, version);
            if (upgrade) request.onupgradeneeded = () => upgrade(request.result, request.transaction);
            const database = await ended(request);
            try { return await work?.(database); } finally { database.close(); }
        },
        put: (name, key, value) => lab.raw(name, (database) =>
            ended(database.transaction("journal", "readwrite").objectStore("journal").put(value, key))),
        get: (name, key) => lab.raw(name, (database) =>
            ended(database.transaction("journal").objectStore("journal").get(key))),
        keys: (name) => lab.raw(name, (database) =>
            ended(database.transaction("journal").objectStore("journal").getAllKeys())),
        /** Puts `make(original)` in the place of a method until `restore`. */
        patch(owner, name, make) {
            const original = owner[name];
            real.set([owner, name], original);
            owner[name] = make(original);
        },
        restore() {
            for (const [[owner, name], original] of real) owner[name] = original;
            real.clear();
        },
        /** Counts calls of everything that makes a transaction or a request. */
        count() {
            const calls = {};
            const requests = ["put", "add", "get", "getKey", "getAll", "getAllKeys", "getAllRecords", "delete", "clear", "count", "openCursor", "openKeyCursor"];
            for (const [owner, names] of [[IDBObjectStore.prototype, requests], [IDBDatabase.prototype, ["transaction"]], [IDBTransaction.prototype, ["commit"]], [IDBFactory.prototype, ["open"]]]) {
                for (const name of names) {
                    if (!owner[name]) continue;
                    lab.patch(owner, name, (original) => function (...args) {
                        calls[name] = (calls[name] ?? 0) + 1;
                        return original.apply(this, args);
                    });
                }
            }
            return calls;
        },
        /** The next call of the method throws, or does what `act` says. */
        once(owner, name, act) {
            lab.patch(owner, name, (original) => function (...args) {
                owner[name] = original;
                return act.call(this, original, args);
            });
        },
    };
"#)]
extern "C" {
    pub fn run(body: &str, args: &Array) -> Promise;
}

/// An open store. Its functions, which call back, are promises here.
pub struct IndexedDb {
    number: u32,
    pub strict: bool,
}

impl IndexedDb {
    /// Opens a store that nobody closes.
    pub fn open(name: String) -> Promise {
        promise(|done| _ = indexeddb::open(factory(), name, Function::new_no_args(""), done))
    }

    pub fn append(&self, from: f64, decide: Function, strict: bool) -> Promise {
        promise(|done| indexeddb::append(self.number, from, decide, strict, done))
    }

    pub fn read(&self, from: f64) -> Promise {
        promise(|done| indexeddb::read(self.number, from, done))
    }

    pub fn values(&self, keys: Vec<f64>) -> Promise {
        promise(|done| indexeddb::values(self.number, keys, done))
    }

    pub fn snapshot(&self, number: f64, floor: f64, bytes: Uint8Array, ranges: Vec<f64>, parts: Vec<f64>) -> Promise {
        promise(|done| indexeddb::snapshot(self.number, number, floor, &bytes, ranges, parts, done))
    }

    pub fn reserve(&self, keep: bool) -> Promise {
        promise(|done| indexeddb::reserve(self.number, keep, done))
    }

    pub fn refused(&self, bodies: Array) -> Promise {
        promise(|done| indexeddb::refused(self.number, bodies, done))
    }

    pub fn close(&self) {
        indexeddb::close(self.number);
    }
}

fn factory() -> web_sys::IdbFactory {
    property(&js_sys::global(), "indexedDB").unchecked_into()
}

fn promise(start: impl FnOnce(Function)) -> Promise {
    let (mut resolve, mut reject) = (None, None);
    let promise = Promise::new(&mut |good, bad| (resolve, reject) = (Some(good), Some(bad)));
    let settle = Function::new_with_args("good, bad", "return (well, value) => (well ? good : bad)(value)");
    let (resolve, reject) = (resolve.expect("is called at once"), reject.expect("is called at once"));
    let done = settle.call2(&JsValue::UNDEFINED, &resolve, &reject).expect("a function");
    start(done.unchecked_into());
    promise
}

/// A name no other test has.
pub fn new_name() -> String {
    ["test-", &js_sys::Math::random().to_string()].concat()
}

/// A store on a database of its own.
pub async fn new_store() -> (IndexedDb, String) {
    let name = new_name();
    (open(&name).await, name)
}

pub async fn open(name: &str) -> IndexedDb {
    open_told(name, Function::new_no_args("")).await
}

/// A store that calls `tell` when it is lost, with the error, and without one when it was opened again.
pub async fn open_told(name: &str, tell: Function) -> IndexedDb {
    let mut number = 0;
    let opened = promise(|done| number = indexeddb::open(factory(), name.into(), tell, done));
    let strict = opened.await.expect("opens") == true;
    IndexedDb { number, strict }
}

/// A store on a database of its own, and what resolves when it tells of its loss (the error) or of being opened again.
pub async fn new_told_store() -> (IndexedDb, String, Promise) {
    let name = new_name();
    let (told, tell) = signal();
    (open_told(&name, tell).await, name, told)
}

pub fn deleted(name: &str) -> Promise {
    run("await lab.ended(indexedDB.deleteDatabase(a))", &Array::of1(&name.into()))
}

pub async fn exists(name: &str) -> bool {
    js("return (await indexedDB.databases()).some((database) => database.name === a)", &[&name.into()]).await == true
}

/// Runs JavaScript with `lab`, `a`, `b`, `c`, `d`.
pub async fn js(body: &str, args: &[&JsValue]) -> JsValue {
    run(body, &args.iter().collect::<Array>()).await.unwrap_or_else(|error| panic!("{error:?} in {body}"))
}

/// The value of a JavaScript expression.
pub fn value(expression: &str) -> JsValue {
    Function::new_no_args(&["return (", expression, ")"].concat()).call0(&JsValue::UNDEFINED).expect("evaluates")
}

/// A `decide` that ignores the tail and answers this expression.
pub fn answer(expression: &str) -> Function {
    Function::new_with_args("tail", &["return (", expression, ")"].concat())
}

/// A `decide` that answers a record of this one byte, with these bodies.
pub fn step(byte: u8, bodies: &str) -> Function {
    answer(&["{ record: new Uint8Array([", &byte.to_string(), "]), bodies: ", bodies, ", chunk: -1 }"].concat())
}

pub async fn append(store: &IndexedDb, decide: &Function) -> f64 {
    store.append(0.0, decide.clone(), false).await.expect("appends").as_f64().expect("a number")
}

/// A tail as JSON: `{"numbers":[1],"records":[[7]]}`, with `"snapshot":[number,[bytes]]` where there is one.
pub fn shown(tail: &JsValue) -> String {
    let show = Function::new_with_args(
        "tail",
        "return JSON.stringify({
            snapshot: tail.snapshot && [tail.snapshot.number, [...tail.snapshot.bytes]],
            numbers: tail.numbers,
            records: tail.records.map((record) => [...record]),
        })",
    );
    show.call1(&JsValue::UNDEFINED, tail).expect("a tail").as_string().expect("text")
}

pub async fn read(store: &IndexedDb, from: f64) -> String {
    shown(&store.read(from).await.expect("reads"))
}

pub fn bytes(bytes: &[u8]) -> Uint8Array {
    Uint8Array::from(bytes)
}

pub fn property(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).expect("an object")
}

/// The name and message of a rejection.
pub async fn refusal(promise: Promise) -> (String, String) {
    let error = promise.await.expect_err("rejects");
    let text = |name| property(&error, name).as_string().expect("an error");
    (text("name"), text("message"))
}

/// A promise, and what resolves it.
pub fn signal() -> (Promise, Function) {
    let mut resolve = None;
    let promise = Promise::new(&mut |done, _| resolve = Some(done));
    (promise, resolve.expect("is called at once").unchecked_into())
}

pub async fn done(stores: &[&IndexedDb], name: &str) {
    stores.iter().for_each(|store| store.close());
    deleted(name).await.expect("deletes");
}
