//! Commits that are not made: said aloud, before anything is written where it can be known, and nothing left behind.

use crate::committing::*;
use crate::world::*;
use canvas::*;
use std::time::Duration;
use wire::*;

/// The error of a check, which must be that of the commit as well.
fn refusal(repo: &Repo, names: &[&str]) -> CommitError {
    let paths: Vec<RelPath> = names.iter().map(|name| path(name)).collect();
    let index = || std::fs::read(repo.at().join(".git/index")).ok();
    let before = index();
    let checked = repo.check(names).unwrap_err();
    let made = repo.commit(&paths, "message").unwrap_err();
    assert_eq!(checked.to_string(), made.to_string());
    assert_eq!(index(), before, "nothing is written");
    checked
}

#[test]
fn without_git_or_a_repository_there_is_no_commit() {
    let mut repo = Repo::new();
    repo.options.program = "/nowhere/git".into();
    assert!(matches!(refusal(&repo, &["a"]), CommitError::NoGit { .. }));
    repo.options.program = "git".into();
    let plain = World::new();
    let error = check_commit(&plain.at, &[path("a")], "m", &repo.options).unwrap_err();
    assert!(
        matches!(&error, CommitError::NotARepository { words, .. } if words.contains("not a git repository")),
        "{error}"
    );
    let inside = check_commit(&repo.at().join(".git"), &[path("a")], "m", &repo.options).unwrap_err();
    assert!(matches!(inside, CommitError::NoWorkTree { .. }), "{inside}");
    let gone = check_commit(&plain.at.join("gone"), &[path("a")], "m", &repo.options).unwrap_err();
    assert!(matches!(gone, CommitError::Io { .. }), "{gone}");
}

#[test]
fn in_the_middle_of_something_there_is_no_commit() {
    let operations: [(&[&str], Operation); 4] = [
        (&["merge", "side"], Operation::Merge),
        (&["cherry-pick", "side"], Operation::CherryPick),
        (&["revert", "HEAD~1"], Operation::Revert),
        (&["rebase", "side"], Operation::Rebase),
    ];
    for (arguments, operation) in operations {
        let repo = Repo::new();
        repo.git(&["checkout", "-q", "-b", "side"]);
        repo.world.save("a", "theirs\n");
        repo.git(&["commit", "-qam", "side"]);
        repo.git(&["checkout", "-q", "main"]);
        for text in ["ours\n", "ours again\n"] {
            repo.world.save("a", text);
            repo.git(&["commit", "-qam", "main"]);
        }
        let mut command = std::process::Command::new("git");
        command.args(arguments).current_dir(repo.at()).env_clear().envs(&repo.options.environment);
        assert!(!command.output().unwrap().status.success(), "it stops at a conflict");
        let error = refusal(&repo, &["b"]);
        assert!(matches!(error, CommitError::InProgress(found) if found == operation), "{error}");
        repo.is_sound();
    }
}

#[test]
fn conflicts_in_the_index_are_the_users_to_resolve() {
    let repo = Repo::new();
    repo.world.save("b", "stashed\n");
    repo.git(&["stash", "-q"]);
    repo.world.save("b", "committed\n");
    repo.git(&["commit", "-qam", "in between"]);
    let mut command = std::process::Command::new("git");
    command.args(["stash", "pop"]).current_dir(repo.at()).env_clear().envs(&repo.options.environment);
    assert!(!command.output().unwrap().status.success());
    assert!(matches!(refusal(&repo, &["a"]), CommitError::Unmerged { path } if path == "b"));
}

#[test]
fn what_is_staged_otherwise_is_the_users_to_commit() {
    let repo = Repo::new();
    repo.world.save("dir/c", "staged\n");
    repo.git(&["add", "dir/c"]);
    repo.git(&["rm", "-q", "--cached", "b"]);
    repo.world.save("new", "staged\n");
    repo.git(&["add", "new"]);
    for name in ["dir/c", "b", "new"] {
        assert!(matches!(refusal(&repo, &["a", name]), CommitError::Staged { path } if path == name), "{name}");
    }
    repo.world.save("a", "A\n");
    repo.commit(&[path("a")], "the others are in nobody's way").unwrap();
    assert_eq!(repo.files_of_head(), ["M a"]);
    let unborn = Repo::unborn();
    unborn.world.save("a", "A\n");
    unborn.git(&["add", "a"]);
    assert!(matches!(refusal(&unborn, &["a"]), CommitError::Staged { path } if path == "a"));
}

#[test]
fn ignored_paths_and_those_of_other_repositories_are_not_committed() {
    let repo = Repo::new();
    repo.world.save(".gitignore", "/target/\n*.log\n");
    repo.world.save("kept.log", "known all the same\n");
    repo.git(&["add", "-f", ".gitignore", "kept.log"]);
    repo.git(&["commit", "-qm", "ignore"]);
    assert!(matches!(refusal(&repo, &["a", "target/x"]), CommitError::Ignored { path } if path == "target/x"));
    assert!(repo.check(&["kept.log"]).is_ok(), "git knows it, so it is not ignored");
    // The user's own list of ignored names counts as well.
    repo.world.save("../home/.config/git/ignore", "*.mine\n");
    assert!(matches!(refusal(&repo, &["x.mine"]), CommitError::Ignored { .. }));

    let other = Repo::new();
    let url = other.at().to_str().unwrap();
    repo.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, "su[b]"]);
    repo.git(&["commit", "-qm", "submodule"]);
    let error = refusal(&repo, &["a", "su[b]/dir/c"]);
    assert!(matches!(&error, CommitError::Submodule { inside, .. } if *inside == path("su[b]")), "{error}");
    // One that is not checked out has no `.git` in it, and one that just lies there is in no index.
    repo.git(&["submodule", "--quiet", "deinit", "-f", "--all"]);
    assert!(matches!(refusal(&repo, &["su[b]/x"]), CommitError::Submodule { .. }));
    git_with(repo.at(), &repo.options, &["init", "-q", "nested"]);
    assert!(matches!(refusal(&repo, &["nested/x"]), CommitError::Submodule { .. }));
    assert!(repo.check(&["su", "sub/x"]).is_ok());
}

#[test]
fn a_lock_a_missing_name_and_a_bad_message_are_said() {
    let repo = Repo::new();
    let lock = repo.at().join(".git/index.lock");
    std::fs::write(&lock, "").unwrap();
    assert!(matches!(refusal(&repo, &["a"]), CommitError::Locked { at } if at == lock));
    std::fs::remove_file(lock).unwrap();
    for (message, said) in [("", "empty"), (" \n", "empty"), ("a\0b", "NUL")] {
        let error = check_commit(repo.at(), &[path("a")], message, &repo.options).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    assert!(matches!(check_commit(repo.at(), &[], "m", &repo.options), Err(CommitError::Nothing)));
    repo.git(&["config", "--global", "--unset", "user.email"]);
    repo.git(&["config", "user.useConfigOnly", "true"]);
    assert!(matches!(refusal(&repo, &["a"]), CommitError::NoIdentity { .. }));
}

#[test]
fn a_hook_that_says_no_leaves_the_index_as_it_was() {
    let mut repo = Repo::new();
    repo.world.save("b", "staged\n");
    repo.git(&["add", "b"]);
    repo.hook("pre-commit", "echo 'no tabs, \x1b[31mplease'; echo in the files >&2; exit 3");
    let paths = repo.accept(&[("a", Some("A\n")), ("dir/c", None), ("new", Some("N\n"))]);
    let (head, entries) = (repo.head(), repo.index_without(&[]));
    let error = repo.commit(&paths, "refused").unwrap_err();
    let CommitError::Refused { words } = &error else { panic!("{error}") };
    assert!(words.contains("no tabs,  [31mplease") && words.contains("in the files"), "{words:?}");
    assert_eq!((repo.head(), repo.index_without(&[])), (head, entries));
    assert_eq!(repo.world.on_disk("a").unwrap(), b"A\n", "files stay accepted");
    assert_eq!(repo.git(&["status", "--short"]), " M a\nM  b\n D dir/c\n?? new\n");
    repo.is_sound();
    repo.hook("pre-commit", "exit 0");
    repo.commit(&paths, "allowed").unwrap();
    assert_eq!(repo.files_of_head(), ["M a", "D dir/c", "A new"]);
}

#[test]
fn what_hooks_change_of_a_commit_is_told() {
    let mut repo = Repo::new();
    repo.hook("pre-commit", "echo formatted > a; git add a; echo more > more; git add more");
    repo.hook("commit-msg", "echo >> $1; echo 'Change-Id: I1' >> $1");
    repo.hook("prepare-commit-msg", "test -z \"$ANTHROPIC_API_KEY\" || exit 1; test -z \"$GIT_LITERAL_PATHSPECS\"");
    let paths = repo.accept(&[("a", Some("A\n")), ("b", Some("B\n"))]);
    let made = repo.commit(&paths, "message").unwrap();
    assert_eq!(made.notes, ["a hook added to the commit: more"]);
    assert_eq!(repo.git(&["show", "HEAD:a"]), "formatted\n");
    assert_eq!(committed_already(repo.at(), &paths, "message", &repo.options).unwrap(), Some(made.id));
    repo.is_sound();
    repo.hook(
        "pre-commit",
        "echo formatted > other; git update-index --cacheinfo 100644,$(git hash-object -w other),b",
    );
    let paths = repo.accept(&[("b", Some("BB\n"))]);
    let made = repo.commit(&paths, "message").unwrap();
    assert!(made.notes[0].ends_with("not as in the work tree: b"), "{:?}", made.notes);
    repo.is_sound();
}

#[test]
fn a_commit_that_cannot_be_signed_is_not_made() {
    let mut repo = Repo::new();
    repo.world.save("../gpg", "#!/bin/sh\necho 'no secret key' >&2\nexit 2\n");
    repo.world.executable("../gpg");
    repo.git(&["config", "commit.gpgSign", "true"]);
    repo.git(&["config", "gpg.program", repo.world.outside().join("gpg").to_str().unwrap()]);
    let paths = repo.accept(&[("new", Some("N\n"))]);
    let (head, entries) = (repo.head(), repo.index_without(&[]));
    let error = repo.commit(&paths, "signed").unwrap_err();
    assert!(matches!(&error, CommitError::Refused { words } if words.contains("failed to sign")), "{error}");
    assert_eq!((repo.head(), repo.index_without(&[])), (head, entries));
    repo.is_sound();
}

#[test]
fn a_hook_without_end_is_ended_with_all_that_it_started() {
    let mut repo = Repo::new();
    let sign = repo.world.outside().join("alive");
    let script = format!("trap '' TERM; yes >&2 & mkfifo '{0}'; read line < '{0}'", sign.display());
    repo.hook("pre-commit", &script);
    repo.options.limit = Duration::from_secs(5);
    let paths = repo.accept(&[("new", Some("N\n"))]);
    let (head, entries) = (repo.head(), repo.index_without(&[]));
    let error = repo.commit(&paths, "never").unwrap_err();
    let CommitError::TimedOut { words, .. } = &error else { panic!("{error}") };
    assert!(words.starts_with("y\ny\n") && words.len() <= 20_000, "what a flood says is bounded: {}", words.len());
    assert_eq!((repo.head(), repo.index_without(&[])), (head, entries));
    // Nobody is left to read from it, so it cannot be opened to write.
    let opened =
        rustix::fs::open(&sign, rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK, rustix::fs::Mode::empty());
    assert_eq!(opened.unwrap_err(), rustix::io::Errno::NXIO);
    repo.is_sound();
}

/// What comes after the commit cannot unmake it, however it ends.
#[test]
fn a_commit_that_was_made_before_something_failed_is_made() {
    let mut repo = Repo::new();
    repo.hook("post-commit", "read line < /dev/zero");
    repo.options.limit = Duration::from_secs(5);
    let paths = repo.accept(&[("a", Some("A\n")), ("new", Some("N\n"))]);
    let made = repo.commit(&paths, "made").unwrap();
    assert_eq!((made.id, made.summary.as_str()), (repo.head(), "made"));
    assert_eq!(repo.git(&["status", "--short"]), "");
    repo.is_sound();
}

/// An accept of one hunk would else commit the user's own lines beside it.
#[test]
fn what_the_user_changed_himself_is_not_committed_for_him() {
    let repo = Repo::new();
    repo.world.save("a", "his own\n");
    repo.world.save("mine", "untracked\n");
    std::fs::remove_file(repo.at().join("dir/c")).unwrap();
    for name in ["a", "mine", "dir/c"] {
        let error = repo.check(&["b", name]).unwrap_err();
        assert!(matches!(&error, CommitError::Changed { path } if path == name), "{error}");
    }
    let expected =
        "a has changes of your own that are not committed; commit or stash them first, or accept without --commit";
    assert_eq!(repo.check(&["a"]).unwrap_err().to_string(), expected);
    assert!(repo.check(&["b", "new"]).is_ok());
}
