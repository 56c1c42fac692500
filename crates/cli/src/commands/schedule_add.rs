//! `schedule add`: a prompt that is said by itself.

use super::schedule_show;
use crate::current::{self, Which};
use crate::durations::seconds;
use crate::error::Error;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::FAINT;
use agent::{MissedRule, ModelName, Money};
use std::path::Path;
use wire::rest::{CreateSchedule, ScheduleView};
use wire::{Code, Problem, operation};

/// Says a prompt by itself: by cron, at an interval, or once
///
/// Each time opens a new session in this workspace, unless -s or -c names one that is spoken to. An occurrence is a
/// prompt once or never: it is left out, with its reason, while the session has work, when the money is gone, or when
/// nobody was in the session for as long as --only-if-active says.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group(clap::ArgGroup::new("when").required(true).args(["cron", "every", "at", "within"])))]
pub(crate) struct Add {
    /// What is said
    #[arg(value_name = "PROMPT", required = true)]
    words: Vec<String>,

    /// Five fields (minute hour day month weekday), or @hourly, @daily, @weekly, @monthly, @yearly
    #[arg(long, value_name = "LINE")]
    cron: Option<String>,

    /// Every so often, from now on: 30m, 2h, 1d12h
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    every: Option<u64>,

    /// Once: a local time such as 2026-12-01T09:00, or one with its offset
    #[arg(long, value_name = "TIME")]
    at: Option<String>,

    /// Once, after so long: 10m, 2h
    #[arg(long = "in", value_name = "DURATION", value_parser = seconds)]
    within: Option<u64>,

    /// The time zone of --cron and --at, such as Europe/Berlin [default: the one that $TZ names, else the daemon's]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,

    /// Speak to the newest session of this workspace
    #[arg(short = 'c', long = "continue", conflicts_with = "session")]
    goes_on: bool,

    #[command(flatten)]
    which: Which,

    /// What to call it [default: the first words of the prompt]
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,

    /// What becomes of times at which no daemon ran: skip, one (the last stands for all), all (each, up to 24)
    /// [default: skip; one for --at and --in]
    #[arg(long, value_name = "RULE", value_parser = missed)]
    missed: Option<MissedRule>,

    /// The most that one run may spend, in US dollars
    #[arg(long, value_name = "USD", value_parser = money)]
    run_usd: Option<Money>,

    /// The most that all runs of a day (UTC) may spend, in US dollars
    #[arg(long, value_name = "USD", value_parser = money)]
    day_usd: Option<Money>,

    /// Only if a person was in the session within so long: 1d, 8h
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    only_if_active: Option<u64>,

    /// The model to ask (see `tinkerbell models ls`)
    #[arg(short, long, value_name = "NAME")]
    model: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  tinkerbell schedule add --cron \"0 9 * * 1-5\" \"what changed since yesterday?\"
  tinkerbell schedule add -c --every 30m --only-if-active 1d --day-usd 0.50 \"anything new?\"
  tinkerbell schedule add --at 2026-12-01T09:00 --zone Europe/Berlin \"write the monthly report\"
  tinkerbell schedule add --in 10m -s 0a1b2c3d \"go on\"";

impl Add {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let speaks_to = (self.goes_on || self.which.session.is_some()).then(|| self.which.find_id(&mut client));
        let session = speaks_to.transpose()?;
        let workspace = match session {
            Some(_) => None,
            None => Some(self.which.standing()?.workspace_name()?.to_owned()),
        };
        let by_clocks = self.cron.is_some() || self.at.is_some();
        let zone = match self.zone {
            None if by_clocks => of_here(std::env::var("TZ").ok())?,
            said => said,
        };
        let body = CreateSchedule {
            prompt: self.words.join(" "),
            name: self.name,
            cron: self.cron,
            every_s: self.every,
            at: self.at,
            in_s: self.within,
            zone,
            session,
            workspace,
            missed: self.missed,
            run_microusd: self.run_usd,
            day_microusd: self.day_usd,
            active_s: self.only_if_active,
            model: self.model.as_deref().map(ModelName::new),
        };
        let answer = client.call(&Request::new(&operation::SCHEDULE_CREATE)?.json(&body))?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let view: ScheduleView = answer.read()?;
        context.screen.out().line(&view.id.to_string())?;
        let place = match view.session {
            Some(session) => format!("speaks to {}", current::short(session)),
            None => "opens a new session each time".to_owned(),
        };
        let next = schedule_show::next(&view);
        context.screen.remark(FAINT, &format!("{}, next {next}; {place}", view.when))?;
        Ok(Exit::GOOD)
    }
}

/// The zone that `TZ` names; none where it is not set, and the daemon's counts. Rules of one's own have no name that a
/// schedule could keep.
fn of_here(tz: Option<String>) -> Result<Option<String>, Problem> {
    let Some(tz) = tz.filter(|tz| !tz.is_empty()) else { return Ok(None) };
    let named = tz.strip_prefix(':').unwrap_or(&tz);
    let name = match named.starts_with('/') {
        true => below_zoneinfo(Path::new(named)).or_else(|| below_zoneinfo(&std::fs::canonicalize(named).ok()?)),
        false => Some(named.to_owned()),
    };
    name.filter(|name| wire::time::is_zone(name)).map(Some).ok_or_else(|| {
        Problem::new(Code::InvalidRequest, format!("TZ is {tz:?}, which is the name of no time zone"))
            .remedy("name the zone of --cron or --at, such as --zone Europe/Berlin")
    })
}

/// The name of a zone whose file lies here.
fn below_zoneinfo(path: &Path) -> Option<String> {
    path.to_str()?.split_once("/zoneinfo/").map(|(_, name)| name.to_owned())
}

fn missed(text: &str) -> Result<MissedRule, String> {
    let all = [MissedRule::Skip, MissedRule::One, MissedRule::All];
    all.into_iter().find(|rule| rule.word() == text).ok_or_else(|| "say skip, one or all".to_owned())
}

fn money(text: &str) -> Result<Money, String> {
    const MOST_USD: f64 = 1e9;
    let amount: f64 = text.trim_start_matches('$').parse().map_err(|_| "say an amount such as 0.50".to_owned())?;
    match (0.0..=MOST_USD).contains(&amount) {
        true => Ok(Money((amount * 1e6).round() as u64)),
        false => Err(format!("an amount is 0 to {MOST_USD}")),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{SESSION, daemon, run};

    pub(super) fn view() -> String {
        serde_json::json!({
            "id": "sch_01kav9ft000000000000000008", "when": "every 30m", "status": "active", "session": SESSION,
            "missed": "skip", "created_at": "2025-11-23T09:00:00.000000Z", "spent_today_microusd": 0, "fired": 0,
            "skipped": 0, "missed_count": 0
        })
        .to_string()
    }

    #[test]
    fn a_heartbeat_is_made_as_it_is_typed() {
        let typed = ["schedule", "add", "--every", "30m", "--only-if-active", "1d", "--day-usd", "0.5", "-s", SESSION];
        let got = run(daemon(&[&view()]), &[&typed[..], &["anything", "new?"]].concat());
        assert_eq!(got.out, "sch_01kav9ft000000000000000008\n");
        assert_eq!(got.aside, "every 30m, next never; speaks to 00000007\n");
        assert!(got.heard[0].starts_with("POST /v1/schedules "), "{:?}", got.heard);
        for part in ["\"every_s\":1800", "\"active_s\":86400", "\"day_microusd\":500000", "anything new?", SESSION] {
            assert!(got.heard[0].contains(part), "{part}: {:?}", got.heard);
        }
    }

    #[test]
    fn the_zone_is_the_one_that_tz_names() {
        let of = |tz: &str| super::of_here(Some(tz.to_owned()));
        for (tz, name) in [
            ("Europe/Berlin", "Europe/Berlin"),
            ("EST5EDT", "EST5EDT"),
            (":UTC", "UTC"),
            ("/usr/share/zoneinfo/Asia/Kolkata", "Asia/Kolkata"),
        ] {
            assert_eq!(of(tz).unwrap().as_deref(), Some(name));
        }
        assert_eq!((of("").unwrap(), super::of_here(None).unwrap()), (None, None));
        for tz in ["CET-1CEST,M3.5.0,M10.5.0/3", ":/there/is/none", "Mars/Base"] {
            let problem = of(tz).unwrap_err();
            assert!(problem.detail.contains(tz) && problem.remedy.unwrap().contains("--zone"), "{}", problem.detail);
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("zoneinfo/Europe/Berlin");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "").unwrap();
        let link = dir.path().join("localtime");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(of(&format!(":{}", link.display())).unwrap().as_deref(), Some("Europe/Berlin"));
    }

    #[test]
    fn when_is_said_once() {
        use crate::arguments::parse_from;
        let parse = |typed: &[&str]| parse_from(["tinkerbell", "schedule", "add"].iter().chain(typed)).is_ok();
        assert!(!parse(&["hello"]) && !parse(&["--every", "1h", "--in", "1h", "hello"]));
        assert!(!parse(&["--every", "soon", "hello"]) && !parse(&["--in", "1h", "--missed", "some", "hello"]));
        assert!(parse(&["--in", "1h", "hello"]) && parse(&["--cron", "@daily", "--missed", "all", "hello"]));
    }
}
