//! What was not written by this store, or not by this version: told by name, never touched, never taken for a record.

use wasm_bindgen_test::wasm_bindgen_test;

use crate::lab::{self, IndexedDb, answer, append, bytes, js, new_name, new_store, refusal, step, value};

/// Makes a database by hand: `upgrade` is a JavaScript function of (database, transaction).
async fn make(name: &str, version: u32, upgrade: &str) {
    js(&["await lab.raw(a, undefined, b, ", upgrade, ")"].concat(), &[&name.into(), &version.into()]).await;
}

#[wasm_bindgen_test]
async fn a_database_that_holds_other_things_is_named_and_left_as_it_is() {
    let foreign = [
        (1, "(d) => d.createObjectStore('things').put('precious', 1)"),
        (3, "(d) => d.createObjectStore('things').put('precious', 1)"),
        (1, "(d) => { d.createObjectStore('journal', { autoIncrement: true }); d.createObjectStore('more') }"),
        (1, "(d) => d.createObjectStore('journal', { keyPath: 'id' })"),
        (1, "(d) => d.createObjectStore('journal', { autoIncrement: true }).put('precious')"),
        (1, "() => {}"),
    ];
    for (version, upgrade) in foreign {
        let name = new_name();
        make(&name, version, upgrade).await;
        let (error, message) = refusal(IndexedDb::open(name.clone())).await;
        assert_eq!(error, "CorruptionError");
        assert!(message.contains(&name), "{message}");
        let kept = js(
            "return lab.raw(a, async (database) => {
                const stores = [...database.objectStoreNames];
                const counts = stores.map((store) => lab.ended(database.transaction(store).objectStore(store).count()));
                return [database.version, ...stores, ...await Promise.all(counts)].join();
            })",
            &[&name.as_str().into()],
        )
        .await
        .as_string()
        .unwrap();
        let expected = match (version, upgrade.contains("precious"), upgrade.contains("journal")) {
            (version, true, false) => [&version.to_string(), ",things,1"].concat(),
            (_, true, true) => "1,journal,1".into(),
            (_, false, true) if upgrade.contains("more") => "1,journal,more,0,0".into(),
            (_, false, true) => "1,journal,0".into(),
            _ => "1".into(),
        };
        assert_eq!(kept, expected);
        lab::done(&[], &name).await;
    }
}

#[wasm_bindgen_test]
async fn a_newer_layout_is_a_version_error() {
    let name = new_name();
    make(&name, 2, "(d) => d.createObjectStore('journal', { autoIncrement: true })").await;
    assert_eq!(refusal(IndexedDb::open(name.clone())).await.0, "VersionError");
    lab::done(&[], &name).await;

    let (store, name) = new_store().await;
    store.close();
    js("await lab.put(a, 0, { format: 2, secret: 1 })", &[&name.as_str().into()]).await;
    assert_eq!(refusal(IndexedDb::open(name.clone())).await.0, "VersionError");
    lab::done(&[], &name).await;
}

#[wasm_bindgen_test]
async fn a_header_that_is_not_one_stops_everything_that_needs_it() {
    let headers = [
        "undefined",
        "null",
        "7",
        "[]",
        "{ format: 1 }",
        "{ format: 0, birth: 1, number: 0, floor: 0 }",
        "{ format: 1, birth: -1, number: 0, floor: 0 }",
        "{ format: 1, birth: 1, number: 0.5, floor: 0 }",
        "{ format: 1, birth: 1, number: NaN, floor: 0 }",
        "{ format: 1, birth: 1, number: 2, floor: 3 }",
        "{ format: 1, birth: 1, number: 2 ** 50, floor: 0 }",
        "{ format: '1', birth: 1, number: 0, floor: 0 }",
    ];
    let (store, name) = new_store().await;
    for header in headers {
        js("await lab.put(a, 0, b)", &[&name.as_str().into(), &value(header)]).await;
        let decide = answer("globalThis.decidedOnDamage = true, undefined");
        for promise in [
            store.read(1.0),
            store.read(2.0),
            store.append(1.0, decide, false),
            store.snapshot(1.0, 1.0, bytes(&[1]), vec![], vec![]),
            IndexedDb::open(name.clone()),
        ] {
            let (error, message) = refusal(promise).await;
            assert_eq!(
                (error.as_str(), message.ends_with("at key 0")),
                ("CorruptionError", true),
                "{header}: {message}"
            );
        }
    }
    assert!(value("globalThis.decidedOnDamage").is_undefined());
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn a_value_that_is_no_record_is_named_by_its_key_and_never_decided_on() {
    let values = ["7", "null", "[]", "[7, []]", "['text', []]", "{ 0: new Uint8Array(1) }", "[new Uint16Array(1), []]"];
    let (store, name) = new_store().await;
    append(&store, &step(1, "[]")).await;
    for damaged in values {
        js("await lab.put(a, 5, b)", &[&name.as_str().into(), &value(damaged)]).await;
        let decide = answer("globalThis.decidedOnDamage = true, undefined");
        for promise in
            [store.read(1.0), store.read(3.0), store.append(2.0, decide, false), store.values(vec![5.0, -1.0])]
        {
            let (error, message) = refusal(promise).await;
            assert_eq!(
                (error.as_str(), message.ends_with("at key 5")),
                ("CorruptionError", true),
                "{damaged}: {message}"
            );
        }
    }
    assert!(value("globalThis.decidedOnDamage").is_undefined());
    assert_eq!(lab::read(&store, 6.0).await, r#"{"numbers":[],"records":[]}"#);
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn a_key_that_the_generator_never_made_is_named() {
    for key in ["1.5", "Infinity", "2 ** 45"] {
        let (store, name) = new_store().await;
        js("await lab.put(a, b, [new Uint8Array(1), []])", &[&name.as_str().into(), &value(key)]).await;
        let (error, message) = refusal(store.read(1.0)).await;
        assert_eq!(error, "CorruptionError");
        let shown = lab::js("return String(a)", &[&value(key)]).await.as_string().unwrap();
        assert!(message.ends_with(&["at key ", &shown].concat()), "{message}");
        lab::done(&[&store], &name).await;
    }
}

#[wasm_bindgen_test]
async fn bodies_and_snapshots_that_are_none_are_named() {
    let (store, name) = new_store().await;
    append(&store, &answer("{ record: new Uint8Array(1), bodies: [1, 2], chunk: 0 }")).await;
    for damaged in ["7", "[]", "[7]", "[[1], 7]", "{ bodies: [1] }"] {
        js("await lab.put(a, [1, 1], b)", &[&name.as_str().into(), &value(damaged)]).await;
        for keys in [vec![1.0, 1.0], vec![1.0, 0.0, 1.0, 1.0]] {
            let (error, message) = refusal(store.values(keys)).await;
            assert_eq!(
                (error.as_str(), message.ends_with("at key 1,1")),
                ("CorruptionError", true),
                "{damaged}: {message}"
            );
        }
    }
    // The record's own value holds none: they lie apart.
    assert_eq!(refusal(store.values(vec![1.0, -1.0])).await.0, "CorruptionError");
    store.snapshot(1.0, 1.0, bytes(&[1]), vec![], vec![]).await.unwrap();
    js("await lab.put(a, -1, 'text')", &[&name.as_str().into()]).await;
    let (error, message) = refusal(store.read(1.0)).await;
    assert_eq!((error.as_str(), message.ends_with("at key -1")), ("CorruptionError", true), "{message}");
    lab::done(&[&store], &name).await;
}
