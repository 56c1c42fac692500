//! The table against the plain data, the documents, the meaning; what is wrong in files.

mod changes;

use super::kind::Kind;
use super::section::{Fallback, NAME, Section};
use super::table::SECTIONS;
use super::*;
use agent::{Limits, Money, Tokens};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use wire::rest::{ConfigFrom, ConfigOrigin};

const MODEL: &str = "[models.x]\nprovider = \"ollama\"\nmodel = \"m\"\n";

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("c.toml"), text, true).map_err(|error| error.to_string())
}

fn file(text: &str) -> (TempDir, ConfigFile) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    (home, ConfigFile::new(path))
}

fn text(file: &ConfigFile) -> String {
    std::fs::read_to_string(file.path()).unwrap()
}

/// A whole file that gives one key a value.
fn with(section: &Section, name: &str, value: &str) -> String {
    let heading = section.dotted().replace(NAME, "x");
    let needed: String = match heading.as_str() {
        "models.x" => [("provider", "\"ollama\""), ("model", "\"m\"")]
            .iter()
            .filter(|(key, _)| *key != name)
            .map(|(key, value)| format!("{key} = {value}\n"))
            .collect(),
        "routes.x" if name != "models" => "models = [\"offline\"]\n".to_owned(),
        _ => String::new(),
    };
    let models =
        "[models.local]\nprovider = \"ollama\"\nmodel = \"m\"\n[models.sonnet]\nprovider = \"ollama\"\nmodel = \"m\"\n";
    match heading.is_empty() {
        true => format!("{name} = {value}\n{models}"),
        false => format!("[{heading}]\n{name} = {value}\n{needed}{models}"),
    }
}

#[test]
fn every_default_and_every_example_of_the_table_is_understood() {
    let mut keys = 0;
    for section in SECTIONS {
        for entry in section.entries {
            keys += 1;
            let example = parse(&with(section, entry.name, entry.example));
            assert!(example.is_ok(), "{} {}: {}", section.dotted(), entry.name, example.unwrap_err());
            assert!(!entry.doc.is_empty() && !entry.doc.ends_with('.'), "{}", entry.name);
            if let Fallback::Value(value) = entry.default {
                let said = parse(&with(section, entry.name, value)).unwrap();
                let silent =
                    parse(&with(section, entry.name, value).replacen(&format!("{} = {value}\n", entry.name), "", 1));
                let [said, silent] =
                    [said, silent.unwrap()].map(|config| Config { said: Vec::new(), text: Arc::default(), ..config });
                assert_eq!(format!("{said:?}"), format!("{silent:?}"), "{} is not the default", entry.name);
            }
        }
    }
    println!("{keys} keys");
}

#[test]
fn the_table_and_the_plain_data_have_the_same_keys() {
    for section in SECTIONS {
        let heading = section.dotted().replace(NAME, "x");
        let text = if heading.is_empty() { "nothing = 1".to_owned() } else { format!("[{heading}]\nnothing = 1") };
        // The error for an unknown key lists the known ones.
        let message = raw::read(&text).unwrap_err().message;
        let mut known: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
        known.retain(|key| !heading.is_empty() || *key == "default_model");
        let mut table: Vec<&str> = section.entries.iter().map(|entry| entry.name).collect();
        known.sort_unstable();
        table.sort_unstable();
        assert_eq!(table, known, "[{heading}]: {message}");
    }
}

#[test]
fn the_example_and_the_template_are_valid() {
    let example = parse(&document::example()).unwrap();
    assert_eq!((example.models.len(), example.routes.len()), (2, 1));
    let template = example::template();
    let meaning = |text: &str| Config { text: Arc::default(), ..parse(text).unwrap() };
    assert_eq!(format!("{:?}", meaning(&template)), format!("{:?}", meaning("")));
}

#[test]
fn an_empty_file_means_the_defaults_and_no_model() {
    let config = parse("").unwrap();
    assert_eq!((config.default_model, config.models.len(), config.routes.len()), (None, 0, 0));
    assert_eq!(config.limits, Limits::default());
    assert_eq!((config.awake_bytes, config.discover, config.instructions.max_bytes), (64 << 20, true, 32 << 10));
}

#[test]
fn a_whole_file_is_understood() {
    let config = parse(
        r#"
        default_model = "daily"
        [daemon]
        log = "debug"
        discover = false
        [models.local]
        provider = "openai"
        base_url = "http://127.0.0.1:8080/v1"
        model = "qwen3"
        key = { env = "LOCAL_KEY" }
        context_tokens = 8192
        input_usd_per_mtok = 0.25
        output_usd_per_mtok = 1
        tools = "constrained"
        images = true
        [models."qwen3.5"]
        provider = "ollama"
        model = "qwen3.5:4b"
        think = false
        key.kept = "work"
        [routes.daily]
        models = ["local", "anthropic::claude-x", "offline"]
        policy = "order"
        [budget]
        per_turn_usd = 0.5
        per_day_usd = 20.0
        [permissions]
        rules = [{ tool = "write_file", argument = "secrets/*", decision = "deny" }]
        "#,
    )
    .unwrap();
    let local = &config.models["local"];
    assert_eq!((local.context_tokens, local.max_output_tokens), (Some(Tokens(8192)), None));
    assert_eq!(local.input_microusd_per_mtok, Some(Money(250_000)));
    assert_eq!(local.output_microusd_per_mtok, Some(Money(1_000_000)));
    assert_eq!((local.tools, local.images, local.documents), (ToolUse::Constrained, Some(true), None));
    assert_eq!(local.key, Some(KeySource::Env("LOCAL_KEY".to_owned())));
    let qwen = &config.models["qwen3.5"];
    assert_eq!((qwen.provider.word, qwen.think), ("ollama", Some(false)));
    assert_eq!(qwen.key, Some(KeySource::Kept("work".to_owned())));
    assert_eq!(config.routes["daily"].models.len(), 3);
    assert_eq!((config.limits.turn_cost_microusd, config.per_day), (Some(Money(500_000)), Some(Money(20_000_000))));
    assert_eq!((config.rules.len(), config.discover), (1, false));
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_the_way_out() {
    let model = |more: &str| format!("{MODEL}{more}");
    for (text, expected) in [
        ("[limits]\nstep = 3".to_owned(), "line 2, column 1: limits.step: unknown key `step`"),
        ("[limits]\nstep = 3".to_owned(), "Did you mean `steps`?"),
        ("[limit]\nsteps = 3".to_owned(), "Did you mean `limits`?"),
        ("limits = 3".to_owned(), "must be a table, written as [limits]"),
        ("models = [1]".to_owned(), "must be a table"),
        ("default_model = \"gpt\"".to_owned(), "line 1, column 1: default_model: names no model; there are: offline"),
        ("default_model = \"gpt::x\"".to_owned(), "is no provider"),
        ("default_model = \"\"".to_owned(), "must not be empty"),
        ("\n[models.x]\nprovider = \"openai\"".to_owned(), "line 2, column 9: models.x.model: is missing"),
        ("[models.x]\nmodel = \"m\"".to_owned(), "models.x.provider: is missing"),
        ("[models.x]\nprovider = \"antropic\"\nmodel = \"m\"".to_owned(), "Did you mean `anthropic`?"),
        ("[models.offline]\nprovider = \"openai\"\nmodel = \"m\"".to_owned(), "taken by the built-in model"),
        ("[models.\"a::b\"]\nprovider = \"openai\"\nmodel = \"m\"".to_owned(), "choose another"),
        (
            model("context_tokens = 100\nmax_output_tokens = 100"),
            "line 5, column 1: models.x.max_output_tokens: must be less",
        ),
        (model("base_url = \"127.0.0.1\""), "must begin with http"),
        (model("base_url = \"http://me:sk-CANARY@host/v1\""), "no user or password"),
        (model("base_url = \"http://host/v1?key=sk-CANARY\""), "no query"),
        ("[models.x]\nprovider = \"openai\"\nmodel = \"m\"\nthink = true".to_owned(), "ollama alone"),
        (model("tools = \"maybe\""), "auto, native, constrained, none"),
        ("[routes.r]\nmodels = [\"a\"]".to_owned(), "line 2, column 1: routes.r.models: names no model"),
        ("[routes.r]\nmodels = []".to_owned(), "must have 1 to"),
        ("[routes.r]\npolicy = \"order\"".to_owned(), "routes.r.models: is missing"),
        ("[routes.r]\nmodels = [\"offline\"]\npolicy = \"cheapest\"".to_owned(), "come with the router"),
        ("[routes.r]\nmodels = [\"offline\", \"offline\"]".to_owned(), "twice"),
        (model("[routes.x]\nmodels = [\"offline\"]"), "a model has this name"),
        ("[limits]\nsteps = 0".to_owned(), "limits.steps: must be at least 1"),
        ("[limits]\nsteps = \"many\"".to_owned(), "line 2, column 1: limits.steps: must be a whole number"),
        ("[limits]\nturn_ms = -1".to_owned(), "must be at least 1 and at most"),
        ("[limits]\nmax_backoff_ms = 1".to_owned(), "must not be less than limits.backoff_ms"),
        ("[daemon]\nlog = \"loud\"".to_owned(), "must be one of off, error"),
        ("[daemon]\nsocket = \"here\"".to_owned(), "must be an absolute path of at most 107 bytes"),
        ("[daemon]\ndiscover = 1".to_owned(), "true or false"),
        ("[budget]\nper_day_usd = -1.0".to_owned(), "between 0 and"),
        ("[budget]\nper_day_usd = nan".to_owned(), "between 0 and"),
        ("[instructions]\nfiles = [\"../x\"]".to_owned(), "item 1 must be a path within the workspace"),
        (
            "[permissions]\nrules = [{ tool = \"a\", decision = \"alow\" }]".to_owned(),
            "rule 1: `decision` must be one of",
        ),
        ("[permissions]\nrules = [{ tols = \"a\" }]".to_owned(), "no key `tols`"),
        ("[[permissions.rules]]\ntool = \"a\"".to_owned(), "rule 1: `decision` is missing"),
        ("[models.x\nprov".to_owned(), "line 1"),
        ("a = 1\na = 2".to_owned(), "line 2"),
        (model("key = \"sk-CANARY\""), "say where it is"),
        (model("key = { sk-CANARY = 1 }"), "say where it is"),
        (model("key = { env = \"sk-CANARY\" }"), "no name of an environment variable"),
        (model("key = { env = \"gsk_CANARY\" }"), "no name of an environment variable"),
        (model("key = { kept = \"sk/CANARY\" }"), "a key's name"),
        (model("key = { kept = \"sk-CANARY\" }"), "a key's name"),
        (model("key = { keyring = \"gsk_CANARY\" }"), "a key's name"),
        (model("key = { file = \"sk-CANARY\" }"), "absolute path"),
        (model("key = { env = \"A\", file = \"/CANARY\" }"), "say where it is"),
        (model("key = sk-CANARY"), "line 4"),
        (model("key = \"sk-CANARY"), "line 4"),
        (model("key = { env = sk-CANARY }"), "line 4"),
        (model("think = \"sk-CANARY\""), "true or false"),
        ("[models.x]\nprovider = \"sk-CANARY\"\nmodel = \"m\"".to_owned(), "must be one of"),
    ] {
        let error = Config::parse(Path::new("c.toml"), &text, true).map(drop).unwrap_err();
        let said = error.to_string();
        assert!(said.contains(expected), "{text:?} gave {said:?}");
        assert!(!format!("{said} {error:?}").contains("CANARY"), "a key stands in {error:?}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let error =
        parse("[limits]\nstep = 3\nturn_ms = \"x\"\n[daemon]\nlog = \"loud\"\nidle = 1\n[models.x]\nkey = \"k\"")
            .unwrap_err();
    for line in ["line 2", "line 3", "line 5", "line 6", "line 8"] {
        assert!(error.contains(&format!("\n{line}, ")), "{line} is missing in {error}");
    }
    let error =
        parse("default_model = \"a\"\n[models.x]\nprovider = \"openai\"\n[routes.r]\nmodels = [\"b\"]").unwrap_err();
    assert_eq!(error.matches("\nline ").count(), 3, "{error}");
}

#[test]
fn a_file_that_is_no_configuration_is_refused() {
    let (home, file) = file("");
    std::fs::write(file.path(), b"\xff\xfe").unwrap();
    assert!(file.check().unwrap_err().to_string().contains("UTF-8"));
    std::fs::write(file.path(), vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(file.check().unwrap_err().to_string().contains("probably the wrong file"));
    assert!(ConfigFile::new(home.path()).check().unwrap_err().to_string().contains("cannot read"));
    assert!(!ConfigFile::new(home.path().join("none")).check().unwrap().found);
}

fn of_file(line: u32) -> ConfigOrigin {
    ConfigOrigin { from: ConfigFrom::File, line: Some(line), variable: None }
}

#[test]
fn what_parts_two_configurations_is_what_says_something_else() {
    let changed = |one: &str, other: &str| parse(one).unwrap().changed(&parse(other).unwrap());
    assert_eq!(changed("", "limits.steps = 50\n# the default\n"), [""; 0]);
    assert_eq!(changed("limits.steps = 9", "limits.steps = 8\ndaemon.log = \"off\""), ["daemon.log", "limits.steps"]);
    let words = ["models.x.provider", "models.x.model"];
    assert_eq!(changed(MODEL, "")[..2], words);
    assert_eq!(changed("", MODEL)[..2], words);
    let rules = "[permissions]\nrules = [{ tool = \"*\", decision = \"deny\" }]";
    assert_eq!(changed("", rules), ["permissions.rules"]);
}

#[test]
fn what_counts_is_shown_with_who_said_so() {
    let (_home, file) = file(
        "[daemon]\n# quiet\nlog = \"warn\" # yes\n[models.\"a.b\"]\nprovider = \"ollama\"\nmodel = \"m\"\nkey = { env = \"K\" }\n",
    );
    let none = |_: &'static str| None;
    let one = |key: &str| file.get(Some(key), &none).unwrap().remove(0);
    let log = one("daemon.log");
    assert_eq!((log.value.as_deref(), log.origin), (Some("\"warn\""), of_file(3)));
    assert_eq!((one("daemon.grace_ms").value.as_deref(), one("daemon.grace_ms").unit.as_str()), (Some("5000"), "ms"));
    assert_eq!((one("default_model").value, one("default_model").origin.from), (None, ConfigFrom::Default));
    assert_eq!(one("models.\"a.b\".key").value.as_deref(), Some("{ env = \"K\" }"));
    assert_eq!(one("models.\"a.b\".tools").value.as_deref(), Some("\"auto\""));
    assert_eq!(file.get(Some("limits"), &none).unwrap().len(), 8);
    let socket = file.get(Some("daemon.socket"), &|name| (name == "TINKERBELL_SOCKET").then(|| "/s".into())).unwrap();
    assert_eq!(socket[0].value.as_deref(), Some("\"/s\""));
    assert_eq!(socket[0].origin.variable.as_deref(), Some("TINKERBELL_SOCKET"));
    let keys: usize =
        SECTIONS.iter().filter(|section| section.path != ["routes", NAME]).map(|section| section.entries.len()).sum();
    assert_eq!(file.get(None, &none).unwrap().len(), keys);
    let unknown = file.get(Some("limits.step"), &none).unwrap_err().to_string();
    assert!(unknown.contains("Did you mean `steps`?"), "{unknown}");
    let absent = file.get(Some("models.y.model"), &none).unwrap_err().to_string();
    assert!(absent.contains("nothing of this name"), "{absent}");
}
