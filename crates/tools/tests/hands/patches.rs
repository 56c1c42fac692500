//! Patches in both forms: what is there, what is asked, what is said, what there is after.

use crate::worlds::{World, executable, link, path, regular};
use agent::ToolOutcome::{self, Done, Failed};
use serde_json::json;
use wire::{Contents, Found};

const RUST: &str = "fn one() {\n    call(1);\n}\n\nfn two() {\n    call(2);\n}\n";

fn furnish(world: &mut World) {
    for (name, contents) in [
        ("a.txt", regular("one\ntwo\nthree\n")),
        ("open.txt", regular("one\ntwo")),
        ("dos.txt", regular("one\r\ntwo\r\nthree\r\n")),
        ("empty", regular("")),
        ("run.sh", executable("#!/bin/sh\necho hi\n")),
        ("bin", regular(b"\0\xff")),
        ("src/lib.rs", regular(RUST)),
        ("twice.txt", regular("x\ny\nx\ny\n")),
        ("to-a", link("a.txt")),
        ("to-src", link("src")),
    ] {
        world.place.set(&path(name), Some(&contents));
    }
}

/// Applies a patch in both worlds; gives how it ended, what was said, and what there is then at some paths.
fn apply(patch: &str, look: &[&str]) -> (ToolOutcome, String, Vec<Option<Contents>>) {
    let [memory, disk] = World::both().map(|(_, mut world)| {
        furnish(&mut world);
        let output = world.call("apply_patch", json!({ "patch": patch }));
        assert_eq!(output.changes.is_empty(), output.outcome != Done, "{}", output.text);
        let now = look.iter().map(|name| match world.place.read(&path(name)).unwrap() {
            Found::File(contents) => Some(contents),
            _ => None,
        });
        (output.outcome, output.text.clone(), now.collect::<Vec<_>>())
    });
    assert_eq!(memory, disk);
    memory
}

fn becomes(patch: &str, text: &str, after: &[(&str, Option<Contents>)]) {
    let names: Vec<&str> = after.iter().map(|(name, _)| *name).collect();
    let (outcome, said, now) = apply(patch, &names);
    assert_eq!((outcome, said.as_str()), (Done, text), "{patch}");
    let expected: Vec<_> = after.iter().map(|(_, contents)| contents.clone()).collect();
    assert_eq!(now, expected, "{patch}");
}

fn refused(patch: &str, why: &str) {
    let (outcome, said, _) = apply(patch, &[]);
    assert_eq!((outcome, said.as_str()), (Failed, why), "{patch}");
}

#[test]
fn a_unified_diff_changes_adds_deletes_and_renames() {
    becomes(
        "--- a.txt\n+++ a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n",
        "applied the patch: 1 file changed, 1 line added, 1 removed\nedited a.txt: 1 hunk at 2; it now has 3 lines, 12 bytes",
        &[("a.txt", Some(regular("one\n2\nthree\n")))],
    );
    becomes(
        "From: someone\nSubject: [PATCH] all\n---\n a.txt | 2 +-\n\n\
         diff --git a/run.sh b/sbin/run\nsimilarity index 60%\nrename from run.sh\nrename to sbin/run\nindex 1..2 100755\n\
         --- a/run.sh\n+++ b/sbin/run\n@@ -1,2 +1,2 @@\n #!/bin/sh\n-echo hi\n+echo ho\n\
         diff --git a/new b/new\nnew file mode 100755\nindex 0..1\n--- /dev/null\n+++ b/new\n@@ -0,0 +1,2 @@\n+x\n+y\n\\ No newline at end of file\n\
         diff --git a/a.txt b/a.txt\ndeleted file mode 100644\nindex 1..0\n--- a/a.txt\n+++ /dev/null\n@@ -1,3 +0,0 @@\n-one\n-two\n-three\n\
         diff --git a/empty b/empty\nold mode 100644\nnew mode 100755\n\
         diff --git a/src/lib.rs b/src/two.rs\nsimilarity index 100%\nrename from src/lib.rs\nrename to src/two.rs\n-- \n2.47.1\n\n",
        "applied the patch: 5 files changed, 3 lines added, 4 removed\n\
         moved run.sh to sbin/run: 1 hunk at 2; it now has 2 lines, 18 bytes\nadded new: 2 lines, 3 bytes\n\
         deleted a.txt: 3 lines, 14 bytes\nedited empty; executable\nmoved src/lib.rs to src/two.rs",
        &[
            ("run.sh", None),
            ("sbin/run", Some(executable("#!/bin/sh\necho ho\n"))),
            ("new", Some(executable("x\ny"))),
            ("a.txt", None),
            ("empty", Some(executable(""))),
            ("src/lib.rs", None),
            ("src/two.rs", Some(regular(RUST))),
        ],
    );
}

#[test]
fn the_other_form_does_the_same() {
    becomes(
        "Here it is:\n```\n*** Begin Patch\n*** Update File: src/lib.rs\n*** Move to: src/new.rs\n@@ fn two() {\n-    call(2);\n+    call(3);\n\
         *** Add File: docs/new.md\n+# New\n+\n+text\n*** Delete File: a.txt\n*** Update File: open.txt\n@@\n two\n+three\n*** End of File\n*** End Patch\n```\n",
        "applied the patch: 4 files changed, 5 lines added, 1 removed\n\
         moved src/lib.rs to src/new.rs: 1 hunk at 6; it now has 7 lines, 53 bytes\nadded docs/new.md: 3 lines, 12 bytes\n\
         deleted a.txt: 3 lines, 14 bytes\nedited open.txt: 1 hunk at 3; it now has 3 lines, 13 bytes",
        &[
            ("src/lib.rs", None),
            ("src/new.rs", Some(regular(RUST.replace("call(2)", "call(3)")))),
            ("docs/new.md", Some(regular("# New\n\ntext\n"))),
            ("a.txt", None),
            // A file without a last line end stays one.
            ("open.txt", Some(regular("one\ntwo\nthree"))),
        ],
    );
    becomes(
        "*** Begin Patch\n*** Update File: a.txt\n+four\n*** Update File: twice.txt\n@@ -3,2 +3,2 @@\n x\n-y\n+z\n*** End Patch",
        "applied the patch: 2 files changed, 2 lines added, 1 removed\nedited a.txt: 1 hunk at 4; it now has 4 lines, 19 bytes\n\
         edited twice.txt: 1 hunk at 4; it now has 4 lines, 8 bytes",
        &[("a.txt", Some(regular("one\ntwo\nthree\nfour\n"))), ("twice.txt", Some(regular("x\ny\nx\nz\n")))],
    );
}

#[test]
fn line_numbers_counts_and_white_space_may_be_wrong() {
    becomes(
        "```diff\n--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -40,9 +40,1 @@ fn two()\n     fn two() {\n-        call(2);\n+        call(3);\n+        if x {\n+            y\n+        }\n     }\n```\n",
        "applied the patch: 1 file changed, 4 lines added, 1 removed\nedited src/lib.rs: 1 hunk at 6; it now has 10 lines, 80 bytes\n\
         4| \n5| fn two() {\n6|     call(3);\n7|     if x {\n8|         y\n9|     }\n10| }\n\
         [hunk 1 of src/lib.rs was found but for the indentation, and what was put there is indented as the file is]",
        &[],
    );
}

#[test]
fn line_ends_stay_those_of_the_file_unless_the_patch_says_otherwise() {
    for patch in [
        "--- a/dos.txt\n+++ b/dos.txt\n@@ -1,3 +1,4 @@\n one\n-two\n+2\n+2b\n three\n",
        "--- a/dos.txt\r\n+++ b/dos.txt\r\n@@ -1,3 +1,4 @@\r\n one\r\n-two\r\n+2\r\n+2b\r\n three\r\n",
        "--- a/dos.txt\n+++ b/dos.txt\n@@ -1,3 +1,4 @@\n one\r\n-two\r\n+2\r\n+2b\r\n three\r\n",
    ] {
        let (outcome, text, now) = apply(patch, &["dos.txt"]);
        assert_eq!((outcome, &now[0]), (Done, &Some(regular("one\r\n2\r\n2b\r\nthree\r\n"))), "{text}");
    }
    let (_, text, now) =
        apply("--- a/dos.txt\n+++ b/dos.txt\n@@ -1,3 +1,3 @@\n one\r\n-two\r\n+two\n three\r\n", &["dos.txt"]);
    assert_eq!(now[0], Some(regular("one\r\ntwo\nthree\r\n")), "{text}");
    for (patch, after) in [
        ("@@ -1,2 +1,2 @@\n one\n-two\n\\ No newline at end of file\n+2\n", "one\n2\n"),
        ("@@ -1,2 +1,2 @@\n one\n-two\n+2\n", "one\n2"),
        ("@@ -1,2 +1,3 @@\n one\n two\n+2\n", "one\ntwo\n2"),
        ("@@ -1,2 +1 @@\n one\n-two\n\\ No newline at end of file\n", "one\n"),
        ("@@ -1,2 +1,3 @@\n+0\n one\n two\n\\ No newline at end of file\n", "0\none\ntwo"),
    ] {
        let (_, text, now) = apply(&format!("--- open.txt\n+++ open.txt\n{patch}"), &["open.txt"]);
        assert_eq!(now[0], Some(regular(after)), "{patch}: {text}");
    }
}

#[test]
fn changes_of_one_path_build_on_each_other() {
    becomes(
        "*** Begin Patch\n*** Update File: a.txt\n-one\n+1\n*** Update File: a.txt\n-1\n+uno\n*** Update File: a.txt\n*** Move to: b.txt\n\
         *** Update File: b.txt\n-two\n+2\n*** Add File: a.txt\n+new\n*** Delete File: empty\n*** Add File: empty\n+full\n*** End Patch",
        "applied the patch: 3 files changed, 5 lines added, 3 removed\nedited a.txt: 1 hunk at 1; it now has 3 lines, 12 bytes\n\
         edited a.txt: 1 hunk at 1; it now has 3 lines, 14 bytes\nmoved a.txt to b.txt\nedited b.txt: 1 hunk at 2; it now has 3 lines, 12 bytes\n\
         added a.txt: 1 line, 4 bytes\ndeleted empty: 0 lines, 0 bytes\nadded empty: 1 line, 5 bytes",
        &[
            ("a.txt", Some(regular("new\n"))),
            ("b.txt", Some(regular("uno\n2\nthree\n"))),
            ("empty", Some(regular("full\n"))),
        ],
    );
}

#[test]
fn a_patch_that_does_not_wholly_apply_changes_nothing() {
    let no = |why: &str| format!("the patch does not apply, and nothing was changed: {why}");
    let begin = |steps: &str| format!("*** Begin Patch\n*** Update File: a.txt\n-one\n+1\n{steps}\n*** End Patch");
    for (steps, why) in [
        ("*** Delete File: gone", "there is no gone; find_files and list_directory show what there is"),
        ("*** Add File: empty\n+x", "empty exists already; delete it first, or choose another path"),
        (
            "*** Update File: to-a\n-one\n+1",
            "to-a is a symbolic link to a.txt, and links are not followed; use a.txt instead",
        ),
        (
            "*** Add File: to-src/x\n+x",
            "to-src is a symbolic link to src, and links are not followed; use src/x instead",
        ),
        ("*** Update File: bin\n-one\n+1", "bin is binary (2 bytes) and has no text to patch"),
        (
            "*** Delete File: src",
            "src is a directory; list_directory shows what is in it, and files are changed one by one",
        ),
        ("*** Add File: n\n+x\n*** Add File: n/m\n+x", "n/m cannot be, because the patch makes n a file"),
        (
            "*** Update File: run.sh\n*** Move to: empty",
            "empty exists already; delete it first, or choose another path",
        ),
        (
            "*** Update File: src/lib.rs\n fn two() {\n-    call(3);\n+    call(4);",
            "hunk 1 of src/lib.rs is not in the file: line 6 is \"call(2);\", where the patch has \"call(3);\". The \
             nearest place:\n4| \n5| fn two() {\n6|     call(2);\n7| }",
        ),
        (
            "*** Update File: twice.txt\n x\n-y\n+z",
            "hunk 1 of twice.txt could stand at 2 places (lines 1, 3); give more lines around it, or a line above it after @@",
        ),
        (
            "*** Update File: twice.txt\n x\n-y\n+z\n*** End of File\n@@\n-x\n+w",
            "hunk 2 of twice.txt stands at line 1, but must stand behind the hunk or the line after @@ before it",
        ),
        (
            "*** Update File: src/lib.rs\n@@ fn three\n-    call(2);\n+    call(4);",
            "hunk 1 of src/lib.rs stands below a line \"fn three\" (after @@), which is not in the file from line 1 on",
        ),
        (
            // The place is that of an old line, which is not in the hunk.
            "*** Update File: a.txt\n@@ -2 +2,2 @@\n+x",
            "hunk 1 of a.txt only adds lines and does not say where; put lines of the file around them, with a blank before each",
        ),
        (
            "*** Update File: a.txt\n-two\n-four\n+x",
            "hunk 1 of a.txt is not in the file: line 3 is \"three\", where the patch has \"four\". The nearest place:\n\
             1| 1\n2| two\n3| three",
        ),
        (
            "*** Update File: a.txt\n-zebra\n+x",
            "hunk 1 of a.txt is nowhere: no line of the file (3 lines) is like \"zebra\"; read the file",
        ),
    ] {
        refused(&begin(steps), &no(why));
    }
    refused(
        "--- a/a.txt\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-one\n-two\n",
        &no("a.txt would still have 1 line when the patch deletes it; a deletion takes away all lines, or names none"),
    );
    refused(
        "--- a.txt\n+++ a.txt\n@@ -1 +1 @@\n-one\n+one\n",
        "the patch changes nothing: all files are as it makes them already",
    );
}

#[test]
fn what_is_no_patch_is_told_how_to_be_one() {
    for (patch, why) in [
        (
            "change one to two",
            "it changes no file: it must hold \"*** Begin Patch\" with \"*** Update File: path\", or a unified diff with \
             \"--- a/path\" and \"+++ b/path\"",
        ),
        ("*** Begin Patch\n*** Delete File: a", "it has no \"*** End Patch\"; perhaps it was cut short"),
        (
            "*** Begin Patch\n*** Rename File: a\n*** End Patch",
            "line 2 of the patch, \"*** Rename File: a\", must be *** Add File: path, *** Update File: path, *** Delete \
             File: path or *** End Patch; lines of a file begin with a blank, + or -",
        ),
        (
            "*** Begin Patch\n*** Update File: a\none\n*** End Patch",
            "line 3 of the patch, \"one\", must begin with a blank, + or -",
        ),
        (
            "*** Begin Patch\n*** Add File: a\none\n*** End Patch",
            "line 3 of the patch, \"one\", must begin with +, as all lines of a new file",
        ),
        ("*** Begin Patch\n*** Delete File: ../a\n*** End Patch", "line 2 of the patch: \"../a\" leaves the workspace"),
        (
            "*** Begin Patch\n*** Delete File: a/\n*** End Patch",
            "line 2 of the patch, \"*** Delete File: a/\", names a directory; a patch changes files",
        ),
        (
            "*** Begin Patch\n*** Update File: a\n*** End Patch",
            "line 3 of the patch, \"*** End Patch\", comes where an update must say what changes: lines that begin with a \
             blank, + or -",
        ),
        (
            "@@ -1 +1 @@\n-a\n+b",
            "line 1 of the patch, \"@@ -1 +1 @@\", begins a hunk, but no --- and +++ right above say of which file",
        ),
        (
            "--- a.orig\n+++ a\n@@ -1 +1 @@\n-a\n+b",
            "line 2 of the patch: a.orig and a are different files; to rename one, put \"diff --git\", \"rename from\" and \
             \"rename to\" before",
        ),
        ("--- a\n+++ a\n@@ -1 +1 @@\n-a\nb", "line 5 of the patch, \"b\", must begin with a blank, + or -"),
        (
            "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+x",
            "line 2 of the patch, \"new file mode 120000\", is no mode of a file; patches make no symbolic links and no submodules",
        ),
        (
            "diff --git a/p b/p\nindex 1..2 100644\nBinary files a/p and b/p differ\n",
            "line 3 of the patch, \"Binary files a/p and b/p differ\", is binary, which no patch changes here; use \
             write_file, move_file or delete_file",
        ),
        (
            "--- /dev/null\n+++ b/.git/hooks/x\n@@ -0,0 +1 @@\n+x",
            "line 5 of the patch: \".git/hooks/x\" lies in .git, which only git changes",
        ),
    ] {
        let error = tools::check("apply_patch", &json!({ "patch": patch }).to_string()).unwrap_err();
        assert_eq!(error.to_string(), format!("the patch cannot be read: {why}"), "{patch}");
    }
}

#[test]
fn every_path_of_a_patch_is_named_for_permissions() {
    for (patch, about, strings) in [
        (
            "diff --git a/x/one b/y/two\nrename from x/one\nrename to y/two\n--- a/z\n+++ b/z\n@@ -1 +1 @@\n-a\n+b\n",
            "x/one and 2 more",
            vec!["x/one", "y/two", "z"],
        ),
        (
            "*** Begin Patch\n*** Update File: ./a//b\n*** Move to: c\n*** Delete File: a/b\n*** Add File: \"d\n+x\n*** End Patch",
            "a/b and 2 more",
            vec!["a/b", "c", "\"d"],
        ),
        ("--- \"a/gr\\303\\274n\"\n+++ /dev/null\n", "grün", vec!["grün"]),
    ] {
        let checked = tools::check("apply_patch", &json!({ "patch": patch }).to_string()).unwrap();
        assert_eq!(
            (checked.about.as_str(), checked.strings),
            (about, strings.into_iter().map(str::to_owned).collect())
        );
    }
}

#[test]
fn what_changed_behind_the_session_is_not_patched() {
    for (_, mut world) in World::both() {
        furnish(&mut world);
        world.call("read_file", json!({"path": "a.txt"}));
        world.place.set(&path("a.txt"), Some(&regular("one\n")));
        let output = world.call("apply_patch", json!({"patch": "--- a.txt\n+++ a.txt\n@@\n-one\n+1\n"}));
        let why =
            "the patch does not apply, and nothing was changed: a.txt has changed since you read it; read it again";
        assert_eq!((output.outcome, output.text.as_str()), (Failed, why));
        assert!(output.seen.is_empty());
    }
}

#[test]
fn limits_of_a_patch_have_their_names() {
    let patch = json!({"patch": "*** Begin Patch\n*** Add File: a\n+xxxx\n*** Add File: b\n+x\n*** End Patch"});
    let said = |set: &dyn Fn(&mut tools::Limits)| {
        let mut world = World::in_memory();
        set(&mut world.limits);
        world.run("apply_patch", patch.clone()).text
    };
    assert_eq!(
        said(&|limits| limits.patch_files = 1),
        "patch of 2 files is over the limit of 1 (patch_files); make several smaller patches"
    );
    assert_eq!(
        said(&|limits| limits.content_bytes = 9),
        "patch of 70 bytes is over the limit of 9 (content_bytes); make several smaller ones"
    );
    assert_eq!(
        said(&|limits| limits.file_bytes = 4),
        "the patch does not apply, and nothing was changed: a: after the patch a file of 5 bytes is over the limit of 4 \
         (file_bytes); larger files are left alone"
    );
    // A file and a patch that are made to be compared for ever.
    let mut world = World::in_memory().with(&[("a", &"x\n".repeat(20_000))]);
    world.limits.lines_compared = 1_000_000;
    let patch = format!("--- a\n+++ a\n@@\n{}-y\n", " x\n".repeat(10_000));
    let text = world.run("apply_patch", json!({ "patch": patch })).text;
    assert!(text.contains("is over the limit of 1000000 (lines_compared); the text is too repetitive"), "{text}");
}
