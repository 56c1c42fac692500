//! As many schedules as there may be: what is over makes room.

use super::house::{World, run};
use agent::{Event, Seq};
use store::JournalId;
use wire::rest::{CreateSchedule, ScheduleStatus};
use wire::{Code, Header};

/// Schedules at a time.
const MOST: usize = 256;
const WORDS: &str = "a wish that nobody is to read for ever";

/// The daemon's events with their bodies.
async fn noted(world: &World) -> Vec<(Event, String)> {
    let records = world.registry.house().store.events(JournalId::Daemon, Seq(0), 2_000).await.unwrap();
    let event = |header: &str| Header::from_json(header).unwrap().event;
    records.into_iter().map(|record| (event(&record.header), record.body.unwrap_or_default())).collect()
}

async fn is_told(world: &World, words: &str) -> bool {
    noted(world).await.iter().any(|(_, body)| body.contains(words))
}

#[test]
fn what_makes_room_is_removed_and_its_words_are_forgotten() {
    run(async {
        let mut world = World::new().await;
        let place = world.dir.path().join("a-place-that-goes");
        std::fs::create_dir(&place).unwrap();
        let make = |r: &mut CreateSchedule| {
            (r.in_s, r.workspace) = (Some(60), Some(place.to_str().unwrap().to_owned()));
            r.prompt = WORDS.to_owned();
        };
        let over = world.add(make).await;
        std::fs::remove_dir(&place).unwrap();
        world.pass(60);
        // What is said about its occurrence has words as well.
        let view = world.until(over, |view| view.skipped == 1).await;
        let message = view.runs[0].message.clone().unwrap();
        assert_eq!(view.status, ScheduleStatus::Done);
        let workspace = world.workspace();
        let far = |r: &mut CreateSchedule| (r.in_s, r.workspace) = (Some(86_400), Some(workspace.clone()));
        for _ in 1..MOST {
            world.add(far).await;
        }
        assert!(world.view(over).await.prompt.is_some() && is_told(&world, WORDS).await);
        let newest = world.add(far).await;
        assert!(!is_told(&world, WORDS).await && !is_told(&world, &message).await);
        let removals = noted(&world).await;
        let removals = removals.iter().filter(|(event, _)| *event == Event::ScheduleRemoved { schedule: over });
        assert_eq!(removals.count(), 1);
        world.registry.house().store.verify(JournalId::Daemon).await.unwrap();
        world.restart().await;
        let schedules = &world.registry.house().schedules;
        assert_eq!(schedules.get(over).await.unwrap_err().code, Code::NotFound);
        assert_eq!((schedules.list().await.unwrap().schedules.len(), world.view(newest).await.id), (MOST, newest));
        // Nothing else is over.
        let mut request = CreateSchedule { prompt: "hello".to_owned(), ..CreateSchedule::default() };
        far(&mut request);
        assert_eq!(schedules.add(request).await.unwrap_err().code, Code::LimitReached);
        world.stop().await;
    });
}
