//! The one table of keys: which there are, what they take, what they mean. Everything said about a key elsewhere (the
//! reference page, the example file, suggestions, complaints) comes from here.

use super::kind::{Kind, levels, policies, providers, tool_uses};
use super::section::Fallback::{Required, Value, Words};
use super::section::{Entry, Fallback, NAME, Section};

/// How long a stop waits for effects.
pub(super) const GRACE_MS: u64 = 5_000;
/// How long each step of an upgrade may take the new binary.
pub(super) const UPGRADE_MS: u64 = 60_000;
/// How long an idle session stays in memory.
pub(super) const IDLE_MS: u64 = 5 * 60 * 1000;
/// How many bytes the sessions in memory may hold together.
pub(super) const AWAKE_BYTES: u64 = 64 * MEBIBYTE;
/// How often it is tidied up.
pub(super) const TIDY_MS: u64 = 60 * 60 * 1000;
/// What the journal may hold that nothing uses.
pub(super) const FREE_BYTES: u64 = 16 * MEBIBYTE;
/// What the pictures may hold together.
pub(super) const PICTURES_BYTES: u64 = GIBIBYTE;
/// How long a picture stays that nobody looks at.
pub(super) const PICTURES_IDLE_MS: u64 = 14 * 24 * 60 * 60 * 1000;
/// How long nothing happens in a session before it is archived: half a year.
pub(super) const ARCHIVE_IDLE_MS: u64 = 180 * 24 * 60 * 60 * 1000;
/// How often a snapshot is made.
pub(super) const SNAPSHOT_EVERY_MS: u64 = 24 * 60 * 60 * 1000;
/// How many snapshots are kept.
pub(super) const SNAPSHOTS_KEPT: u64 = 7;
/// What all snapshots may hold together.
pub(super) const SNAPSHOT_BYTES: u64 = 20 * GIBIBYTE;
/// The most that is read of a file of instructions.
pub(super) const INSTRUCTION_BYTES: u64 = 32 * 1024;
/// The files of a workspace that are read as instructions.
pub(super) const INSTRUCTION_FILES: &[&str] =
    &["AGENTS.md", "CLAUDE.md", "GEMINI.md", ".github/copilot-instructions.md", ".cursorrules"];

const MEBIBYTE: u64 = 1024 * 1024;
const GIBIBYTE: u64 = 1024 * MEBIBYTE;
const THIRTY_DAYS_MS: u64 = 30 * 24 * 60 * 60 * 1000;
const MOST_TOKENS: u64 = 1_000_000_000;

const fn milliseconds(least: u64) -> Kind {
    Kind::Whole { least, most: THIRTY_DAYS_MS }
}

const fn count(most: u64) -> Kind {
    Kind::Whole { least: 1, most }
}

const TOKENS: Kind = count(MOST_TOKENS);

/// Makes an entry: name, kind, default, unit, what it means, an example.
const fn entry(
    name: &'static str,
    kind: Kind,
    default: Fallback,
    unit: &'static str,
    doc: &'static str,
    example: &'static str,
) -> Entry {
    Entry { name, kind, default, unit, doc, example }
}

/// All sections, in the order of the documents.
#[rustfmt::skip]
pub(super) const SECTIONS: &[Section] = &[
    Section { path: &[], about: "", notes: "", entries: &[
        entry("default_model", Kind::Name, Words("a model server found on this machine, else `\"offline\"`"), "",
            "where prompts go when they name no model: a model, a route, or `provider::model`", "\"local\""),
    ]},
    Section { path: &["daemon"], about: "", notes: "", entries: &[
        entry("socket", Kind::Socket, Words("`/tmp/tinkerbell.sock`"), "",
            "where to listen; `--socket` and `TINKERBELL_SOCKET` count more", "\"/run/user/1000/tinkerbell.sock\""),
        entry("log", Kind::Word(levels), Value("\"info\""), "", "how much is logged", "\"debug\""),
        entry("grace_ms", milliseconds(0), Value("5000"), "ms", "how long a stop, or a cancel, waits for effects to end", "10000"),
        entry("upgrade_ms", milliseconds(1), Value("60000"), "ms", "how long the new binary may take for each step of an upgrade; after that it is ended and nothing has changed", "300000"),
        entry("idle_ms", milliseconds(0), Value("300000"), "ms", "how long an idle session stays in memory", "600000"),
        entry("awake_bytes", Kind::Whole { least: MEBIBYTE, most: 1024 * GIBIBYTE }, Value("67108864"), "bytes",
            "what the sessions in memory may hold together; the longest idle goes first", "134217728"),
        entry("discover", Kind::Flag, Value("true"), "",
            "look for model servers (Ollama, llama.cpp) on this machine's usual ports", "false"),
    ]},
    Section { path: &["models", NAME], about: ", one table for each model; `offline` is built in", notes: "\
A model needs no table where its provider is enough: `--model anthropic::MODEL` works with a key alone. A model without `key`
uses the key kept by `tinkerbell keys set` under the model's name, then the one under the provider's, then the provider's usual
variable in the daemon's environment.", entries: &[
        entry("provider", Kind::Word(providers), Required, "", "who provides it", "\"anthropic\""),
        entry("model", Kind::Text, Required, "", "the provider's name for the model", "\"claude-sonnet-4-5\""),
        entry("base_url", Kind::Url, Words("the provider's"), "",
            "the URL below which its API lies, for a chat server that below which `/chat/completions` lies", "\"https://api.anthropic.com/v1\""),
        entry("key", Kind::KeyPlace, Words("see below"), "",
            "where the key is: `{ kept = \"NAME\" }`, `{ env = \"NAME\" }`, `{ file = \"/path\" }` or `{ keyring = \"NAME\" }`; never the key itself",
            "{ env = \"ANTHROPIC_API_KEY\" }"),
        entry("context_tokens", TOKENS, Words("what is known of the model"), "tokens", "the whole window", "200000"),
        entry("max_output_tokens", TOKENS, Words("what is known of the model"), "tokens", "the most that one reply may have", "8192"),
        entry("input_usd_per_mtok", Kind::Dollars, Words("what is known of the model"), "US dollars",
            "price of a million tokens read", "3.0"),
        entry("output_usd_per_mtok", Kind::Dollars, Words("what is known of the model"), "US dollars",
            "price of a million tokens written", "15.0"),
        entry("tools", Kind::Word(tool_uses), Value("\"auto\""), "",
            "how it calls tools: by its own means, held to a JSON schema, or not at all; `auto` finds out", "\"constrained\""),
        entry("images", Kind::Flag, Words("what is known of the model"), "", "whether it takes images", "true"),
        entry("documents", Kind::Flag, Words("what is known of the model"), "", "whether it takes PDF documents", "true"),
        entry("keep_alive", Kind::Text, Words("Ollama's"), "", "how long Ollama keeps the model loaded, in its words", "\"10m\""),
        entry("think", Kind::Flag, Words("Ollama's"), "", "whether Ollama has the model think aloud", "false"),
    ]},
    Section { path: &["routes", NAME], about: ", models that stand in for each other", notes: "", entries: &[
        entry("models", Kind::Names, Required, "",
            "names of models or `provider::model`; the first that works answers", "[\"sonnet\", \"ollama::qwen3\", \"offline\"]"),
        entry("policy", Kind::Word(policies), Value("\"order\""), "", "how one is chosen: in the order of `models`", "\"order\""),
    ]},
    Section { path: &["limits"], about: ", of a turn", notes: "", entries: &[
        entry("steps", count(1_000_000), Value("50"), "", "model calls that are answered", "100"),
        entry("turn_ms", milliseconds(1), Value("1800000"), "ms", "time; not while it waits for a person", "3600000"),
        entry("output_tokens", TOKENS, Value("200000"), "tokens", "what its models may write", "400000"),
        entry("alike_calls", count(1_000_000), Value("5"), "", "calls in a row of one tool with the same arguments", "3"),
        entry("attempts", count(1_000), Value("4"), "", "attempts at one model call; on a route, rounds along it", "6"),
        entry("backoff_ms", milliseconds(0), Value("500"), "ms",
            "the first pause between two attempts; each further one is twice as long", "1000"),
        entry("max_backoff_ms", milliseconds(0), Value("60000"), "ms",
            "the longest such pause; where a provider asks for a longer one, the turn ends", "120000"),
        entry("fruitless", count(1_000), Value("3"), "", "beginnings after a kill without progress, after which a person is asked", "5"),
    ]},
    Section { path: &["budget"], about: ", reserved before each call", notes: "", entries: &[
        entry("per_turn_usd", Kind::Dollars, Words("none"), "US dollars", "the most that one turn may spend", "0.5"),
        entry("per_session_usd", Kind::Dollars, Words("none"), "US dollars", "the most that a session may spend", "2.0"),
        entry("per_day_usd", Kind::Dollars, Words("none"), "US dollars", "the most that all sessions may spend in a day (UTC)", "20.0"),
    ]},
    Section { path: &["instructions"], about: ", read as text without authority", notes: "", entries: &[
        entry("files", Kind::Files,
            Value("[\"AGENTS.md\", \"CLAUDE.md\", \"GEMINI.md\", \".github/copilot-instructions.md\", \".cursorrules\"]"), "",
            "files of the workspace that are given to models as instructions; `[]` for none", "[\"AGENTS.md\"]"),
        entry("max_bytes", Kind::Whole { least: 1, most: MEBIBYTE }, Value("32768"), "bytes", "the most that is read of each", "65536"),
    ]},
    Section { path: &["retention"], about: ", so that nothing grows without end", notes: "\
Logs are bounded by themselves: two files of 8 MiB. Sessions stay until they are removed. An archived one comes back by itself when somebody says something to it.", entries: &[
        entry("archive_idle_ms", Kind::Whole { least: 0, most: 1000 * THIRTY_DAYS_MS }, Value("15552000000"), "ms",
            "how long nothing happens in a session before it leaves the journal for a file of its own; 0 for never", "2592000000"),
        entry("every_ms", milliseconds(60_000), Value("3600000"), "ms", "how often it is tidied up, when nothing runs", "86400000"),
        entry("free_bytes", Kind::Whole { least: 0, most: 1024 * GIBIBYTE }, Value("16777216"), "bytes",
            "what the journal's file may hold that nothing uses; more is given back to the disk", "67108864"),
        entry("pictures_bytes", Kind::Whole { least: 0, most: 1024 * GIBIBYTE }, Value("1073741824"), "bytes",
            "what the pictures of canvases in git may hold together; the longest unused goes first, and is drawn anew when somebody looks",
            "268435456"),
        entry("pictures_idle_ms", milliseconds(0), Value("1209600000"), "ms", "how long a picture stays that nobody looks at", "86400000"),
    ]},
    Section { path: &["snapshots"], about: ", copies of the whole state, each in one file", notes: "\
Those that somebody asked for stay until somebody removes them. Of the daemon's own the newest good one stays in any case.", entries: &[
        entry("every_ms", Kind::Whole { least: 0, most: THIRTY_DAYS_MS }, Value("86400000"), "ms",
            "how often one is made, if a session wrote something since; 0 for never", "3600000"),
        entry("keep", count(10_000), Value("7"), "", "how many of the daemon's own are kept", "30"),
        entry("max_age_ms", Kind::Whole { least: 0, most: 1000 * THIRTY_DAYS_MS }, Value("0"), "ms",
            "how old the daemon's own become; 0 for no bound", "2592000000"),
        entry("max_bytes", Kind::Whole { least: 0, most: 1024 * GIBIBYTE }, Value("21474836480"), "bytes",
            "what all may hold together before the daemon's own go, the oldest first; 0 for no bound", "10737418240"),
        entry("on_stop", Kind::Flag, Value("false"), "", "whether one is made when the daemon stops", "true"),
        entry("directory", Kind::Directory, Words("`snapshots` in the state directory"), "", "where they lie", "\"/srv/tinkerbell\""),
        entry("passphrase", Kind::KeyPlace, Words("they are not encrypted"), "",
            "where the passphrase is that encrypts them, as for a model's key", "{ kept = \"snapshots\" }"),
    ]},
    Section { path: &["permissions"], about: "", notes: "\
`tool` and `argument` are patterns in which `*` stands for any run of characters; `decision` is `allow`, `ask` or `deny`. An
argument is what a call is about: for file tools their paths. To allow, all of it must match; to ask or deny, any of it. Without
a rule, tools that only read or only change the canvas run, because accept is the approval of an edit; tools that touch the world
are asked about. What `read_file` may not read is left out of listings and searches too.", entries: &[
        entry("rules", Kind::Rules, Value("[]"), "", "`{ tool, argument, decision }`; the first that matches decides",
            "[{ tool = \"*\", argument = \".env\", decision = \"deny\" }]"),
    ]},
];
