//! Bodies: where they lie, that they come back as they went in, and that only those asked for are read.

use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::lab::{self, answer, append, js, new_store, step};

async fn values(store: &lab::IndexedDb, keys: &[f64]) -> String {
    let found = store.values(keys.to_vec()).await.expect("loads");
    js("return JSON.stringify(a.map((value) => value ?? null))", &[&found]).await.as_string().unwrap()
}

#[wasm_bindgen_test]
async fn bodies_lie_in_the_records_value() {
    let (store, name) = new_store().await;
    append(&store, &step(1, "['a', 'b']")).await;
    let decide = "{ record: new Uint8Array(1), bodies: ['c'], headers: { 0: { k: 'v' } }, chunk: -1 }";
    append(&store, &answer(decide)).await;
    let found = values(&store, &[2.0, -1.0, 1.0, -1.0]).await;
    assert_eq!(found, r#"[{"bodies":["c"],"headers":{"0":{"k":"v"}}},{"bodies":["a","b"]}]"#);
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn bodies_apart_lie_in_chunks_with_the_headers_of_their_own() {
    let (store, name) = new_store().await;
    let decide = "{
        record: new Uint8Array([1]), bodies: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], chunk: 2,
        headers: { 0: { k: '0' }, 3: { k: '3' }, 9: { k: '9' } },
    }";
    append(&store, &answer(decide)).await;
    append(&store, &step(2, "['own']")).await;
    let keys = js("return JSON.stringify(await lab.keys(a))", &[&name.as_str().into()]).await;
    assert_eq!(keys, "[-3,0,1,2,[1,0],[1,1],[1,2]]");
    let all = values(&store, &[1.0, 0.0, 1.0, 1.0, 1.0, 2.0]).await;
    let first = r#"{"bodies":[0,1,2,3],"headers":{"0":{"k":"0"},"3":{"k":"3"}}}"#;
    let last = r#"{"bodies":[8,9],"headers":{"1":{"k":"9"}}}"#;
    assert_eq!(all, [r"[", first, r#",{"bodies":[4,5,6,7]},"#, last, "]"].concat());
    assert_eq!(values(&store, &[1.0, 2.0]).await, ["[", last, "]"].concat());
    assert_eq!(lab::read(&store, 1.0).await, r#"{"numbers":[1,2],"records":[[1],[2]]}"#);
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn values_come_in_the_order_asked_and_the_missing_are_undefined() {
    let (store, name) = new_store().await;
    for number in 1..=6 {
        append(&store, &step(number, &["[", &number.to_string(), "]"].concat())).await;
    }
    store.snapshot(6.0, 6.0, lab::bytes(&[0]), vec![3.0, 3.0], vec![]).await.unwrap();
    let own = |numbers: &[f64]| numbers.iter().flat_map(|number| [*number, -1.0]).collect::<Vec<_>>();
    let found = values(&store, &own(&[6.0, 1.0, 2.0, 3.0, 4.0, 9.0, 5.0])).await;
    let body = |number: u8| ["{\"bodies\":[", &number.to_string(), "]}"].concat();
    let expected = [body(6), body(1), body(2), "null".into(), body(4), "null".into(), body(5)].join(",");
    assert_eq!(found, ["[", &expected, "]"].concat());
    assert_eq!(values(&store, &[]).await, "[]");
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn values_read_what_is_asked_for_and_no_more() {
    let (store, name) = new_store().await;
    let many = "{ record: new Uint8Array(1), bodies: new Array(1000).fill('body'), chunk: 5 }";
    append(&store, &answer(many)).await;
    let calls = js("return lab.count()", &[]).await;
    store.read(1.0).await.unwrap();
    let tail = js("return JSON.stringify(a)", &[&calls]).await;
    store.values(vec![1.0, 0.0]).await.unwrap();
    let one = js("return JSON.stringify(a)", &[&calls]).await;
    store.values((0..32).flat_map(|chunk| [1.0, f64::from(chunk)]).collect()).await.unwrap();
    let run = js("return JSON.stringify(a)", &[&calls]).await;
    js("lab.restore()", &[]).await;
    assert_eq!(tail, r#"{"transaction":1,"get":1,"getAll":1,"getAllKeys":1,"commit":1}"#);
    assert_eq!(one, r#"{"transaction":2,"get":2,"getAll":1,"getAllKeys":1,"commit":2}"#);
    assert_eq!(run, r#"{"transaction":3,"get":2,"getAll":2,"getAllKeys":1,"commit":3}"#);
    lab::done(&[&store], &name).await;
}

#[wasm_bindgen_test]
async fn structured_clones_come_back_as_they_went_in() {
    let (store, name) = new_store().await;
    let bodies = js(
        r#"
        const cyclic = { list: [1, undefined, null, NaN, -0, 12n] };
        cyclic.self = cyclic;
        return [
            cyclic, new Date(86400000), new Map([[{ k: 1 }, new Set(["x"])]]), /a+/gi, new Error("why", { cause: 7 }),
            new Uint8Array([1, 2, 3]), new Float64Array([0.5]), new Uint16Array([1, 2]).buffer, new DataView(new ArrayBuffer(2)),
            new Blob(["blob text"], { type: "text/plain" }), new File(["file text"], "photo.png", { type: "image/png", lastModified: 5 }),
            "\u{1f4ee} post", undefined, true, new Array(3), { __proto__: null, plain: 1 },
        ];
        "#,
        &[],
    )
    .await;
    let decide = js(
        "return () => ({ record: new Uint8Array(1), bodies: a, chunk: -1, headers: { 2: { k: 'v' } } })",
        &[&bodies],
    )
    .await;
    append(&store, &decide.unchecked_into()).await;
    let found = store.values(vec![1.0, -1.0]).await.unwrap();
    js(
        r#"
        const [{ bodies: [cyclic, date, map, pattern, error, bytes, floats, buffer, view, blob, file, text, none, yes, sparse, plain], headers }] = a;
        const check = (promise, name) => { if (!promise) throw new Error(name); };
        check(cyclic.self === cyclic && Object.is(cyclic.list[4], -0) && cyclic.list[5] === 12n && "1" in cyclic.list, "object");
        check(date instanceof Date && +date === 86400000, "date");
        check(map instanceof Map && [...map.keys()][0].k === 1 && [...map.values()][0].has("x"), "map");
        check(pattern instanceof RegExp && pattern.flags === "gi", "pattern");
        check(error instanceof Error && error.message === "why", "error");
        check(bytes instanceof Uint8Array && bytes.join() === "1,2,3", "bytes");
        check(floats instanceof Float64Array && floats[0] === 0.5, "floats");
        check(buffer instanceof ArrayBuffer && buffer.byteLength === 4 && view instanceof DataView, "buffers");
        check(blob instanceof Blob && blob.type === "text/plain" && await blob.text() === "blob text", "blob");
        check(file instanceof File && file.name === "photo.png" && file.lastModified === 5 && await file.text() === "file text", "file");
        check(text === "\u{1f4ee} post" && none === undefined && yes === true, "primitives");
        check(sparse.length === 3 && !(0 in sparse) && plain.plain === 1, "rest");
        check(headers[2].k === "v", "headers");
        "#,
        &[&found],
    )
    .await;
    lab::done(&[&store], &name).await;
}
