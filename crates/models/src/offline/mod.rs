//! The built-in offline model: a small grammar that turns plain sentences into the tool calls a large model would make.
//!
//! It is there so that everything else can be tried, tested and demonstrated without a server, a key or a cost. It says
//! what it is, what it understood and what came of it. `docs/offline-model.md` is its grammar, and a test runs every
//! line of that page.
//!
//! It looks at nothing but the request: [`answer`] is a pure function, and where it stands in a turn it reads from the
//! calls and results that the conversation holds since the last prompt. Deliberately absent: understanding.

mod answer;
mod backend;
mod grammar;
mod lexer;
mod plan;
mod results;
mod script;
mod sentence;
mod words;

pub use answer::answer;
pub use backend::Offline;
