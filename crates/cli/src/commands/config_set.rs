//! `config set`: its arguments; only the daemon's own reader can say whether the result is valid.

/// Gives a key of the configuration file a value; comments stay, and nothing is written that would not be valid
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell config set default_model ollama::qwen3
  tinkerbell config set models.sonnet.key '{ kept = \"work\" }'
  tinkerbell config set instructions.files '[\"AGENTS.md\"]'
  tinkerbell config set models.local '{ provider = \"ollama\", model = \"qwen3:4b\" }'

A model needs no table where `provider::model` says enough. Keys of providers are
kept by `tinkerbell keys set`.")]
pub(crate) struct Set {
    /// The key, with dots
    #[arg(value_name = "KEY")]
    pub(crate) key: String,

    /// The value, as TOML; a text may go without quotes
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) value: String,
}
