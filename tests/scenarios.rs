//! The tour of the engine: stories of commands, with the records and effects that they bring, in `scenarios/*.txt`.
//!
//! An indented line is what the engine did. `UPDATE=1 cargo test --test scenarios` writes them anew; read the difference.

#[path = "scenarios/story.rs"]
mod story;

use std::{env, fs, path::Path};

#[test]
fn each_story_goes_as_it_is_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = fs::read_dir(folder).expect("there are stories").map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "txt"));
    files.sort();
    assert!(files.len() >= 6, "only {} stories", files.len());
    let mut others = Vec::new();
    for file in files {
        let told = fs::read_to_string(&file).unwrap();
        let happened = story::play(&told);
        if happened == told {
            continue;
        }
        if env::var_os("UPDATE").is_some() {
            fs::write(&file, happened).unwrap();
            continue;
        }
        let differs = told.lines().zip(happened.lines()).enumerate().find(|(_, (told, happened))| told != happened);
        let (line, (told, happened)) = differs.unwrap_or((0, ("the same lines", "more, or fewer")));
        others.push(format!("{}:{}: told {told:?}, happened {happened:?}", file.display(), line + 1));
    }
    assert!(others.is_empty(), "{}\nif that is meant: UPDATE=1", others.join("\n"));
}
