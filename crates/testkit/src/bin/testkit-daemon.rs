//! A daemon that testkit assembles: the real one, with a scripted model and tools that count.

use std::process::ExitCode;
use wire::places::Places;

fn main() -> ExitCode {
    let places = Places::from_env(&|name| std::env::var_os(name), None).expect("the test sets its places");
    let mut options = daemon::Options::new(places, true);
    options.tools = testkit::tools();
    options.models = vec![testkit::named(testkit::BACKUP), testkit::scripted()];
    daemon::run(options)
}
