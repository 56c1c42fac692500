//! Real files that are changed: by a key, and whole by an editor.

use super::*;

#[test]
fn one_key_is_changed_and_all_else_stays() {
    let (_home, file) = file("# mine\n\n[limits]\nsteps   = 7 # few\n\n# prices\n[budget]\nper_day_usd = 1.0\n");
    let change = file.set("limits.steps", "9").unwrap();
    assert_eq!((change.old.as_deref(), change.new.as_deref()), (Some("7"), Some("9")));
    assert_eq!(text(&file), "# mine\n\n[limits]\nsteps   = 9 # few\n\n# prices\n[budget]\nper_day_usd = 1.0\n");
    file.set("daemon.log", "debug").unwrap();
    let first = file.set("models.local.provider", "ollama").unwrap_err().to_string();
    assert!(first.contains("tinkerbell config set models.local '{ provider = \"ollama\", … }'"), "{first}");
    assert!(first.contains("models.local.model: "), "{first}");
    assert!(text(&file).ends_with("per_day_usd = 1.0\n\n[daemon]\nlog = \"debug\"\n"), "{}", text(&file));
    let change = file.unset("limits.steps").unwrap();
    assert_eq!((change.old.as_deref(), change.new), (Some("9"), None));
    assert!(matches!(file.unset("limits.steps"), Err(ChangeError::NotSet { .. })));
    file.unset("budget").unwrap();
    assert_eq!(text(&file), "# mine\n\n[limits]\n\n[daemon]\nlog = \"debug\"\n");
}

#[test]
fn a_model_and_a_route_are_set_whole() {
    let (_home, file) = file("# mine\n");
    file.set("models.local", "{ provider = \"ollama\", model = \"qwen3\", key = { env = \"K\" } }").unwrap();
    file.set("routes.daily", "{ models = [\"local\", \"offline\"] }").unwrap();
    file.set("default_model", "daily").unwrap();
    let config = file.check().unwrap();
    assert_eq!((config.models.len(), config.routes["daily"].models.len()), (1, 2), "{}", text(&file));
    assert_eq!(config.default_model.unwrap().as_str(), "daily");
    let change = file.set("models.local", "{ provider = \"groq\", model = \"x\" }").unwrap();
    assert!(change.old.unwrap().contains("qwen3") && !text(&file).contains("qwen3"), "{}", text(&file));
    let error = file.set("models.other", "{ provider = \"groq\", model = \"x\", key = \"sk-CANARY\" }").unwrap_err();
    assert!(
        error.to_string().contains("say where it is") && !format!("{error} {error:?}").contains("CANARY"),
        "{error}"
    );
    assert!(file.set("models.other", "sk-CANARY").unwrap_err().to_string().contains("all its keys at once"));
}

#[test]
fn every_key_can_be_set_to_its_example_and_unset() {
    let mut changes = 0;
    for section in SECTIONS {
        for entry in section.entries {
            let (_home, file) = file(&with(section, entry.name, entry.example));
            let key = [section.dotted().replace(NAME, "x").as_str(), entry.name].join(".");
            let key = key.trim_start_matches('.');
            file.set(key, entry.example).unwrap_or_else(|error| panic!("{key}: {error}"));
            assert_eq!(text(&file), with(section, entry.name, entry.example), "{key}: the same value is the same file");
            match file.unset(key) {
                Ok(_) => assert!(!matches!(entry.default, Fallback::Required), "{key}"),
                Err(ChangeError::WouldBeInvalid(_)) => assert!(matches!(entry.default, Fallback::Required), "{key}"),
                Err(other) => panic!("{key}: {other}"),
            }
            if entry.kind.is_text() && !matches!(entry.kind, Kind::Name) {
                let bare = entry.example.trim_matches('"');
                file.set(key, bare).unwrap_or_else(|error| panic!("{key}: {error}"));
            }
            changes += 1;
        }
    }
    println!("{changes} keys set and unset");
}

#[test]
fn a_change_that_would_not_be_valid_changes_nothing() {
    let (home, file) = file(MODEL);
    for (key, value, expected) in [
        ("limits.step", "1", "Did you mean `steps`?"),
        ("limits.steps", "0", "must be at least 1 and at most 1000000; for example 100"),
        ("limits.steps", "many", "no TOML value"),
        ("limits", "{}", "is a table"),
        ("default_model", "gpt", "names no model"),
        ("models.y.provider", "ollama", "models.y.model: is missing"),
        ("models.offline.model", "m", "taken by the built-in"),
        ("models.x.key", "sk-CANARY", "say where it is"),
        ("models.x.key", "\"sk-CANARY\"", "say where it is"),
        ("models.x.key", "{ env = \"sk-CANARY\" }", "no name of an environment variable"),
        ("a b", "1", "no path of a key"),
    ] {
        let error = file.set(key, value).unwrap_err();
        let said = error.to_string();
        assert!(said.contains(expected), "{key} = {value} gave {said}");
        assert!(!format!("{said} {error:?}").contains("CANARY"), "a key stands in {error:?}");
        assert_eq!(text(&file), MODEL);
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "nothing is left beside the file");
}

#[test]
fn a_broken_file_can_be_mended_key_by_key_and_not_made_worse() {
    let (_home, file) = file("[limits]\nsteps = 0\nattempts = 0\n");
    assert!(matches!(file.set("daemon.grace_ms", "1"), Err(ChangeError::File(_))));
    file.set("limits.steps", "5").unwrap();
    file.unset("limits.attempts").unwrap();
    assert!(file.check().is_ok());
    std::fs::write(file.path(), "[daemon]\ngrace = 3\n[limit]\nsteps = 3\n").unwrap();
    file.unset("daemon.grace").unwrap();
    assert!(matches!(file.unset("daemon.grace"), Err(ChangeError::UnknownKey { .. })));
    file.unset("limit").unwrap();
    assert!(file.check().is_ok(), "what means nothing goes as well: {}", text(&file));
    std::fs::write(file.path(), "[limits").unwrap();
    let error = file.set("limits.steps", "5").unwrap_err().to_string();
    assert!(error.contains("line 1") && error.contains("mend the file first"), "{error}");
}

#[test]
fn a_new_file_is_private_an_old_one_keeps_its_mode_and_a_link_stays() {
    let home = tempfile::tempdir().unwrap();
    let file = ConfigFile::new(home.path().join("deep/er/config.toml"));
    file.set("limits.steps", "5").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((text(&file).as_str(), mode(file.path())), ("[limits]\nsteps = 5\n", 0o600));
    std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o644)).unwrap();
    let link = home.path().join("link.toml");
    symlink(file.path(), &link).unwrap();
    ConfigFile::new(&link).set("limits.steps", "6").unwrap();
    assert!(link.is_symlink() && text(&file).contains('6'));
    assert_eq!(mode(file.path()), 0o644);
    let dangling = home.path().join("dangling.toml");
    symlink(home.path().join("none"), &dangling).unwrap();
    assert!(ConfigFile::new(&dangling).set("limits.steps", "6").unwrap_err().to_string().contains("leads nowhere"));
}

/// An editor that writes a text over what it is given.
fn writes(text: &str) -> String {
    format!("write() {{ printf '%s' '{text}' > \"$1\"; }}; write")
}

#[test]
fn an_edit_takes_the_place_of_the_file_once_it_is_valid() {
    let (home, file) = file("[limits]\nsteps = 1\n");
    let never = &mut |faults: &[Fault]| panic!("asked about {faults:?}");
    assert_eq!(file.edit("true", never).unwrap(), Edited::Unchanged);
    assert_eq!(file.edit(&writes("[limits]\nsteps = 2\n"), never).unwrap(), Edited::Replaced);
    assert_eq!(text(&file), "[limits]\nsteps = 2\n");
    // Wrong at first, then put right.
    let once =
        "edit() { if grep -q wrong \"$1\"; then echo \"[limits]\" > \"$1\"; else echo wrong = 1 >> \"$1\"; fi; }; edit";
    let mut asked = Vec::new();
    let edited = file.edit(once, &mut |faults| {
        asked.extend(faults.iter().map(Fault::to_string));
        Answer::Again
    });
    assert_eq!((edited.unwrap(), text(&file).as_str()), (Edited::Replaced, "[limits]\n"));
    assert!(asked.len() == 1 && asked[0].contains("line 3, column 1: limits.wrong"), "{asked:?}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "no copy is left");
}

#[test]
fn an_edit_that_is_not_taken_keeps_what_was_typed() {
    let (home, file) = file("[limits]\nsteps = 1\n");
    let keep = &mut |_: &[Fault]| Answer::Keep;
    let Err(EditError::Invalid { copy, faults }) = file.edit(&writes("[limits]\nsteps = 0\n"), keep) else { panic!() };
    assert_eq!((std::fs::read_to_string(&copy).unwrap().as_str(), faults.len()), ("[limits]\nsteps = 0\n", 1));
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let meanwhile =
        format!("other() {{ echo '# other' >> {}; echo '# mine' >> \"$1\"; }}; other", file.path().display());
    let error = file.edit(&meanwhile, keep).unwrap_err();
    assert!(matches!(error, EditError::Replace { .. }), "{error}");
    assert!(error.to_string().contains("changed by somebody else"), "{error}");
    assert_eq!(text(&file), "[limits]\nsteps = 1\n# other\n");
    assert!(matches!(file.edit("false", keep), Err(EditError::EditorFailed { .. })));
    assert!(file.edit("/nonexistent/editor", keep).unwrap_err().to_string().contains("/nonexistent/editor"));
    // A new file begins with all keys as comments, and only what is changed makes it a file.
    let fresh = ConfigFile::new(home.path().join("new/config.toml"));
    assert_eq!(fresh.edit("true", keep).unwrap(), Edited::Unchanged);
    assert!(!fresh.path().exists());
    assert_eq!(fresh.edit("sed -i 's/^# \\[limits\\]/[limits]/; s/^# steps/steps/'", keep).unwrap(), Edited::Replaced);
    assert_eq!(fresh.check().unwrap().limits.steps, 100);
}
