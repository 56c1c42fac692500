//! What the check of arguments says, which is what a model repairs its call from.

use serde_json::json;
use tools::{CallError, MAX_ARGUMENTS_BYTES, check};

#[test]
fn a_wrong_call_is_told_how_to_be_right() {
    for (tool, arguments, expected) in [
        (
            "read",
            "{}",
            "there is no tool \"read\"; the tools are read_file, write_file, edit_file, apply_patch, move_file, \
             delete_file, list_directory, find_files, search_text",
        ),
        (
            "read_file",
            "{\"path\": \"a",
            "the arguments of read_file are not JSON (EOF while parsing a string at line 1 column 11); send one JSON \
             object with path, offset (optional), limit (optional)",
        ),
        ("delete_file", "[\"a\"]", "the arguments of delete_file are a list; send one JSON object with path"),
        (
            "write_file",
            r#"{"path": "a"}"#,
            "write_file needs \"content\": The whole content of the file, exactly as it shall be; it takes path, content",
        ),
        (
            "move_file",
            r#"{"from": "a", "to": null}"#,
            "move_file needs \"to\": Path where the file shall be, its name included; it takes from, to",
        ),
        (
            "read_file",
            r#"{"path": "a", "lines": 3}"#,
            "read_file takes no \"lines\"; it takes path, offset (optional), limit (optional)",
        ),
        ("read_file", r#"{"path": 3}"#, "\"path\" of read_file is 3; it must be a string"),
        (
            "read_file",
            r#"{"path": "a", "offset": "3"}"#,
            "\"offset\" of read_file is a string; it must be a whole number from 1 on",
        ),
        (
            "read_file",
            r#"{"path": "a", "offset": 0}"#,
            "\"offset\" of read_file is 0; it must be a whole number from 1 on",
        ),
        (
            "read_file",
            r#"{"path": "a", "limit": 1.5}"#,
            "\"limit\" of read_file is 1.5; it must be a whole number from 1 on",
        ),
        (
            "read_file",
            r#"{"path": "a", "limit": -1}"#,
            "\"limit\" of read_file is -1; it must be a whole number from 1 on",
        ),
        (
            "edit_file",
            r#"{"path": "a", "old": "", "new": "x"}"#,
            "\"old\" of edit_file is empty; it must be a string that is not empty",
        ),
        (
            "edit_file",
            r#"{"path": "a", "old": "x", "new": "x"}"#,
            "\"old\" and \"new\" of edit_file are the same, so nothing would change",
        ),
        (
            "edit_file",
            r#"{"path": "a", "old": "x", "new": "y", "all": "yes"}"#,
            "\"all\" of edit_file is a string; it must be true or false",
        ),
        (
            "move_file",
            r#"{"from": "a", "to": "./a"}"#,
            "\"from\" and \"to\" of move_file are the same, so nothing would change",
        ),
        ("read_file", r#"{"path": "."}"#, "\"path\" of read_file: the path is empty; give a path below the workspace"),
        (
            "read_file",
            r#"{"path": "/etc/passwd"}"#,
            "\"path\" of read_file: \"/etc/passwd\" is absolute; give a path relative to the workspace",
        ),
        ("write_file", r#"{"path": "../x", "content": ""}"#, "\"path\" of write_file: \"../x\" leaves the workspace"),
        (
            "write_file",
            r#"{"path": ".git/config", "content": ""}"#,
            "\"path\" of write_file: \".git/config\" lies in .git, which only git changes",
        ),
        (
            "write_file",
            r#"{"path": "a/", "content": ""}"#,
            "\"path\" of write_file ends in a slash, as directories do; give the path of a file",
        ),
        ("list_directory", r#"{"path": ".."}"#, "\"path\" of list_directory: \"..\" leaves the workspace"),
    ] {
        assert_eq!(check(tool, arguments).unwrap_err().to_string(), expected, "{tool} {arguments}");
    }
}

#[test]
fn a_right_call_says_what_it_is_about_and_what_it_touches() {
    for (tool, arguments, about, strings) in [
        ("read_file", json!({"path": "./a//b", "offset": 3.0, "limit": null}), "a/b", vec!["a/b"]),
        ("write_file", json!({"path": "secret/../a", "content": "docs/x"}), "a", vec!["a"]),
        ("edit_file", json!({"path": "a", "old": "docs/x", "new": "", "all": true}), "a", vec!["a"]),
        ("move_file", json!({"from": "a", "to": "b/c"}), "a to b/c", vec!["a", "b/c"]),
        ("delete_file", json!({"path": "a\nb"}), "\"a\\nb\"", vec!["a\nb"]),
        ("list_directory", json!({}), ".", vec!["."]),
        ("list_directory", json!({"path": "", "depth": 2}), ".", vec!["."]),
        ("list_directory", json!({"path": "a/b/"}), "a/b", vec!["a/b"]),
        ("find_files", json!({"pattern": "src/**"}), "src/**", vec!["src/**"]),
        ("search_text", json!({"pattern": "a.b"}), "\"a.b\" in .", vec!["."]),
        ("search_text", json!({"pattern": "x", "path": "./src", "context": 0}), "\"x\" in src", vec!["src"]),
    ] {
        let checked = check(tool, &arguments.to_string()).unwrap();
        assert_eq!((checked.name, checked.about.as_str()), (tool, about));
        assert_eq!(checked.strings, strings, "{tool} {arguments}");
    }
    assert_eq!(check("list_directory", "").unwrap().about, ".", "no arguments at all are an empty object");
}

#[test]
fn the_check_asks_for_exactly_what_the_table_says() {
    for spec in tools::table() {
        let fields = spec.parameters["properties"].as_object().unwrap();
        let whole: serde_json::Map<_, _> = fields
            .iter()
            .map(|(name, schema)| {
                let value = match schema["type"].as_str().unwrap() {
                    "string" if name == "patch" => json!("*** Begin Patch\n*** Delete File: a\n*** End Patch"),
                    "string" => json!(format!("value-of-{name}")),
                    "integer" => json!(1),
                    "boolean" => json!(true),
                    other => panic!("no value of type {other}"),
                };
                (name.clone(), value)
            })
            .collect();
        let arguments = |map: &serde_json::Map<_, _>| serde_json::Value::Object(map.clone()).to_string();
        let checked = check(&spec.name, &arguments(&whole)).unwrap();
        assert_eq!(checked.access, spec.access);
        for name in fields.keys() {
            let mut without = whole.clone();
            without.remove(name);
            let required = spec.parameters["required"].as_array().unwrap().contains(&json!(name));
            let result = check(&spec.name, &arguments(&without));
            assert_eq!(matches!(result, Err(CallError::Missing { .. })), required, "{} without {name}", spec.name);
            assert_eq!(result.is_ok(), !required, "{} without {name}", spec.name);
            let mut wrong = whole.clone();
            wrong.insert(name.clone(), json!({}));
            let result = check(&spec.name, &arguments(&wrong));
            assert!(matches!(result, Err(CallError::WrongValue { .. })), "{} with a wrong {name}", spec.name);
        }
    }
}

#[test]
fn endless_arguments_are_refused_and_errors_stay_short() {
    let huge = format!(r#"{{"path": "a", "content": "{}"}}"#, "x".repeat(MAX_ARGUMENTS_BYTES));
    assert!(matches!(check("write_file", &huge), Err(CallError::TooLarge { .. })));
    let long = "x".repeat(100_000);
    for error in [
        check(&long, "{}").unwrap_err(),
        check("read_file", &json!({ "path": format!("/{}", &long[..4_000]) }).to_string()).unwrap_err(),
        check("read_file", &json!({ &long: 1 }).to_string()).unwrap_err(),
        check("read_file", &json!({ "path": &long }).to_string()).unwrap_err(),
    ] {
        assert!(error.to_string().len() < 400, "{error}");
    }
}
