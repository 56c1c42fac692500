//! The tools that a daemon offers: the built-in ones, and whatever it was assembled with beside them.

use agent::{Access, Tokens};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use store::Blob;
use tokio_util::sync::CancellationToken;
use tools::{Checked, Limits, Output};
use wire::ToolSpec;

/// A tool that is not built in. Runs on a thread for blocking work; gets its arguments, a JSON object, and is told to
/// stop by the token.
pub type Run = Arc<dyn Fn(&str, &CancellationToken) -> Output + Send + Sync>;

/// A tool that a daemon is assembled with.
#[derive(Clone)]
pub struct ExtraTool {
    /// What the model is told of it.
    pub spec: ToolSpec,
    /// What it does.
    pub run: Run,
}

impl fmt::Debug for ExtraTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtraTool").field("spec", &self.spec).finish_non_exhaustive()
    }
}

/// All tools, in the order the model sees them.
#[derive(Debug)]
pub struct Toolbox {
    specs: Arc<[ToolSpec]>,
    extra: BTreeMap<String, ExtraTool>,
    table: Blob,
    tokens: Tokens,
    limits: Limits,
}

/// A call whose arguments were found right.
#[derive(Clone)]
pub enum Job {
    /// Of a built-in tool.
    BuiltIn(Arc<Checked>),
    /// Of another.
    Extra(Run, Arc<str>),
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Job::BuiltIn(checked) => checked.fmt(f),
            Job::Extra(_, arguments) => arguments.fmt(f),
        }
    }
}

/// What the owner needs to know of a checked call.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// What to run.
    pub job: Job,
    /// What the tool may do.
    pub access: Access,
    /// What it is about, in a few words.
    pub about: String,
    /// Its string arguments, for permissions.
    pub strings: Vec<String>,
}

impl Toolbox {
    /// The built-in tools and `extra` ones; one of the same name takes the built-in's place.
    pub fn new(extra: Vec<ExtraTool>) -> Toolbox {
        let extra: BTreeMap<_, _> = extra.into_iter().map(|tool| (tool.spec.name.clone(), tool)).collect();
        let built_in = tools::table().iter().filter(|spec| !extra.contains_key(&spec.name)).cloned();
        let specs: Arc<[_]> = built_in.chain(extra.values().map(|tool| tool.spec.clone())).collect();
        let table = serde_json::to_vec(&*specs).expect("a table of tools is plain data");
        let tokens = Tokens::estimate(table.len());
        Toolbox { specs, extra, table: Blob::new(&table), tokens, limits: Limits::default() }
    }

    /// What the model is told.
    pub fn specs(&self) -> Arc<[ToolSpec]> {
        self.specs.clone()
    }

    /// The same as bytes, for recipes to name.
    pub fn table(&self) -> &Blob {
        &self.table
    }

    /// The table's size in a model's context.
    pub fn tokens(&self) -> Tokens {
        self.tokens
    }

    /// Bounds of the built-in tools.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Checks a call; the error is for the model to repair itself from.
    pub fn inspect(&self, name: &str, arguments: &str) -> Result<Inspected, String> {
        if let Some(tool) = self.extra.get(name) {
            let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(arguments)
                .map_err(|error| format!("the arguments are no JSON object: {error}"))?;
            let strings: Vec<String> = object.values().filter_map(|v| v.as_str().map(str::to_owned)).collect();
            let job = Job::Extra(tool.run.clone(), arguments.into());
            let about = strings.first().cloned().unwrap_or_default();
            return Ok(Inspected { job, access: tool.spec.access, about, strings });
        }
        let checked = tools::check(name, arguments).map_err(|error| error.to_string())?;
        let (access, about, strings) = (checked.access, checked.about.clone(), checked.strings.clone());
        Ok(Inspected { job: Job::BuiltIn(Arc::new(checked)), access, about, strings })
    }
}
