//! A daemon in this process, by a clock that the test sets.

use agent::{Micros, ScheduleId, SessionId};
use daemon::{Clock, Config, Parts, Registry, Surroundings, assemble_in, keep_schedules};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use store::Options;
use tempfile::TempDir;
use testkit::SetClock;
use wire::rest::{CreateSchedule, ScheduleView};

/// Longer than anything here takes that does not hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<SetClock>,
    /// What it shows, in seconds.
    pub(crate) now: i64,
    pub(crate) registry: Arc<Registry>,
}

/// The next full hour of the machine, so that what sessions write down is about as old as the test's clock says.
fn full_hour() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    now.div_euclid(3_600) * 3_600
}

pub(crate) async fn registry(dir: &Path, clock: &Arc<SetClock>) -> Arc<Registry> {
    registry_on(Options::default(), dir, clock).await
}

async fn registry_on(store: Options, dir: &Path, clock: &Arc<SetClock>) -> Arc<Registry> {
    let file = dir.join("config.toml");
    if !file.exists() {
        std::fs::create_dir_all(dir.join("work")).unwrap();
        std::fs::write(&file, "").unwrap();
    }
    let parts = Parts {
        config: Config::load(&file).unwrap(),
        state_dir: dir.join("state"),
        socket: dir.join("socket"),
        canvas_dir: dir.join("canvas"),
        store,
        tools: Vec::new(),
        models: vec![testkit::scripted()],
    };
    let surroundings = Surroundings { clock: Clock::of(clock.clone()), ..Surroundings::default() };
    assemble_in(surroundings, parts).await.unwrap()
}

pub(crate) fn keep(registry: &Arc<Registry>) {
    registry.house().tasks.spawn("schedules", keep_schedules(registry.clone()));
}

impl World {
    pub(crate) async fn new() -> World {
        World::on(Options::default()).await
    }

    /// One whose store is opened so.
    pub(crate) async fn on(store: Options) -> World {
        let (dir, now) = (TempDir::new().unwrap(), full_hour());
        let clock = SetClock::at(Micros(now * 1_000_000));
        let registry = registry_on(store, dir.path(), &clock).await;
        keep(&registry);
        World { dir, clock, now, registry }
    }

    /// Sets the clock so many seconds forward or back.
    pub(crate) fn pass(&mut self, seconds: i64) {
        self.now += seconds;
        self.clock.set(Micros(self.now * 1_000_000));
    }

    /// Ends the daemon in good order and starts the next one.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.registry = registry(self.dir.path(), &self.clock).await;
        keep(&self.registry);
    }

    pub(crate) async fn stop(&self) {
        let house = self.registry.house();
        house.stop.cancel();
        house.tasks.finished().await;
        house.store.clone().close().await;
    }

    pub(crate) fn workspace(&self) -> String {
        self.dir.path().join("work").to_str().unwrap().to_owned()
    }

    pub(crate) async fn session(&self) -> SessionId {
        self.registry.create(&self.workspace(), Some("a".into()), None, None).await.unwrap().session
    }

    pub(crate) async fn add(&self, change: impl FnOnce(&mut CreateSchedule)) -> ScheduleId {
        let mut request = CreateSchedule { prompt: "hello".to_owned(), ..CreateSchedule::default() };
        change(&mut request);
        self.registry.house().schedules.add(request).await.unwrap().id
    }

    pub(crate) async fn view(&self, id: ScheduleId) -> ScheduleView {
        self.registry.house().schedules.get(id).await.unwrap()
    }

    /// Looks until the schedule is as wanted and nothing of it goes on.
    pub(crate) async fn until(&self, id: ScheduleId, wanted: impl Fn(&ScheduleView) -> bool) -> ScheduleView {
        let began = Instant::now();
        loop {
            let view = self.view(id).await;
            if view.status != wire::rest::ScheduleStatus::Running && wanted(&view) {
                return view;
            }
            assert!(began.elapsed() < PATIENCE, "waited in vain: {view:#?}");
            tokio::task::yield_now().await;
        }
    }

    /// As it is when the keeper has surely looked at the clock: it looks before each question it answers after the next.
    pub(crate) async fn looked(&self, id: ScheduleId) -> ScheduleView {
        self.view(id).await;
        self.view(id).await
    }
}

pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test);
}
