//! From what somebody asks for to a rule that holds: all that can be wrong is said before anything is written.

use super::keeper::Keeper;
use super::when::{When, zone};
use crate::registry::{Registry, real_workspace};
use crate::session::{no_such_session, title_of, titled};
use agent::{MissedRule, ScheduleRule, UnixSeconds};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use wire::body;
use wire::rest::CreateSchedule;
use wire::{Code, Problem};

/// The longest prompt of a schedule; it is said again and again, so what is longer belongs into a file.
const PROMPT_BYTES: usize = 16 << 10;
/// The longest cron line.
const CRON_BYTES: usize = 128;
/// The shortest interval.
const LEAST_EVERY_S: u64 = 60;
/// The longest interval, and the furthest moment.
const MOST_S: u64 = 10 * 366 * 86_400;
/// What to do about a zone.
const NAME_ZONE: &str = "say `--zone` as the IANA names it, such as Europe/Berlin or UTC";

impl Keeper {
    /// The rule and the words of a new schedule.
    pub(super) async fn read(&self, request: CreateSchedule) -> Result<(ScheduleRule, body::Schedule), Problem> {
        let now = UnixSeconds::from(self.clock.now());
        let mut rule = rule(&request, now)?;
        let when = When::of(&rule, now).map_err(|error| {
            invalid(error.to_string(), "five fields (minute hour day month weekday), or @hourly, @daily, @weekly …")
        })?;
        if when.after(now).is_none() {
            return Err(invalid("it would never be due".to_owned(), "name a time that is still to come"));
        }
        let words = words(&self.registry, &request).await?;
        if let Some(name) = &request.model {
            self.registry.house().catalog.learn(name).await?;
        }
        if !self.fold.has_room() {
            let detail = format!("there are {} schedules already, the most that there may be", super::fold::MOST);
            return Err(Problem::new(Code::LimitReached, detail).remedy("remove one with `tinkerbell schedule rm`"));
        }
        rule.model = request.model;
        Ok((rule, words))
    }
}

/// What can be said without looking at anything else.
fn rule(request: &CreateSchedule, now: UnixSeconds) -> Result<ScheduleRule, Problem> {
    let said = [request.cron.is_some(), request.every_s.is_some(), request.at.is_some(), request.in_s.is_some()];
    if said.into_iter().filter(|said| *said).count() != 1 {
        let detail = "exactly one of cron, every_s, at and in_s says when a schedule is due".to_owned();
        return Err(invalid(detail, "say when, once"));
    }
    let bounded = |what: &str, seconds: u64, least: u64| match (least..=MOST_S).contains(&seconds) {
        true => Ok(seconds),
        false => Err(invalid(format!("{what} is {seconds} s; it may be {least} to {MOST_S} s"), "choose another")),
    };
    let every_s = request.every_s.map(|seconds| bounded("the interval", seconds, LEAST_EVERY_S)).transpose()?;
    let in_s = request.in_s.map(|seconds| bounded("the time until then", seconds, 1)).transpose()?;
    let active_s = request.active_s.map(|seconds| bounded("the time without a person", seconds, 1)).transpose()?;
    if request.cron.as_ref().is_some_and(|cron| cron.len() > CRON_BYTES) {
        return Err(invalid(format!("a cron line has at most {CRON_BYTES} bytes"), "make two schedules of it"));
    }
    if active_s.is_some() && request.session.is_none() {
        let detail = "a schedule that opens new sessions has none in which a person could be active".to_owned();
        return Err(invalid(detail, "name a session, or leave that condition out"));
    }
    if request.zone.is_some() && request.cron.is_none() && request.at.is_none() {
        return Err(invalid("a zone belongs to cron or at".to_owned(), "leave it out"));
    }
    let zone = match &request.cron {
        Some(_) => Some(zone_name(&known_zone(request.zone.as_deref())?, now)?),
        None => None,
    };
    let at = request.at.as_deref().map(|at| moment(at, request.zone.as_deref())).transpose()?;
    let once = at.or(in_s.map(|seconds| UnixSeconds(now.0.saturating_add(seconds as i64))));
    // What is asked for once is meant, also where the machine slept at that moment.
    let missed = request.missed.unwrap_or(if once.is_some() { MissedRule::One } else { MissedRule::Skip });
    let (run_microusd, day_microusd) = (request.run_microusd, request.day_microusd);
    let (cron, session) = (request.cron.clone(), request.session);
    Ok(ScheduleRule { cron, zone, every_s, once, session, missed, run_microusd, day_microusd, active_s, model: None })
}

fn known_zone(name: Option<&str>) -> Result<TimeZone, Problem> {
    zone(name).map_err(|error| invalid(error.to_string(), NAME_ZONE))
}

/// The zone's name, written down so that a machine that moves keeps its schedules. A machine's zone may have none: where
/// it is a file that was copied, or a rule in $TZ.
fn zone_name(zone: &TimeZone, now: UnixSeconds) -> Result<String, Problem> {
    match zone.iana_name() {
        Some(name) => Ok(name.to_owned()),
        None if is_utc(zone, now) => Ok("UTC".to_owned()),
        None => Err(invalid("the machine's zone has no name".to_owned(), NAME_ZONE)),
    }
}

/// Whether clocks of a zone show UTC from now on, whatever it is called.
fn is_utc(zone: &TimeZone, now: UnixSeconds) -> bool {
    let stays_so = |now: Timestamp| zone.to_offset(now) == Offset::UTC && zone.following(now).next().is_none();
    Timestamp::from_second(now.0).is_ok_and(stays_so)
}

/// A moment: with its offset, or as clocks of the zone show it. In a gap, the time after it; where clocks show it
/// twice, the first.
fn moment(text: &str, name: Option<&str>) -> Result<UnixSeconds, Problem> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(UnixSeconds(at.as_second()));
    }
    let zone = known_zone(name)?;
    let local = text.parse::<DateTime>().ok().and_then(|local| zone.to_ambiguous_timestamp(local).compatible().ok());
    let local = local.ok_or_else(|| invalid(format!("{text:?} is no time"), "write it as 2026-12-01T09:00"))?;
    Ok(UnixSeconds(local.as_second()))
}

/// The words, without keys, and where they are said.
async fn words(registry: &Registry, request: &CreateSchedule) -> Result<body::Schedule, Problem> {
    let house = registry.house();
    let secrets = house.catalog.current().secrets.clone();
    if request.prompt.trim().is_empty() {
        return Err(invalid("the prompt is empty".to_owned(), "say what is to be said"));
    }
    let prompt = secrets.mask(&request.prompt).into_owned();
    if prompt.len() > PROMPT_BYTES {
        let detail = format!("the prompt has {} bytes; the most is {PROMPT_BYTES}", prompt.len());
        return Err(Problem::new(Code::TooLarge, detail).remedy("put the text into a file and name the file"));
    }
    let name = match &request.name {
        Some(name) => titled(name, &secrets)?,
        None => title_of(&prompt),
    };
    let workspace = match (request.session, &request.workspace) {
        (Some(_), Some(_)) | (None, None) => {
            let detail = "a schedule speaks to one session, or opens new ones in a workspace".to_owned();
            return Err(invalid(detail, "name one of the two"));
        }
        (None, Some(workspace)) => Some(real_workspace(workspace)?),
        (Some(session), None) => {
            let found = house.store.session(session).await;
            let found = found.map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
            found.ok_or_else(|| no_such_session(session))?;
            None
        }
    };
    if let Some(key) = workspace.as_ref().and_then(|path| secrets.holds(path.as_bytes())) {
        let detail = format!("the path of the workspace holds the key {key}, and it would be written down");
        return Err(Problem::new(Code::BadWorkspace, detail).remedy("give the directory another name"));
    }
    Ok(body::Schedule { name, prompt, workspace })
}

fn invalid(detail: String, remedy: &str) -> Problem {
    Problem::new(Code::InvalidRequest, detail).remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(change: impl FnOnce(&mut CreateSchedule)) -> Result<ScheduleRule, Problem> {
        let mut request = CreateSchedule { prompt: "hello".to_owned(), ..CreateSchedule::default() };
        change(&mut request);
        rule(&request, UnixSeconds(1_000))
    }

    #[test]
    fn one_thing_says_when_and_each_is_bounded() {
        assert!(asked(|_| {}).is_err());
        assert!(asked(|r| (r.every_s, r.in_s) = (Some(60), Some(60))).is_err());
        assert!(asked(|r| r.every_s = Some(59)).is_err());
        assert!(asked(|r| (r.every_s, r.zone) = (Some(60), Some("UTC".into()))).is_err());
        assert!(asked(|r| r.cron = Some("*".repeat(200))).is_err());
        assert!(asked(|r| (r.every_s, r.active_s) = (Some(60), Some(60))).is_err());
        let once = asked(|r| r.in_s = Some(600)).unwrap();
        assert_eq!((once.once, once.missed), (Some(UnixSeconds(1_600)), MissedRule::One));
        let cron = asked(|r| (r.cron, r.zone) = (Some("@daily".into()), Some("Europe/Berlin".into()))).unwrap();
        assert_eq!((cron.zone.as_deref(), cron.missed), (Some("Europe/Berlin"), MissedRule::Skip));
    }

    #[test]
    fn a_zone_without_a_name_is_refused_unless_it_is_utc() {
        let name = |zone: TimeZone| zone_name(&zone, UnixSeconds(1_796_112_000));
        assert_eq!(name(TimeZone::get("Europe/Berlin").unwrap()).unwrap(), "Europe/Berlin");
        for utc in ["UTC0", "GMT0"] {
            assert_eq!(name(TimeZone::posix(utc).unwrap()).unwrap(), "UTC", "{utc}");
        }
        // London's is UTC in winter alone.
        for rule in ["CET-1CEST,M3.5.0,M10.5.0/3", "GMT0BST,M3.5.0/1,M10.5.0", "JST-9"] {
            let problem = name(TimeZone::posix(rule).unwrap()).unwrap_err();
            assert_eq!(problem.code, Code::InvalidRequest, "{rule}");
            assert!(problem.remedy.unwrap().contains("--zone"), "{rule}");
        }
    }

    #[test]
    fn a_moment_is_as_the_clocks_of_its_zone_show_it() {
        let at = |text: &str, zone| moment(text, Some(zone)).map(|at| at.0);
        assert_eq!(at("2026-12-01T09:00", "Europe/Berlin").unwrap(), 1_796_112_000);
        assert_eq!(at("2026-12-01 09:00:00", "UTC").unwrap(), 1_796_115_600);
        assert_eq!(at("2026-12-01T09:00:00+01:00", "UTC").unwrap(), 1_796_112_000);
        // A gap: 2:30 does not exist, so it is 3:30.
        assert_eq!(at("2026-03-29T02:30", "Europe/Berlin").unwrap(), 1_774_747_800);
        assert!(at("tomorrow", "UTC").is_err() && at("2026-12-01T09:00", "Nowhere/City").is_err());
    }
}
