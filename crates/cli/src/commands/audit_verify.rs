//! `audit verify`: computes all chains anew.

use crate::client::EventStream;
use crate::error::Error;
use crate::http::HttpError;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{BAD, FAINT, GOOD, NOTE, Screen};
use crate::terminal;
use crate::words;
use wire::rest::{AuditProgress, AuditReport, Damage};
use wire::{Code, Problem, operation};

/// Computes all chains anew, and checks signatures and long texts
///
/// Every event of every session, the chain over all of them, the signatures of this state's key, every blob. Where
/// something is not as it was written, it says where, and the exit code is 1.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell audit verify
  tinkerbell audit verify --json")]
pub(crate) struct Verify {}

impl Verify {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let mut stream = client.stream(&Request::new(&operation::AUDIT_VERIFY)?.stream())?;
        let found = report(&mut stream);
        terminal::rewrite("");
        let data = found?;
        let report: AuditReport = serde_json::from_str(&data).map_err(|error| unreadable(&error.to_string()))?;
        match context.globals.json {
            true => context.print_json(data.as_bytes()).map(drop)?,
            false => print(&mut context.screen, &report)?,
        }
        Ok(if report.sound { Exit::GOOD } else { Exit::BAD })
    }
}

/// Shows progress until the report comes.
fn report(stream: &mut EventStream) -> Result<String, Error> {
    loop {
        while let Some(message) = stream.pop() {
            match message.kind.as_deref() {
                Some("report") => return Ok(message.data),
                Some("progress") => {
                    let now = serde_json::from_str::<AuditProgress>(&message.data);
                    let now = now.map_err(|error| unreadable(&error.to_string()))?;
                    terminal::rewrite(&format!("checking {}… {}", now.part.word(), now.done));
                }
                _ => {}
            }
        }
        match stream.fill() {
            Err(HttpError::Closed) => {
                let detail = "the daemon ended before the audit did, so it is not known whether all is sound";
                return Err(Problem::new(Code::NoDaemon, detail).remedy("ask again").into());
            }
            other => other?,
        }
    }
}

fn unreadable(error: &str) -> Error {
    Problem::new(Code::Internal, format!("the daemon's answer cannot be read: {error}"))
        .remedy("check with `tinkerbell status` that the daemon and this command have the same version")
        .into()
}

fn print(screen: &mut Screen, report: &AuditReport) -> Result<(), Error> {
    for damage in &report.damage {
        let line = plain::strip(&told(damage));
        let out = screen.out();
        let word = out.paint(BAD, "damaged");
        out.line(&format!("{word} {line}"))?;
    }
    let events = words::count(report.events, "event");
    let journals = words::count(report.journals, "journal");
    let (links, blobs) = (words::count(report.links, "link"), words::count(report.blobs, "blob"));
    let out = screen.out();
    let verdict = if report.sound { out.paint(GOOD, "sound") } else { out.paint(BAD, "not sound") };
    out.line(&format!(
        "{verdict}: {events} in {journals}, {links}, {}, {blobs}",
        words::count(report.signatures, "signature")
    ))?;
    if report.archived > 0 {
        let files = words::count(report.archived, "archived session");
        screen.remark(FAINT, &format!("{files} among them, read from their files"))?;
    }
    if report.forgotten + report.removed > 0 {
        let removed = words::count(report.removed, "session");
        screen.remark(FAINT, &format!("{} forgotten, {removed} removed, as the chains say", report.forgotten))?;
    }
    match &report.signed {
        Some(signed) => {
            let unsigned = report.links.saturating_sub(signed.link);
            let at = wire::time::write(signed.at);
            screen.remark(
                FAINT,
                &format!("signed up to link {} at {at}, {unsigned} after it; key {}", signed.link, signed.key),
            )?;
        }
        None => screen.remark(NOTE, "! nothing is signed: see `tinkerbell daemon logs` for why")?,
    }
    if report.keys.len() > 1 {
        let what = format!("! {} keys have signed this state: its key file was replaced", report.keys.len());
        screen.remark(NOTE, &what)?;
    }
    if !report.sound {
        screen.remark(
            NOTE,
            "  try: `tinkerbell snapshot restore ID --to DIR`, then `TINKERBELL_HOME=DIR tinkerbell audit verify` says whether \
             that snapshot is sound; `docs/audit.md` says what each damage means",
        )?;
    }
    Ok(())
}

fn told(damage: &Damage) -> String {
    let mut place = damage.part.word().to_owned();
    if let Some(journal) = &damage.journal {
        place = journal.clone();
    }
    if let Some(seq) = damage.seq {
        place += &format!(" event {seq}");
    }
    if let Some(link) = damage.link {
        place += &format!(" link {link}");
    }
    format!("{place}: {}", damage.what)
}

#[cfg(test)]
mod tests {
    use crate::fake::{FakeDaemon, stream};
    use crate::run::Exit;
    use crate::testing::run;

    fn report(damage: &str) -> String {
        let (hash, state, key) = ("02".repeat(32), "01".repeat(32), "a7".repeat(32));
        format!(
            "{{\"sound\":{},\"journals\":2,\"events\":9,\"forgotten\":1,\"links\":7,\"removed\":0,\"signatures\":1,\
             \"blobs\":1,\"signed\":{{\"link\":5,\"hash\":\"{hash}\",\"at\":\"2026-11-23T09:00:00.000000Z\",\
             \"state\":\"{state}\",\"key\":\"{key}\"}},\"keys\":[\"{key}\"],\"damage\":[{damage}]}}",
            damage.is_empty()
        )
    }

    #[test]
    fn a_sound_state_is_told_with_its_counts_and_a_damaged_one_ends_with_1() {
        let asked = |damage: &str| {
            let message = format!("{}\nevent: report", report(damage));
            FakeDaemon::new(vec![vec![stream(&[&message], true)]])
        };
        let done = run(asked(""), &["audit", "verify"]);
        assert_eq!(done.out, "sound: 9 events in 2 journals, 7 links, 1 signature, 1 blob\n");
        assert!(done.aside.contains("signed up to link 5") && done.exit == Some(Exit::GOOD), "{done:?}");
        let damage = "{\"part\":\"journals\",\"journal\":\"daemon\",\"seq\":3,\"what\":\"is missing\"}";
        let done = run(asked(damage), &["audit", "verify"]);
        assert!(done.out.starts_with("damaged daemon event 3: is missing\nnot sound: "), "{}", done.out);
        assert_eq!(done.exit, Some(Exit::BAD));
        assert!(done.aside.contains("snapshot restore ID --to DIR"), "{}", done.aside);
        let cut = run(FakeDaemon::new(vec![vec![stream(&[], true)]]), &["audit", "verify"]);
        assert!(cut.problem.unwrap().detail.contains("not known whether all is sound"));
    }
}
