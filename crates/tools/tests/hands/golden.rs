//! The table as the model gets it. It is part of what providers cache and of what journals refer to, so a change of it
//! must be seen. `UPDATE_GOLDEN=1` writes the file anew.

use std::path::Path;

#[test]
fn the_table_is_the_golden_one() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/table.json");
    let now = serde_json::to_string_pretty(tools::table()).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &now).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap();
    assert_eq!(now, golden, "run the tests with UPDATE_GOLDEN=1 if the change is meant, and look at the difference");
}

#[test]
fn every_schema_is_closed_and_every_word_is_explained() {
    for tool in tools::table() {
        assert!(tool.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", tool.name);
        assert!(tool.description.len() > 20, "{}", tool.name);
        assert_eq!(tool.parameters["additionalProperties"], false, "{}", tool.name);
        for (name, field) in tool.parameters["properties"].as_object().unwrap() {
            assert!(field["description"].as_str().unwrap().len() > 10, "{}: {name}", tool.name);
        }
    }
}
