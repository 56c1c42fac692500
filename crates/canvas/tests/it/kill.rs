//! `kill -9` at every step of an accept: afterwards it is settled, and every file is as before or every file is as
//! after.

use crate::world::*;
use agent::AcceptOutcome::{Conflict, Done};
use canvas::*;
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use wire::body::AcceptPlan;
use wire::*;

const KILL_AT: &str = "TINKERBELL_TEST_KILL_AT";
const PLACE: &str = "TINKERBELL_TEST_PLACE";
const SIGKILL: i32 = 9;

/// Not a test of its own: the process that is killed. Without the variables it has nothing to do.
#[test]
fn child() {
    let (Ok(at), Ok(place)) = (std::env::var(KILL_AT), std::env::var(PLACE)) else { return };
    let kill_at: usize = at.parse().unwrap();
    let place = Path::new(&place);
    let plan: AcceptPlan = body::read(&std::fs::read_to_string(place.join("plan")).unwrap()).unwrap();
    let tree = WorkTree::open(&place.join("root")).unwrap();
    let mut stages = 0;
    let accepted = execute(&tree, &plan, &blobs_in(place), &mut |stage| {
        stages += 1;
        if stages == kill_at {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
        }
        // The conflict variant: the user saves the last file when the one before it was exchanged.
        let spoiled = place.join("spoil");
        if let (Stage::Checked(path), Ok(after)) = (stage, std::fs::read_to_string(&spoiled))
            && path.as_str() == after
        {
            std::fs::write(place.join("root/z-last"), "the user's").unwrap();
        }
    });
    std::fs::write(place.join("stages"), stages.to_string()).unwrap();
    accepted.unwrap();
}

/// As [`child`], for the picture: it is killed when it reads its blobs for the Nth time, among the objects written.
#[test]
fn drawing_child() {
    let (Ok(at), Ok(place)) = (std::env::var(KILL_AT), std::env::var(PLACE)) else { return };
    let (kill_at, place): (usize, _) = (at.parse().unwrap(), Path::new(&place));
    let (inner, reads) = (blobs_in(place), std::sync::atomic::AtomicUsize::new(0));
    let blobs = Blobs::new(move |hash| {
        if reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == kill_at {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
        }
        inner.get(hash).map_err(std::io::Error::other)
    });
    let picture = Picture::new(place.join("picture"));
    for part in ["early", "fold"] {
        let text = std::fs::read_to_string(place.join(part)).unwrap();
        picture.draw(agent::SessionId::from_parts(1, 1), &serde_json::from_str(&text).unwrap(), &blobs).unwrap();
    }
}

/// R11: killed among the objects of a few commits (written singly) and of many (written as a pack).
#[test]
fn a_kill_while_drawing_leaves_a_picture_that_the_next_drawing_goes_on_with() {
    let mut world = World::in_memory();
    let place = world.outside().to_owned();
    for n in 0..20 {
        world.write(&format!("dir-{}/{n}", n % 3), &format!("text {n}"));
        if n == 4 {
            std::fs::write(place.join("early"), serde_json::to_string(&world.fold).unwrap()).unwrap();
        }
    }
    std::fs::write(place.join("fold"), serde_json::to_string(&world.fold).unwrap()).unwrap();
    std::fs::create_dir(place.join("blobs")).unwrap();
    for hash in world.fold.needed_blobs() {
        std::fs::write(place.join("blobs").join(hash.to_string()), world.store.blobs().get(hash).unwrap()).unwrap();
    }
    let session = agent::SessionId::from_parts(1, 1);
    let whole = Picture::new(place.join("whole")).log(session, &world.fold, &world.store.blobs()).unwrap();
    let mut trials = 0;
    for at in 1.. {
        let picture = Picture::new(place.join("picture"));
        picture.erase().unwrap();
        if !was_killed("kill::drawing_child", &place, at) {
            break;
        }
        trials += 1;
        assert_eq!(picture.log(session, &world.fold, &world.store.blobs()).unwrap(), whole, "killed at {at}");
        assert_eq!(git(picture.directory(), &["fsck", "--strict", "--no-dangling"]), "", "killed at {at}");
    }
    println!("{trials} kills while drawing, the same commits each time");
    assert!(trials >= 20, "{trials}");
}

fn blobs_in(place: &Path) -> Blobs {
    let place = place.join("blobs");
    Blobs::new(move |hash| std::fs::read(place.join(hash.to_string())))
}

/// Runs the child until it ends or is killed; says which.
fn was_killed(child: &str, place: &Path, at: usize) -> bool {
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--test-threads=1"])
        .env(KILL_AT, at.to_string())
        .env(PLACE, place)
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success() || status.signal() == Some(SIGKILL), "the child ended with {status}");
    !status.success()
}

struct Scene {
    world: World,
    plan: AcceptPlan,
    before: BTreeMap<String, Option<Vec<u8>>>,
    after: BTreeMap<String, Option<Vec<u8>>>,
}

/// Changes, creations in new directories and deletions; the new bytes of some begin with the old ones.
fn scene(files: usize, spoil: bool) -> Scene {
    let mut world = World::in_memory();
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    let mut edits: Vec<(String, Option<Contents>)> = Vec::new();
    for n in 0..files {
        let (name, old, new) = match n % 5 {
            0 => (format!("new-{}/deep/{n}", n % 3), None, Some(format!("made {n}"))),
            1 => (format!("gone/{n}"), Some(format!("old {n}")), None),
            2 => (format!("longer-{n}"), Some(format!("old {n}")), Some(format!("old {n} and more"))),
            3 => (format!("dir/shorter-{n}"), Some(format!("old {n} and more")), Some(format!("old {n}"))),
            _ => (format!("dir/{n}"), Some(format!("old {n}")), Some(format!("new {n}"))),
        };
        if let Some(old) = &old {
            world.save(&name, old);
        }
        edits.push((name.clone(), new.as_ref().map(regular)));
        before.insert(name.clone(), old.map(String::into_bytes));
        after.insert(name, new.map(String::into_bytes));
    }
    // A directory in the place of a file, and a file in that of a directory.
    for (name, old, new) in [
        ("turned", Some("old"), None),
        ("turned/into/directory", None, Some("new")),
        ("was/a/directory", Some("old"), None),
        ("was", None, Some("new")),
    ] {
        if let Some(old) = old {
            world.save(name, old);
        }
        edits.push((name.into(), new.map(regular)));
        before.insert(name.into(), old.map(Into::into));
        after.insert(name.into(), new.map(Into::into));
    }
    if spoil {
        world.save("z-last", "old");
        edits.push(("z-last".into(), Some(regular("new"))));
    }
    let edits: Vec<(&str, Option<Contents>)> =
        edits.iter().map(|(name, after)| (name.as_str(), after.clone())).collect();
    world.edit(&edits);
    let plan = world.plan(&Selection::All);
    let place = world.outside();
    std::fs::write(place.join("plan"), body::write(&plan)).unwrap();
    if spoil {
        let last = plan.files[plan.files.len() - 2].change.path.as_str();
        std::fs::write(place.join("spoil"), last).unwrap();
    }
    std::fs::create_dir(place.join("blobs")).unwrap();
    for hash in world.fold.needed_blobs() {
        std::fs::write(place.join("blobs").join(hash.to_string()), world.store.blobs().get(hash).unwrap()).unwrap();
    }
    Scene { world, plan, before, after }
}

impl Scene {
    fn found(&self) -> BTreeMap<String, Option<Vec<u8>>> {
        self.before.keys().map(|name| (name.clone(), self.world.on_disk(name))).collect()
    }

    /// At every instant each path has the whole old or the whole new bytes.
    fn assert_whole(&self, at: usize) {
        for (name, found) in self.found() {
            assert!(found == self.before[&name] || found == self.after[&name], "killed at {at}: {name} is {found:?}");
        }
    }

    fn settle(&self) -> Accepted {
        verify(&self.world.tree, &self.plan, &blobs_in(self.world.outside())).unwrap()
    }
}

#[test]
fn a_kill_at_any_step_leaves_every_file_as_before_or_every_file_as_after() {
    const FILES: usize = 50;
    let mut trials = 0;
    for at in 1.. {
        let scene = scene(FILES, false);
        if !was_killed("kill::child", scene.world.outside(), at) {
            break;
        }
        trials += 1;
        scene.assert_whole(at);
        let settled = scene.settle();
        assert_eq!((settled.outcome, settled.end.message.as_deref()), (Done, None), "killed at {at}");
        assert_eq!(scene.found(), scene.after, "killed at {at}");
        assert_eq!(scene.world.litter(), Vec::<std::path::PathBuf>::new(), "killed at {at}");
        assert_eq!(scene.settle(), settled, "settling is idempotent");
    }
    println!("{trials} kills over {FILES} files, 0 files in between, 0 mixed outcomes");
    assert!(trials > 3 * FILES, "{trials}");
}

/// The last file is in the way, so all is taken back; the kill comes at any step of going forward or back.
#[test]
fn a_kill_while_all_is_taken_back_leaves_every_file_as_before() {
    const FILES: usize = 15;
    let mut trials = 0;
    for at in 1.. {
        let scene = scene(FILES, true);
        if !was_killed("kill::child", scene.world.outside(), at) {
            assert_eq!(scene.found(), scene.before);
            break;
        }
        trials += 1;
        scene.assert_whole(at);
        let settled = scene.settle();
        // Before the user saved, nothing is in the way.
        let expected = match scene.world.on_disk("z-last").unwrap().as_slice() {
            b"the user's" => (Conflict, &scene.before),
            _ => (Done, &scene.after),
        };
        assert_eq!((settled.outcome, &scene.found()), expected, "killed at {at}: {:?}", settled.end.message);
        assert_eq!(scene.world.litter(), Vec::<std::path::PathBuf>::new(), "killed at {at}");
        assert_eq!(scene.settle().outcome, settled.outcome);
    }
    println!("{trials} kills over {FILES} files and one in the way, 0 files in between, 0 mixed outcomes");
    assert!(trials > 3 * FILES, "{trials}");
}
