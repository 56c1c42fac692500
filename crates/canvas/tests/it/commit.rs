//! Accept with a commit, in real repositories: what it commits, and what it leaves as it is.

use crate::committing::*;
use crate::world::*;
use canvas::*;
use std::path::PathBuf;
use wire::*;

#[test]
fn the_accepted_paths_are_committed_and_every_other_entry_stays() {
    let mut repo = Repo::new();
    // The user has something staged, something changed, and something that git does not know.
    repo.world.save("b", "staged\n");
    repo.git(&["add", "b"]);
    repo.world.save("b", "staged and changed\n");
    repo.world.save("mine", "untracked\n");
    let names = ["a", "dir/c", "new/deep/file", "run"];
    assert!(repo.check(&names).is_ok());
    let others = repo.index_without(&names);
    let script = Contents { bytes: b"#!/bin/sh\n".to_vec(), mode: Mode::Executable };
    repo.world.edit(&[("run", Some(script))]);
    let mut paths = repo.accept(&[("a", Some("A\n")), ("dir/c", None), ("new/deep/file", Some("made\n"))]);
    paths.push(path("run"));
    let first = repo.head();
    let made = repo.commit(&paths, "accept: four files\n\nwith a reason  \n\n").unwrap();
    assert_eq!(
        made,
        Committed { id: repo.head(), branch: Some("main".into()), summary: "accept: four files".into(), notes: vec![] }
    );
    assert_eq!(repo.git(&["rev-parse", "HEAD^"]).trim(), first);
    assert_eq!(repo.files_of_head(), ["M a", "D dir/c", "A new/deep/file", "A run"]);
    assert_eq!(repo.git(&["log", "-1", "--format=%an %ae|%B"]), "u u@u|accept: four files\n\nwith a reason\n\n");
    assert_eq!(repo.index_without(&names), others);
    assert_eq!(repo.git(&["status", "--short"]), "MM b\n?? mine\n");
    assert_eq!(repo.git(&["ls-files", "--stage", "run"]).get(..6), Some("100755"));
    repo.is_sound();
}

#[test]
fn whether_it_was_made_is_told_after_a_kill() {
    let mut repo = Repo::new();
    let paths = repo.accept(&[("a", Some("A\n")), ("new", Some("made\n"))]);
    let already = |repo: &Repo, message| committed_already(repo.at(), &paths, message, &repo.options).unwrap();
    assert_eq!(already(&repo, "first"), None, "the words are the same, the paths are not");
    let made = repo.commit(&paths, "second").unwrap();
    assert_eq!(already(&repo, "second"), Some(made.id));
    assert_eq!(already(&repo, "another"), None);
    assert!(matches!(repo.commit(&paths, "second"), Err(CommitError::Nothing)), "it is not made twice");
    repo.world.save("a", "changed since\n");
    assert_eq!(already(&repo, "second"), None);
    // Killed between the two steps of ours: new files are entered in the index, without contents.
    repo.world.save("more", "made\n");
    repo.git(&["add", "--intent-to-add", "more"]);
    let paths = [path("more")];
    let made = repo.commit(&paths, "third").unwrap();
    assert_eq!(repo.files_of_head(), ["A more"]);
    assert_eq!(committed_already(repo.at(), &paths, "third", &repo.options).unwrap(), Some(made.id));
    repo.is_sound();
}

#[test]
fn the_first_commit_of_a_repository_holds_what_was_accepted() {
    let mut repo = Repo::unborn();
    repo.world.save("mine", "staged\n");
    assert_eq!(committed_already(repo.at(), &[path("a")], "m", &repo.options).unwrap(), None);
    let paths = repo.accept(&[("a", Some("A\n"))]);
    repo.git(&["add", "mine"]);
    let made = repo.commit(&paths, "begin").unwrap();
    assert_eq!(repo.git(&["ls-tree", "-r", "--name-only", "HEAD"]), "a\n");
    assert_eq!((made.branch.as_deref(), repo.git(&["status", "--short"]).as_str()), (Some("main"), "A  mine\n"));
    assert_eq!(committed_already(repo.at(), &paths, "begin", &repo.options).unwrap(), Some(made.id));
    repo.is_sound();
}

#[test]
fn paths_with_odd_names_are_taken_by_the_letter() {
    let mut repo = Repo::new();
    let odd = [
        "*",
        "[ab]",
        "a?",
        ":(top)b",
        ":!a",
        "-f",
        "--all",
        "new\nline",
        "tab\there",
        " space ",
        "ünïcode/ß",
        "\\back",
        "\"quoted\"",
        "#hash",
        "!bang",
        "dir/*.rs",
    ];
    for name in odd {
        repo.world.save(name, "before\n");
    }
    for name in ["b", "dir/c", "dir/x.rs", "aa"] {
        repo.world.save(name, "the user's\n");
    }
    repo.git(&["--literal-pathspecs", "add", "--", odd[0], odd[1]]);
    repo.git(&["commit", "-qm", "some are known"]);
    let names: Vec<_> = odd.iter().map(|name| (*name, Some("after\n"))).collect();
    let paths = repo.accept(&names);
    repo.commit(&paths, "odd").unwrap();
    let mut committed: Vec<String> = repo.files_of_head().into_iter().map(|line| line[2..].to_owned()).collect();
    committed.sort();
    let mut expected: Vec<String> = odd.iter().map(|name| (*name).to_owned()).collect();
    expected.sort();
    assert_eq!(committed, expected);
    assert_eq!(repo.git(&["status", "--short", "--untracked-files=all"]), " M b\n M dir/c\n?? aa\n?? dir/x.rs\n");
    repo.is_sound();
}

#[test]
fn a_workspace_below_the_root_commits_what_lies_in_it() {
    let repo = Repo::new();
    repo.world.save("a", "staged by the user\n");
    repo.git(&["add", "a"]);
    let inner = repo.at().join("dir");
    let tree = WorkTree::open(&inner).unwrap();
    check_commit(&inner, &[path("c"), path("a")], "m", &repo.options).unwrap();
    std::fs::write(inner.join("c"), "C\n").unwrap();
    std::fs::write(inner.join("a"), "another a\n").unwrap();
    assert_eq!(tree.at(), inner);
    let paths = [path("c"), path("a")];
    let made = commit(&inner, &paths, "inner", &repo.options).unwrap();
    assert_eq!(made.notes, Vec::<String>::new());
    assert_eq!(repo.files_of_head(), ["A dir/a", "M dir/c"]);
    assert_eq!(repo.git(&["status", "--short"]), "M  a\n");
    assert_eq!(committed_already(&inner, &paths, "inner", &repo.options).unwrap(), Some(made.id));
    repo.hook("pre-commit", "echo more > more; git add more");
    std::fs::write(inner.join("c"), "C again\n").unwrap();
    let made = commit(&inner, &paths, "inner", &repo.options).unwrap();
    assert_eq!(made.notes, ["a hook added to the commit: :/more"]);
    repo.is_sound();
}

#[test]
fn in_a_linked_work_tree_its_own_branch_moves() {
    let repo = Repo::new();
    let linked = repo.world.outside().join("linked");
    repo.git(&["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
    std::fs::write(linked.join("a"), "A\n").unwrap();
    let main = repo.head();
    let made = commit(&linked, &[path("a")], "in the side", &repo.options).unwrap();
    assert_eq!(made.branch.as_deref(), Some("side"));
    assert_eq!(repo.head(), main);
    assert_eq!(repo.git(&["rev-parse", "side"]).trim(), made.id);
    let lock =
        PathBuf::from(git_with(&linked, &repo.options, &["rev-parse", "--absolute-git-dir"]).trim()).join("index.lock");
    std::fs::write(&lock, "").unwrap();
    let error = check_commit(&linked, &[path("a")], "m", &repo.options).unwrap_err();
    assert!(matches!(&error, CommitError::Locked { at } if *at == lock), "{error}");
    assert!(repo.check(&["a"]).is_ok());
    repo.is_sound();
}

#[test]
fn a_detached_head_takes_the_commit_and_it_is_said() {
    let mut repo = Repo::new();
    repo.git(&["checkout", "-q", "--detach"]);
    let paths = repo.accept(&[("a", Some("A\n"))]);
    let made = repo.commit(&paths, "nowhere").unwrap();
    assert_eq!((made.branch, made.notes.len()), (None, 1));
    assert_ne!(repo.git(&["rev-parse", "main"]).trim(), repo.head());
}

#[test]
fn line_endings_and_filters_are_those_that_git_applies() {
    let mut repo = Repo::new();
    repo.world.save(".gitattributes", "*.txt text eol=crlf\n*.up filter=up\n");
    repo.git(&["config", "filter.up.clean", "tr a-z A-Z"]);
    repo.git(&["config", "core.autocrlf", "true"]);
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-qm", "attributes"]);
    let paths = repo.accept(&[("w.txt", Some("one\r\ntwo\r\n")), ("x.up", Some("shout\n")), ("a", Some("A\r\n"))]);
    let made = repo.commit(&paths, "filtered").unwrap();
    assert_eq!(made.notes, Vec::<String>::new());
    assert_eq!(repo.git(&["show", "HEAD:w.txt"]), "one\ntwo\n");
    assert_eq!(repo.git(&["show", "HEAD:x.up"]), "SHOUT\n");
    assert_eq!(repo.world.on_disk("w.txt").unwrap(), b"one\r\ntwo\r\n", "the work tree has what was accepted");
    assert_eq!(committed_already(repo.at(), &paths, "filtered", &repo.options).unwrap(), Some(made.id));
    assert_eq!(repo.git(&["status", "--short"]), "");
    repo.is_sound();
}

#[test]
fn a_file_in_place_of_a_directory_and_the_other_way_round_and_a_link() {
    let mut repo = Repo::new();
    repo.world.save("a", "a\n");
    let link = Contents { bytes: b"dir".to_vec(), mode: Mode::Symlink };
    repo.world.edit(&[("b", Some(link))]);
    let mut paths = repo.accept(&[("dir/c", None), ("dir", Some("a file\n")), ("a", None), ("a/inner", Some("in\n"))]);
    paths.push(path("b"));
    repo.commit(&paths, "turned round").unwrap();
    assert_eq!(
        repo.git(&["ls-tree", "-r", "--format=%(objectmode) %(path)", "HEAD"]),
        "100644 a/inner\n120000 b\n100644 dir\n"
    );
    assert_eq!(repo.git(&["status", "--short"]), "");
    repo.is_sound();
}

/// What git does not know and the accept took away needs no commit.
#[test]
fn a_deleted_file_that_git_did_not_know_is_left_out() {
    let mut repo = Repo::new();
    repo.world.save("mine", "untracked\n");
    let paths = repo.accept(&[("mine", None), ("a", Some("A\n"))]);
    repo.commit(&paths, "one of two").unwrap();
    assert_eq!(repo.files_of_head(), ["M a"]);
    assert!(matches!(repo.commit(&paths[..1], "none"), Err(CommitError::Nothing)));
}

#[test]
fn hundreds_of_paths_are_one_commit() {
    let repo = Repo::new();
    let names: Vec<String> = (0..900).map(|n| format!("{}/{n}", "long-name-".repeat(20))).collect();
    names.iter().for_each(|name| repo.world.save(name, "made\n"));
    let paths: Vec<RelPath> = names.iter().map(|name| path(name)).collect();
    repo.commit(&paths, "many").unwrap();
    assert_eq!(repo.files_of_head().len(), 900);
    repo.world.save(&names[899], "changed\n");
    repo.git(&["add", "-A"]);
    assert!(matches!(repo.commit(&paths, "many"), Err(CommitError::Staged { path }) if path == names[899]));
    repo.is_sound();
}
